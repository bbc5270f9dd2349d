//! Reads a capture through the engine, streaming, in constant memory.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Read, StdoutLock, Write},
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use sensor_common::{
    config::Config,
    counters::{Counter, Cpu},
    engine::Seen,
    table::WAYS,
    wire::Slice,
};

use crate::{
    capture::{CaptureError, Frame, Reader},
    cli,
    failure::Failure,
    host::Host,
    observe::{lock, nanos},
    report::{PacketFile, Place, Reporter, Tally, WallClock},
    store::{Keeper, Manner, Origin, Source, Writer},
};

mod frames;
mod guess;
mod net;
mod records;

pub use net::Net;

use frames::Frames;
use guess::Guess;
use records::Records;

/// Reads the capture and reports on stdout.
///
/// # Errors
///
/// What is wrong with the capture, once all that was found before is reported; or with the output.
pub fn run(options: &cli::Replay) -> Result<Tally, Failure> {
    let file = &options.file;
    let piped = file == Path::new("-");
    let input = if piped { stdin()? } else { open(file)? };
    let packets = options.report.packets(Some(&input))?;
    let name = if piped { "stdin".to_owned() } else { file.display().to_string() };
    let reader = Reader::new(input).map_err(|cause| Failure::Capture { file: name.clone(), cause })?;
    let replay = Replay::new(options, packets, piped)?;
    let (tally, damage) = replay.read(reader)?;
    damage.map_or(Ok(tally), |cause| Err(Failure::Capture { file: name, cause }))
}

fn open(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|cause| Failure::Open { file: file.display().to_string(), cause })
}

/// Standard input, whose file may turn out to be the one to write to.
fn stdin() -> Result<File, Failure> {
    let stdin = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    stdin.map_err(|cause| Failure::Open { file: "stdin".to_owned(), cause })
}

/// The engine's configuration: a table of at least so many flows, and records where they are wanted.
fn config(options: &cli::Replay) -> Config {
    let config = Config::replay(options.flows.div_ceil(WAYS as u32).next_power_of_two() - 1);
    if options.records || options.db.is_some() { config.with_records(u32::MAX, 0) } else { config }
}

/// Whoever keeps what is found. It has all the time in the world, and deletes nothing: a capture is as old as it is.
fn keeper(file: &Path, options: &cli::Replay, counted: Counted) -> Result<Keeper, Failure> {
    let origin = Origin::Capture(options.file.display().to_string());
    let writer = Writer::open(file, origin, nanos(SystemTime::now()))?;
    let source: Source = Box::new(move || *lock(&counted));
    Keeper::start(writer, Manner { patient: true, source: Some(source), ..Manner::default() }).map_err(Failure::Loop)
}

/// The counters, once the capture has been read.
type Counted = Arc<Mutex<Option<Cpu>>>;

struct Replay {
    host: Host,
    frames: Frames,
    local: Vec<Net>,
    guessed: bool,
    reporter: Reporter<BufWriter<StdoutLock<'static>>>,
    /// Whether somebody may be waiting for each finding.
    prompt: bool,
    segments: u64,
    /// Where flows are told of, too.
    records: Records,
    counted: Counted,
    /// Frames of link types that are not supported, and the error for the first.
    skipped: BTreeMap<u32, u64>,
}

impl Replay {
    fn new(options: &cli::Replay, packets: Option<PacketFile>, prompt: bool) -> Result<Self, Failure> {
        let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
        let reporter = Reporter::new(out, options.report.style_of(&options.filter), WallClock::epoch());
        let mut config = config(options);
        let counted = Counted::default();
        let reporter = match &options.db {
            Some(file) => reporter.with_sink(Box::new(keeper(file, options, Arc::clone(&counted))?)),
            None => reporter,
        };
        config.gtsm_ports = options.guard.ports()?;
        config.gtsm_hops = options.guard.hops;
        let host = Host::new(config);
        Ok(Self {
            records: Records::of(&host, options.records || options.db.is_some()),
            host,
            frames: Frames::default(),
            guessed: false,
            local: options.local.clone(),
            reporter: reporter.with_packets(packets).with_records(options.records).with_filter(options.filter.clone()),
            prompt,
            segments: 0,
            counted,
            skipped: BTreeMap::new(),
        })
    }

    /// Reads to the end, or to the damage, and finishes the report.
    fn read(mut self, mut reader: Reader<impl Read>) -> io::Result<(Tally, Option<CaptureError>)> {
        let mut damage = None;
        if self.local.is_empty() {
            damage = self.guess(&mut reader)?;
        }
        while damage.is_none() {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    let interface = frame.interface;
                    self.sweep(frame.time)?;
                    if self.judge(&frame) {
                        self.tell(reader.interface_name(interface))?;
                    }
                }
                Ok(None) => break,
                Err(error) => damage = self.skip(error),
            }
        }
        self.records.finish(&self.host, &mut self.reporter)?;
        let nothing = self.host.cpu().get(Counter::Packets) == 0;
        let notes = self.notes();
        *lock(&self.counted) = Some(*self.host.cpu());
        let tally = self.reporter.finish(self.host.cpu(), &notes)?;
        if let Some((&link, _)) = self.skipped.first_key_value()
            && nothing
            && damage.is_none()
        {
            damage = Some(CaptureError::unsupported_link(link, 1));
        }
        Ok((tally, damage))
    }

    /// Reads ahead until it is clear which side is local, then judges what was read.
    fn guess(&mut self, reader: &mut Reader<impl Read>) -> io::Result<Option<CaptureError>> {
        let mut guess = Guess::default();
        let mut damage = None;
        while damage.is_none() {
            match reader.next_frame() {
                Ok(Some(frame)) => {
                    if guess.learn(&frame) {
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => damage = self.skip(error),
            }
        }
        self.local.extend(guess.local());
        self.guessed = !self.local.is_empty();
        for frame in guess.frames() {
            self.sweep(frame.time)?;
            if self.judge(&frame) {
                self.tell(reader.interface_name(frame.interface))?;
            }
        }
        Ok(damage)
    }

    /// Tells of the flows that ended before `time`.
    #[inline]
    fn sweep(&mut self, time: u64) -> io::Result<()> {
        self.records.until(time, &self.host, &mut self.reporter)
    }

    /// Judges a frame. Whether there is anything to tell.
    #[inline]
    fn judge(&mut self, frame: &Frame<'_>) -> bool {
        let seen = Seen { ifindex: frame.interface, tag: 0, hook: net::hook(&self.local, frame.bytes) };
        self.host.observe(frame.time, &Slice::new(frame.bytes, frame.wire_len as usize), seen);
        if self.host.has_parted() {
            self.host.drain_parted().for_each(|event| self.records.part(&event));
        }
        let segments = self.host.cpu().get(Counter::Segments);
        if segments != self.segments {
            self.segments = segments;
            self.frames.note(frame.number, self.host.packet());
        }
        self.host.has_findings()
    }

    #[cold]
    fn tell(&mut self, interface: Option<&str>) -> io::Result<()> {
        for event in self.host.drain() {
            let frame = self.frames.find(&event.segment, event.flow.head.key.ports);
            self.reporter.event(&event, Place { interface, frame: Some(frame), ..Place::default() })?;
        }
        if self.prompt { self.reporter.flush() } else { Ok(()) }
    }

    /// Goes on behind a frame whose link type is not supported, after a warning for the first of its kind.
    #[cold]
    fn skip(&mut self, error: CaptureError) -> Option<CaptureError> {
        let CaptureError::UnsupportedLink { link, .. } = error else { return Some(error) };
        let skipped = self.skipped.entry(link).or_default();
        if *skipped == 0 {
            // Nobody may be listening there.
            let _ = writeln!(io::stderr(), "sensor: {error}; such frames are skipped");
        }
        *skipped += 1;
        None
    }

    fn notes(&self) -> Vec<String> {
        let guess = self.guessed.then(|| {
            let local: Vec<String> = self.local.iter().map(Net::to_string).collect();
            format!("this host: {}, guessed from addresses and TTLs; `--local` says it for certain", local.join(", "))
        });
        let skipped = self
            .skipped
            .iter()
            .map(|(link, n)| format!("skipped: {n} frames of link type {link}, which is not supported"));
        let swept = self.records.notes(&self.host);
        swept.chain(guess).chain(skipped).collect()
    }
}
