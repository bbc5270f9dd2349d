//! The agent: load, attach, drain, report, and leave nothing behind.

use std::{
    collections::HashMap,
    future::Future,
    io::{self, BufWriter, Write},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use sensor_common::{counters::Counter, event::Event};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
    time,
};

use crate::{
    cli,
    failure::Failure,
    kernel::{Attached, Drain, Drained, Kernel, KernelError, Mode, Options, default_interface, strips_vlans},
    report::{Place, Reporter, Style, WallClock},
};

/// How long the reader of stdout may take to let the last lines go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Watches interfaces until it is interrupted or its time is over.
///
/// # Errors
///
/// Why it could not load, attach or report.
pub fn attach(options: &cli::Attach) -> Result<(), Failure> {
    let mut interfaces = options.interfaces.clone();
    if interfaces.is_empty() {
        interfaces.push(default_interface()?);
    }
    interfaces.sort();
    interfaces.dedup();
    let both_directions = options.direction == cli::Direction::Both;
    let ignore_vlans = interfaces.iter().any(|interface| strips_vlans(interface));
    let mut agent =
        Agent::load(&Options { flows: options.flows, both_directions, ignore_vlans, ..Options::default() })?;
    for interface in &interfaces {
        let attached = agent.attach(interface, options.mode.into())?;
        // Not `eprintln!`, which panics where nobody listens.
        let _ = writeln!(io::stderr(), "watching {attached}");
    }
    let duration = options.duration.map(Duration::from_secs);
    agent.watch(options.report.style(), interrupted(duration))
}

impl From<cli::Mode> for Mode {
    fn from(mode: cli::Mode) -> Self {
        match mode {
            cli::Mode::Auto => Self::Auto,
            cli::Mode::Native => Self::Native,
            cli::Mode::Generic => Self::Generic,
            cli::Mode::Tc => Self::Tc,
        }
    }
}

impl From<KernelError> for Failure {
    fn from(error: KernelError) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Completes on Ctrl-C or SIGTERM, or after `duration`.
pub async fn interrupted(duration: Option<Duration>) {
    let limit = async {
        match duration {
            Some(duration) => time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    // Without handlers the signals end the process, which detaches too.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return limit.await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = limit => {}
    }
}

/// A loaded sensor with the interfaces it watches. Detaches when dropped.
pub struct Agent {
    kernel: Kernel,
    interfaces: HashMap<u32, String>,
}

impl Agent {
    /// Loads the kernel program.
    ///
    /// # Errors
    ///
    /// What the kernel lacks, or refuses.
    pub fn load(options: &Options) -> Result<Self, Failure> {
        Ok(Self { kernel: Kernel::load(options)?, interfaces: HashMap::new() })
    }

    /// Attaches to an interface of the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// Why no hook could be taken.
    pub fn attach(&mut self, interface: &str, mode: Mode) -> Result<Attached, Failure> {
        let attached = self.kernel.attach(interface, mode)?;
        self.interfaces.insert(attached.ifindex, attached.interface.clone());
        Ok(attached)
    }

    /// Reports on stdout until `until` completes, then detaches, tells what is left in the ring, and ends with a summary.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written; what was found until then has been printed.
    pub fn watch(mut self, style: Style, until: impl Future<Output = ()>) -> Result<(), Failure> {
        let clock = WallClock::matching(monotonic(), SystemTime::now());
        let names = std::mem::take(&mut self.interfaces);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (drained, writer) = runtime.block_on(async {
            let (mut drain, records) = Drain::new(self.kernel.events()?)?;
            #[cfg(feature = "trace")]
            let _tracing = crate::trace::start(self.kernel.ebpf())?;
            let (failed, mut failure) = oneshot::channel();
            let writer = write(records, Reporter::new(BufWriter::new(io::stdout()), style, clock), names, failed)?;
            tokio::select! {
                end = drain.run() => end?,
                () = until => {}
                _ = &mut failure => {}
            }
            self.kernel.detach();
            drain.empty();
            Ok::<_, Failure>((drain.drained(), writer))
        })?;
        let reporter = finished(writer)??;
        let counters = self.kernel.counters()?;
        reporter.finish(&counters, &account(drained, counters.get(Counter::Submitted)))?;
        Ok(())
    }
}

/// A thread that tells what comes through the queue: stdout may block it, and nobody else. It ends with the queue, or at the
/// first error.
fn write<W: Write + Send + 'static>(
    mut records: mpsc::Receiver<Bytes>,
    mut reporter: Reporter<W>,
    names: HashMap<u32, String>,
    failed: oneshot::Sender<()>,
) -> io::Result<JoinHandle<io::Result<Reporter<W>>>> {
    std::thread::Builder::new().name("report".into()).spawn(move || {
        // Dropped with the thread, which tells the drain that nobody writes any more.
        let _failed = failed;
        while let Some(record) = records.blocking_recv() {
            if let Some(event) = Event::decode(&record) {
                let interface = names.get(&event.flow.head.key.link.ifindex).map(String::as_str);
                reporter.event(&event, Place { interface, frame: None })?;
            }
            if records.is_empty() {
                reporter.flush()?;
            }
        }
        Ok(reporter)
    })
}

/// Waits for the writer, but not for ever: whoever reads stdout may have stopped.
fn finished<T>(writer: JoinHandle<T>) -> io::Result<T> {
    let limit = std::time::Instant::now() + PATIENCE;
    while !writer.is_finished() {
        if std::time::Instant::now() > limit {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "whoever reads it has stopped reading"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    writer.join().map_err(|_| io::Error::other("the reporting thread has died"))
}

/// The agent's own account, line by line; only what is out of the ordinary.
fn account(drained: Drained, submitted: u64) -> Vec<String> {
    let Drained { received, queued, dropped, undecodable } = drained;
    let mut lines = vec![format!(
        "events: submitted {submitted} = received {received} = told {queued} + dropped {dropped} + undecodable {undecodable}"
    )];
    if dropped > 0 {
        lines.push(format!("{dropped} events were dropped because stdout was read too slowly"));
    }
    lines
}

/// Now, on the clock that the kernel program goes by: nanoseconds.
fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place to write to; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
