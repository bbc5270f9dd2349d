//! A running `sensor`, whose words are read as they come.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read, Write as _},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use aya::programs::loaded_programs;
use sensor::lab::Netns;

/// How long anything may take that is not said to take longer: debug builds on a busy machine load slowly.
pub(crate) const SOON: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// The command with these arguments, unheard unless its stdout is put elsewhere. At the veths of the tests it takes XDP, as on a
/// NIC, where they say no more: by itself it takes tc there.
pub(crate) fn sensor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensor"));
    command
        .args(arguments)
        .env("SENSOR_SOCKET", "none")
        .env("SENSOR_MODE", "native")
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .stdout(Stdio::null());
    command
}

/// A child; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
}

impl Running {
    /// Starts `command` inside a namespace.
    pub(crate) fn start(netns: &Netns, command: Command) -> Self {
        Self::spawn(Some(netns), command)
    }

    /// Starts `command` there or here.
    pub(crate) fn spawn(netns: Option<&Netns>, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = match netns {
            Some(netns) => netns.enter(|| command.spawn()).flatten(),
            None => command.spawn(),
        }
        .expect("the command starts");
        let stdout = Text::read(child.stdout.take());
        let stderr = Text::read(child.stderr.take());
        Self { child, stdout, stderr }
    }

    /// `sensor attach`, its stdout read, once it watches.
    pub(crate) fn attach(netns: &Netns, arguments: &[&str]) -> Self {
        let mut command = sensor(&[&["attach"], arguments].concat());
        command.stdout(Stdio::piped());
        let running = Self::start(netns, command);
        running.stderr.wait_for("watching ");
        running
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: no memory is passed; the child was not waited for, so the id is its own.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Waits for its end, at most for `limit`.
    pub(crate) fn end(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                self.stdout.close();
                self.stderr.close();
                assert!(!self.stderr.text().contains("panicked"), "{}", self.stderr.text());
                return status;
            }
            assert!(Instant::now() < end, "still running after {limit:?}: {}", self.stderr.text());
            thread::sleep(PAUSE);
        }
    }

    /// It ended with this code, and `words` are on stderr.
    pub(crate) fn ended(mut self, code: i32, words: &[&str]) {
        let status = self.end(SOON);
        let stderr = self.stderr.text();
        assert_eq!(status.code(), Some(code), "{stderr}");
        for word in words {
            assert!(stderr.contains(word), "{word}: {stderr}");
        }
        if code == 2 {
            let last = stderr.lines().last().unwrap_or_default();
            assert!(last.starts_with("sensor: ") && last.len() < 400, "one sentence: {stderr}");
            assert!(!stderr.contains("backtrace") && !stderr.contains("processed "), "{stderr}");
        }
    }

    /// The kernel's ids of the BPF programs that it has open.
    pub(crate) fn programs(&self) -> BTreeSet<u32> {
        let files = fs::read_dir(format!("/proc/{}/fdinfo", self.child.id())).expect("a running child");
        files
            .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
            .filter_map(|info| info.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok()))
            .collect()
    }

    /// How many descriptors of which kind it has open: files, sockets, BPF maps, programs and links.
    pub(crate) fn descriptors(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for file in fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("a running child").flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            let kind = target.to_string_lossy().split(":[").next().unwrap_or_default().to_owned();
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// None of these programs is in the kernel any more, which frees them a moment after their last user went.
pub(crate) fn unloaded(programs: &BTreeSet<u32>) {
    let end = Instant::now() + SOON;
    loop {
        let loaded: BTreeSet<u32> = loaded_programs().filter_map(|program| Some(program.ok()?.id())).collect();
        if loaded.is_disjoint(programs) {
            return;
        }
        assert!(Instant::now() < end, "still loaded: {:?}", loaded.intersection(programs));
        thread::sleep(PAUSE);
    }
}

/// What came through a pipe, with the time at which each line came.
pub(crate) struct Text {
    lines: Arc<Mutex<Vec<(Instant, String)>>>,
    reader: Option<JoinHandle<()>>,
}

impl Text {
    fn read(pipe: Option<impl Read + Send + 'static>) -> Self {
        let lines = Arc::<Mutex<Vec<_>>>::default();
        let reader = pipe.map(|pipe| {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                let mut pipe = BufReader::new(pipe);
                let mut line = String::new();
                while matches!(pipe.read_line(&mut line), Ok(1..)) {
                    lines.lock().unwrap().push((Instant::now(), std::mem::take(&mut line)));
                }
            })
        });
        Self { lines, reader }
    }

    fn close(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("a reader");
        }
    }

    pub(crate) fn lines(&self) -> Vec<(Instant, String)> {
        self.lines.lock().unwrap().clone()
    }

    pub(crate) fn text(&self) -> String {
        self.lines().into_iter().map(|(_, line)| line).collect()
    }

    /// Waits for a line with `word` in it.
    pub(crate) fn wait_for(&self, word: &str) -> (Instant, String) {
        let end = Instant::now() + SOON;
        loop {
            if let Some(line) = self.lines().into_iter().find(|(_, line)| line.contains(word)) {
                return line;
            }
            assert!(Instant::now() < end, "no {word}: {}", self.text());
            thread::sleep(PAUSE);
        }
    }
}

/// Runs a batch of `ip` in a namespace.
pub(crate) fn batch(netns: &Netns, script: &str) {
    let mut command = Command::new("ip");
    let mut child = command.args(["-n", netns.name(), "-batch", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
