//! Reads a capture through the engine, streaming, in constant memory.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Read, StdoutLock, Write},
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use sensor_common::{
    config::Config,
    counters::{Counter, Cpu},
    engine::Seen,
    wire::Slice,
};

use crate::{
    capture::{CaptureError, Frame, Reader},
    cli,
    failure::Failure,
    host::{AHEAD, Coming, Told},
    kernel::bucket_mask,
    memory::{self, Footprint, Room},
    observe::{lock, nanos},
    report::{PacketFile, Place, Reporter, Tally, WallClock},
    store::{Keeper, Manner, Origin, Source, Writer},
};

mod frames;
mod guess;
mod judges;
mod net;
mod records;

pub use net::Net;

use frames::Frames;
use guess::Guess;
use judges::Judges;
use records::Records;

/// Frames that are read before they are judged: many more than [`AHEAD`], few enough for the nearest cache.
const BATCH: usize = 128;
/// Between two times that several workers are waited for because nothing more has come.
const PAUSE: Duration = Duration::from_millis(10);

/// Reads the capture and reports on stdout.
///
/// # Errors
///
/// What is wrong with the capture, once all that was found before is reported; or with the output.
pub fn run(options: &cli::Replay) -> Result<Tally, Failure> {
    let file = &options.file;
    let piped = file == Path::new("-");
    check_room(options)?;
    let input = if piped { stdin()? } else { open(file)? };
    let packets = options.report.packets(Some(&input))?;
    let name = if piped { "stdin".to_owned() } else { file.display().to_string() };
    // Of a pipe it must be known whether there is more, lest each few frames be waited for.
    let reader = if options.workers > 1 { Reader::beside(input, piped) } else { Reader::new(input) };
    let reader = reader.map_err(|cause| Failure::Capture { file: name.clone(), cause })?;
    let replay = Replay::new(options, packets, piped)?;
    let (tally, damage) = replay.read(reader)?;
    damage.map_or(Ok(tally), |cause| Err(Failure::Capture { file: name, cause }))
}

/// Whether there is memory for the table; said where its size was asked for. The default is the same on every machine, and so
/// is what is found.
fn check_room(options: &cli::Replay) -> Result<(), Failure> {
    let footprint = Footprint::replay(options.flows, options.workers.into());
    footprint.fit(&Room::read()).map_err(|error| Failure::Other(Box::new(error)))?;
    if options.flows != memory::MOST {
        // Nobody may be listening there.
        let _ = writeln!(io::stderr(), "sensor: memory: up to {footprint}");
    }
    Ok(())
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
    let config = Config::replay(bucket_mask(options.flows));
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
    judges: Judges,
    frames: Frames,
    local: Vec<Net>,
    /// The interfaces of frames that are being judged elsewhere, and their names.
    names: Vec<(u32, Option<String>)>,
    guessed: bool,
    reporter: Reporter<BufWriter<StdoutLock<'static>>>,
    /// Whether somebody may be waiting for each finding, and when all was told of last.
    prompt: bool,
    settled: Instant,
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
        let judges = Judges::new(config, options.workers.into()).map_err(Failure::Loop)?;
        Ok(Self {
            records: Records::of(&judges, options.records || options.db.is_some()),
            frames: Frames::new(matches!(judges, Judges::Many(_))),
            judges,
            names: Vec::new(),
            guessed: false,
            local: options.local.clone(),
            reporter: reporter.with_packets(packets).with_records(options.records).with_filter(options.filter.clone()),
            prompt,
            settled: Instant::now(),
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
            match reader.read_ahead(BATCH) {
                Ok(0) => break,
                Ok(frames) => self.judge_all(&mut reader, frames)?,
                Err(error) => damage = self.skip(error),
            }
        }
        self.settle()?;
        self.records.finish(&self.judges, &mut self.reporter)?;
        let nothing = self.judges.cpu().get(Counter::Packets) == 0;
        let notes = self.notes();
        *lock(&self.counted) = Some(*self.judges.cpu());
        let tally = self.reporter.finish(self.judges.cpu(), &notes)?;
        if let Some((&link, _)) = self.skipped.first_key_value()
            && nothing
            && damage.is_none()
        {
            damage = Some(CaptureError::unsupported_link(link, 1));
        }
        Ok((tally, damage))
    }

    /// Judges the frames that were read last, in their order, while what later ones need is on its way from memory.
    fn judge_all(&mut self, reader: &mut Reader<impl Read>, frames: usize) -> io::Result<()> {
        let mut coming = Coming::default();
        for step in 0..frames + AHEAD {
            if let Judges::One(host) = &self.judges {
                let ahead = reader.frame(step);
                host.expect(&mut coming, ahead.map(|frame| (frame.bytes, frame.wire_len, frame.interface)));
            }
            let Some(index) = step.checked_sub(AHEAD) else { continue };
            if let Judges::Many(crew) = &self.judges
                && let Some(Frame { interface, number, .. }) = reader.frame(index)
            {
                if crew.oldest().is_some_and(|oldest| number - oldest > frames::WITHIN) {
                    self.settle()?;
                }
                self.name(interface, reader.interface_name(interface))?;
            }
            let Some(frame) = reader.frame(index) else { break };
            // Its bytes are in the reader's memory, and so is the interface's name.
            let (interface, number) = (frame.interface, frame.number);
            if self.take(&frame)? {
                self.tell(reader.interface_name(interface), number)?;
            }
        }
        // Who waits for more is told of what was found so far, and is not asked after each few frames of a stream.
        if self.prompt
            && matches!(self.judges, Judges::Many(_))
            && !reader.is_at_hand(PAUSE.saturating_sub(self.settled.elapsed()))
        {
            self.settle()?;
            self.settled = Instant::now();
        }
        Ok(())
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
            self.name(frame.interface, reader.interface_name(frame.interface))?;
            if self.take(&frame)? {
                self.tell(reader.interface_name(frame.interface), frame.number)?;
            }
        }
        Ok(damage)
    }

    /// Sweeps where it is time to, and judges a frame, or hands it to those who do. Whether there is anything to tell at once.
    #[inline]
    fn take(&mut self, frame: &Frame<'_>) -> io::Result<bool> {
        if self.records.are_due(frame.time) {
            self.settle()?;
            self.records.sweep(&self.judges, &mut self.reporter)?;
        }
        let seen = Seen { ifindex: frame.interface, tag: 0, hook: net::hook(&self.local, frame.bytes) };
        let crew = match &mut self.judges {
            Judges::One(host) => {
                host.observe(frame.time, &Slice::new(frame.bytes, frame.wire_len as usize), seen);
                if host.has_parted() {
                    host.drain_parted().for_each(|event| self.records.part(&event));
                }
                let segments = host.cpu().get(Counter::Segments);
                if segments != self.segments {
                    self.segments = segments;
                    self.frames.note(frame.number, host.packet());
                }
                return Ok(host.has_findings());
            }
            Judges::Many(crew) => crew,
        };
        if let Some(packet) = crew.push(frame, seen) {
            self.frames.note(frame.number, packet);
        }
        if crew.is_full() {
            self.turn()?;
        }
        Ok(false)
    }

    #[cold]
    fn tell(&mut self, interface: Option<&str>, number: u64) -> io::Result<()> {
        let Judges::One(host) = &mut self.judges else { return Ok(()) };
        for event in host.drain() {
            let frame = self.frames.find(number, &event.segment, event.flow.head.key.ports);
            self.reporter.event(&event, Place { interface, frame: Some(frame), ..Place::default() })?;
        }
        if self.prompt { self.reporter.flush() } else { Ok(()) }
    }

    /// Remembers an interface's name for those who judge elsewhere. One that has another name now is another: what is still
    /// being judged comes first.
    fn name(&mut self, interface: u32, name: Option<&str>) -> io::Result<()> {
        match self.names.iter().find(|(known, _)| *known == interface) {
            Some((_, known)) if known.as_deref() == name => return Ok(()),
            Some(_) => {
                self.settle()?;
                self.names.clear();
            }
            None => {}
        }
        self.names.push((interface, name.map(str::to_owned)));
        Ok(())
    }

    /// Takes what several workers have found, and gives them what was gathered.
    fn turn(&mut self) -> io::Result<()> {
        let Judges::Many(crew) = &mut self.judges else { return Ok(()) };
        let (parted, found) = crew.turn()?;
        parted.iter().for_each(|told| self.records.part(&told.event));
        let told = !found.is_empty();
        for Told { number, interface, event } in found {
            let frame = self.frames.find(number, &event.segment, event.flow.head.key.ports);
            let name = self.names.iter().find(|(known, _)| *known == interface).and_then(|(_, name)| name.as_deref());
            self.reporter.event(&event, Place { interface: name, frame: Some(frame), ..Place::default() })?;
        }
        if told && self.prompt { self.reporter.flush() } else { Ok(()) }
    }

    /// Waits until several workers have judged all that they were given, and tells of it.
    fn settle(&mut self) -> io::Result<()> {
        while matches!(&self.judges, Judges::Many(crew) if !crew.rests()) {
            self.turn()?;
        }
        Ok(())
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
        let swept = self.records.notes(&self.judges);
        swept.chain(guess).chain(skipped).collect()
    }
}
