//! The agent: load, attach, drain, report, and leave nothing behind.

mod records;

use std::{
    collections::HashMap,
    future::Future,
    io::{self, BufWriter, Write},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use sensor_common::{
    counters::{Counter, Cpu},
    event::Event,
    flow::LinkId,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
    time,
};

use records::{Records, Swept};

use crate::{
    cli,
    failure::Failure,
    interrupt,
    kernel::{
        Attached, Drain, Drained, Kernel, KernelError, Mode, Options, Presence, default_interface, interface_index,
        strips_vlans,
    },
    report::{PacketFile, Place, Reporter, Style, WallClock},
    systemd,
};

/// How long the reader of stdout may take to let the last lines go.
const PATIENCE: Duration = Duration::from_secs(3);

/// How often it is asked whether the interfaces are still there.
const ROUND: Duration = Duration::from_secs(1);

/// Watches interfaces until it is interrupted or its time is over.
///
/// # Errors
///
/// Why it could not load, attach or report.
pub fn attach(options: &cli::Attach) -> Result<(), Failure> {
    let interfaces = chosen(&options.interfaces)?;
    let packets = options.report.packets(None)?;
    let both_directions = options.direction == cli::Direction::Both;
    let ignore_vlans = interfaces.iter().any(|interface| strips_vlans(interface));
    let (flows, records) = (options.flows, options.records);
    let mut agent = Agent::load(&Options { flows, both_directions, ignore_vlans, records, ..Options::default() })?;
    // Until here a signal ends the process at once: loading a large table takes its time, and leaves nothing behind.
    let (runtime, mut signals) = interrupt::listen()?;
    let mut watched = Vec::new();
    for interface in &interfaces {
        let attached = agent.attach(interface, options.mode.into())?;
        warn(&format!("watching {attached}"));
        watched.push(attached.to_string());
    }
    systemd::ready(&format!("watching {}", watched.join("; ")));
    let duration = options.duration.map(Duration::from_secs);
    agent.watch(&runtime, options.report.style(), packets, async {
        tokio::select! {
            () = signals.wait() => {}
            () = after(duration) => {}
            () = systemd::alive() => {}
        }
        systemd::stopping();
    })
}

/// The interfaces asked for, or the default one; each once, under whichever of its names.
fn chosen(asked: &[String]) -> Result<Vec<String>, KernelError> {
    if asked.is_empty() {
        return Ok(vec![default_interface()?]);
    }
    let mut indices = Vec::new();
    let mut chosen = Vec::new();
    for name in asked {
        let index = interface_index(name)?;
        if !indices.contains(&index) {
            indices.push(index);
            chosen.push(name.clone());
        }
    }
    Ok(chosen)
}

/// Completes after `duration`, if there is one.
async fn after(duration: Option<Duration>) {
    match duration {
        Some(duration) => time::sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// Says something beside the report.
fn warn(text: &str) {
    // Not `eprintln!`, which panics where nobody listens.
    let _ = writeln!(io::stderr(), "{text}");
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

/// A loaded sensor with the interfaces it watches. Detaches when dropped.
pub struct Agent {
    kernel: Kernel,
    interfaces: HashMap<u32, String>,
    present: Vec<Presence>,
    /// Whether connections that ended are told of, too.
    records: bool,
}

impl Agent {
    /// Loads the kernel program.
    ///
    /// # Errors
    ///
    /// What the kernel lacks, or refuses.
    pub fn load(options: &Options) -> Result<Self, Failure> {
        let (kernel, records) = (Kernel::load(options)?, options.records);
        Ok(Self { kernel, interfaces: HashMap::new(), present: Vec::new(), records })
    }

    /// Attaches to an interface of the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// Why no hook could be taken.
    pub fn attach(&mut self, interface: &str, mode: Mode) -> Result<Attached, Failure> {
        let attached = self.kernel.attach(interface, mode)?;
        self.interfaces.insert(attached.ifindex, attached.interface.clone());
        self.present.extend(Presence::of(&attached));
        Ok(attached)
    }

    /// Reports on stdout, and to `packets`, until `until` completes, then detaches, tells what is left in the ring, and ends with a summary.
    ///
    /// # Errors
    ///
    /// When stdout cannot be written, or nothing is left to watch; what was found until then has been printed.
    pub fn watch(
        mut self,
        runtime: &Runtime,
        style: Style,
        packets: Option<PacketFile>,
        until: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let clock = WallClock::matching(monotonic(), SystemTime::now());
        let names = std::mem::take(&mut self.interfaces);
        let present = std::mem::take(&mut self.present);
        let (sweep, swept) = Records::start(self.kernel.table()?, self.records).map_err(Failure::Loop)?;
        let (drained, writer, gone) = runtime.block_on(async {
            let (mut drain, records) = Drain::new(self.kernel.events()?, sweep.parted()).map_err(Failure::Loop)?;
            #[cfg(feature = "trace")]
            let _tracing = crate::trace::start(self.kernel.ebpf())?;
            let (failed, mut failure) = oneshot::channel();
            let reporter = Reporter::new(BufWriter::new(io::stdout()), style, clock).with_packets(packets);
            let writer = write((records, swept), reporter, names, failed).map_err(Failure::Loop)?;
            let mut gone = None;
            tokio::select! {
                end = drain.run() => end.map_err(Failure::Loop)?,
                last = all_gone(present) => gone = Some(last),
                () = until => {}
                _ = &mut failure => {}
            }
            self.kernel.detach();
            drain.empty();
            Ok::<_, Failure>((drain.drained(), writer, gone))
        })?;
        let swept = sweep.end();
        let counters = self.kernel.counters()?;
        let mut notes = account(drained, &counters);
        notes.extend(swept(&counters));
        let reporter = finished(writer, &notes)??;
        reporter.finish(&counters, &notes)?;
        gone.map_or(Ok(()), |interface| Err(KernelError::Gone { interface }.into()))
    }
}

/// Completes with the name of the last interface when it goes away; never where there was none.
async fn all_gone(mut present: Vec<Presence>) -> String {
    let mut round = time::interval(ROUND);
    loop {
        round.tick().await;
        for gone in present.extract_if(.., |presence| presence.is_gone()).collect::<Vec<_>>() {
            warn(&format!("{} is gone and no longer watched", gone.interface()));
            if present.is_empty() {
                return gone.interface().into();
            }
        }
    }
}

/// A thread that tells what comes through the queue: stdout may block it, and nobody else. It ends with the queue, or at the
/// first error.
fn write<W: Write + Send + 'static>(
    (mut events, mut swept): (mpsc::Receiver<Bytes>, mpsc::Receiver<Swept>),
    mut reporter: Reporter<W>,
    names: HashMap<u32, String>,
    failed: oneshot::Sender<()>,
) -> io::Result<JoinHandle<io::Result<Reporter<W>>>> {
    // For waiting alone: the thread may block, and does so on stdout.
    let runtime = Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("report".into()).spawn(move || {
        // Dropped with the thread, which tells the drain that nobody writes any more.
        let _failed = failed;
        let place = |link: LinkId| Place { interface: names.get(&link.ifindex).map(String::as_str), frame: None };
        while let Some(news) = runtime.block_on(next(&mut events, &mut swept)) {
            match news {
                News::Event(record) => {
                    if let Some(event) = Event::decode(&record) {
                        reporter.event(&event, place(event.flow.head.key.link))?;
                    }
                }
                News::Swept(Swept::Found(event)) => reporter.event(&event, place(event.flow.head.key.link))?,
                News::Swept(Swept::Ended(record)) => reporter.record(&record, place(record.key.link))?,
            }
            if events.is_empty() && swept.is_empty() {
                reporter.flush()?;
            }
        }
        Ok(reporter)
    })
}

/// What there is to tell.
enum News {
    Event(Bytes),
    Swept(Swept),
}

/// The next thing to tell, the kernel's findings first; none when both queues are closed.
async fn next(events: &mut mpsc::Receiver<Bytes>, swept: &mut mpsc::Receiver<Swept>) -> Option<News> {
    tokio::select! {
        biased;
        Some(event) = events.recv() => Some(News::Event(event)),
        Some(swept) = swept.recv() => Some(News::Swept(swept)),
        else => None,
    }
}

/// Waits for the writer, but not for ever: whoever reads stdout may have stopped. `notes` then go to stderr, for the summary
/// cannot be told.
fn finished<T>(writer: JoinHandle<T>, notes: &[String]) -> io::Result<T> {
    let limit = Instant::now() + PATIENCE;
    while !writer.is_finished() {
        if Instant::now() > limit {
            notes.iter().for_each(|note| warn(note));
            return Err(io::Error::new(io::ErrorKind::TimedOut, "whoever reads it has stopped reading"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    writer.join().map_err(|_| io::Error::other("the reporting thread has died"))
}

/// The agent's own account, line by line; only what is out of the ordinary.
fn account(drained: Drained, counters: &Cpu) -> Vec<String> {
    let (submitted, handed) = (counters.get(Counter::Submitted), counters.get(Counter::RecordsHandedOn));
    let Drained { received, queued, dropped, undecodable, parted, parted_dropped } = drained;
    let mut lines = vec![format!(
        "events: submitted {submitted} = received {received} = told {queued} + dropped {dropped} + undecodable {undecodable}"
    )];
    if parted > 0 {
        lines.push(format!("records: handed on {handed} = received {parted}, of which dropped {parted_dropped}"));
    }
    if dropped > 0 {
        lines.push(format!("{dropped} events were dropped because stdout was read too slowly"));
    }
    lines
}

/// Now, on the clock that the kernel program goes by: nanoseconds.
pub(crate) fn monotonic() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place to write to; this clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
