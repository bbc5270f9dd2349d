//! A configuration file, and what SIGHUP makes of it.

use std::{fs, os::unix::process::CommandExt as _, path::PathBuf, process::Stdio, time::Duration};

use tempfile::TempDir;

use super::{
    WAN,
    child::{Running, SOON, sensor},
    forge, ip, lab,
};

/// What the forged reset of [`forge`] is called.
const FORGED: &str = "ttl-rst-mismatch";

struct ConfigFile {
    _directory: TempDir,
    path: PathBuf,
}

impl ConfigFile {
    fn new(text: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("sensor.toml");
        fs::write(&path, text).unwrap();
        Self { _directory: directory, path }
    }

    /// Writes it anew and has it read; waits for `words`.
    fn reload(&self, running: &Running, text: &str, words: &str) {
        fs::write(&self.path, text).unwrap();
        running.signal(libc::SIGHUP);
        running.stderr.wait_for(words);
    }

    fn attach(&self, netns: &sensor::lab::Netns, flags: &[&str]) -> Running {
        let mut command = sensor(&[&["attach", "--config", self.path.to_str().unwrap()], flags].concat());
        // It would go before the file.
        command.env_remove("SENSOR_MODE").stdout(Stdio::piped());
        let running = Running::start(netns, command);
        running.stderr.wait_for("watching ");
        running
    }
}

/// An allow-list for the forged reset on this interface.
fn allow(interface: &str) -> String {
    let tomorrow = std::process::Command::new("date").args(["-u", "-d", "tomorrow", "+%F"]).output().unwrap().stdout;
    let tomorrow = String::from_utf8(tomorrow).unwrap();
    format!(
        "[[allow]]\nkind = '{FORGED}'\naddress = '203.0.113.0/24'\nport = 8080\ninterface = '{interface}'\n\
         reason = \"a known \\u001b[31mfirewall\"\nuntil = {tomorrow}"
    )
}

#[test]
fn what_is_allowed_is_counted_and_not_told_until_it_is_not_allowed() {
    let Some(lab) = lab() else { return };
    let settings = format!("interface = '{WAN}'\nflows = 4096\n");
    let file = ConfigFile::new(&format!("{settings}{}", allow("w*")));
    let mut running = file.attach(lab.server().netns(), &["--min-severity", "alert"]);
    running.stderr.wait_for("allow-list: what 1 entry cover is counted and not told");
    forge(&lab);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!running.stdout.text().contains(FORGED), "{}", running.stdout.text());
    // What does not fit is told.
    file.reload(&running, &format!("{settings}{}", allow("eth*")), "was read again and holds\n");
    let port = forge(&lab);
    running.stdout.wait_for(&format!("{port} > "));
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let stdout = running.stdout.text();
    assert!(stdout.contains(r#"allowed and not told: 1 finding, 1 for "a known \u{1b}[31mfirewall""#), "{stdout}");
    assert!(stdout.contains(&format!("2  alert   {FORGED}")), "both are counted: {stdout}");
}

#[test]
fn what_cannot_be_taken_leaves_everything_as_it_was() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, "link add name spare0 type veth peer name other0");
    let good = format!("interface = ['{WAN}']\nmin-severity = 'alert'\nmode = 'native'\n");
    let file = ConfigFile::new(&good);
    let mut running = file.attach(netns, &["--keep-caps"]);
    let path = file.path.display();
    for (text, words) in [
        ("mim-severity = 'info'\n".to_owned(), format!("{path}:1:1: there is no key \"mim-severity\"")),
        ("interface = ['spare0', 'nosuch0']\n".into(), "no interface \"nosuch0\"".into()),
        ("interface = ['spare0', 'lo']\nmode = 'native'\n[[allow]]\n".into(), format!("{path}:3:1: allow lacks kind")),
    ] {
        file.reload(&running, &text, &format!("the configuration stays as it was: {words}"));
    }
    if fs::exists("/dev/net/tun").unwrap() {
        ip(netns, "tuntap add dev tun0 mode tun");
        file.reload(&running, "interface = ['spare0', 'tun0']\n", "tun0 carries no Ethernet frames");
        assert!(!ip(netns, "link show spare0").contains("xdp"), "it was taken, and let go again");
    }
    fs::remove_file(&file.path).unwrap();
    running.signal(libc::SIGHUP);
    running.stderr.wait_for("sensor.toml cannot be read (No such file");
    // Nothing of these was taken, and the first interface is still watched.
    forge(&lab);
    running.stdout.wait_for(FORGED);
    let told = running.stderr.text();
    assert!(!told.contains("watching spare0") && !told.contains("no longer watched"), "{told}");

    file.reload(&running, "interface = ['spare*']\nflows = 64\nmode = 'tc'\n", "holds, but for mode, flows: restart");
    running.stderr.wait_for("watching spare0: ingress by native XDP");
    running.stderr.wait_for("wan0 is no longer watched, as it is no longer asked for");
    assert!(!ip(netns, &format!("link show {WAN}")).contains("xdp"));
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let Some(lab) = lab() else { return };
    let file = ConfigFile::new("interface = 'nosuch0'\nduration = 0\noutput = 'json'\nmode = 'generic'\n");
    let mut command = sensor(&["attach", "--mode", "tc"]);
    command.env("SENSOR_CONFIG", &file.path).env("SENSOR_INTERFACE", WAN).stdout(Stdio::piped());
    let words = [&format!("watching {WAN}: ingress by tcx")[..], "0 findings"];
    Running::start(lab.server().netns(), command).ended(0, &words);
}

#[test]
fn without_a_file_a_hangup_ends_it() {
    let Some(lab) = lab() else { return };
    let mut command = sensor(&["attach", "-i", WAN]);
    // Tests that run under nohup would hand on that it is ignored.
    // SAFETY: between fork and exec it calls one function, which is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        });
    }
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    running.signal(libc::SIGHUP);
    assert_eq!(running.end(SOON).code(), None);
}
