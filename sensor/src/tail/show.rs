//! From frames to what is read.

use std::{
    collections::VecDeque,
    io::{self, BufReader, BufWriter, Read as _, StdoutLock},
    os::unix::net::UnixStream,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use sensor_common::record::Record;

use super::{
    TailError, warn,
    wire::{MAGIC, Message, Seen},
};
use crate::{
    cli::Tail,
    failure::Failure,
    filter::Traits,
    report::{Finding, PacketFile, Place, Reporter, WallClock, flow::Told},
};

/// What is told of what is remembered, where a reader follows and asks for nothing else: as tail(1) does.
const LAST: usize = 10;

/// Tells what comes through `stream` until it ends; after `stop`, its end is no surprise.
pub(super) fn all(
    stream: UnixStream,
    options: &Tail,
    packets: Option<PacketFile>,
    stop: &AtomicBool,
) -> Result<(), Failure> {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let style = options.report.style_of(&options.filter);
    let reporter = Reporter::new(out, style, WallClock::epoch()).with_packets(packets).with_records(options.records);
    let all_of_it = !options.follow || options.since.is_some();
    let last = options.last.unwrap_or(if all_of_it { usize::MAX } else { LAST });
    let mut telling = Telling { reporter, options, last, kept: VecDeque::new(), came: 0, unfit: 0 };
    let end = telling.follow(&mut stream, stop);
    telling.finish()?;
    end
}

struct Telling<'a> {
    reporter: Reporter<BufWriter<StdoutLock<'static>>>,
    options: &'a Tail,
    /// How much of what is remembered is told.
    last: usize,
    /// That.
    kept: VecDeque<Message>,
    /// Findings, records and incidents that came.
    came: u64,
    /// Those that were not asked for.
    unfit: u64,
}

impl Telling<'_> {
    fn follow(&mut self, stream: &mut BufReader<UnixStream>, stop: &AtomicBool) -> Result<(), Failure> {
        let strange = |why: String| {
            let path = self.options.socket.display().to_string().escape_debug().to_string();
            Failure::from(TailError::Strange { path, why })
        };
        let mut mark = [0; MAGIC.len()];
        if stream.read_exact(&mut mark).is_err() || mark != MAGIC {
            if stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            return Err(strange("it does not begin as one".into()));
        }
        let mut live = false;
        loop {
            // Whoever waits for it is told before this waits for more.
            if live && stream.buffer().is_empty() {
                self.reporter.flush()?;
            }
            match Message::read(stream) {
                Ok(Some(Message::Hello(hello))) => {
                    if let Some(why) = hello.stranger() {
                        return Err(strange(why));
                    }
                }
                Ok(Some(Message::Live)) => {
                    live = true;
                    std::mem::take(&mut self.kept).iter().try_for_each(|message| self.tell(message))?;
                    if !self.options.follow {
                        return Ok(());
                    }
                }
                Ok(Some(Message::Slow(lost))) => {
                    let lost = format!("{lost} findings, records and changes of incidents are lost to it");
                    return Err(TailError::Slow(lost).into());
                }
                Ok(Some(Message::Full(most))) => return Err(TailError::Full { most }.into()),
                Ok(Some(Message::End)) => {
                    warn("the sensor has ended");
                    return Ok(());
                }
                Ok(Some(message)) => self.take(message, live)?,
                Ok(None) | Err(_) if stop.load(Ordering::Relaxed) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(strange(error.to_string())),
                // Killed, or it had no time to say that this was too slow.
                Ok(None) | Err(_) => {
                    return Err(TailError::Slow("or it was killed, and what came last is lost".into()).into());
                }
            }
        }
    }

    /// Keeps what is remembered until it is clear what the last ones are, and tells the rest.
    fn take(&mut self, message: Message, live: bool) -> io::Result<()> {
        self.came += 1;
        if !self.wanted(&message) {
            self.unfit += 1;
            return Ok(());
        }
        if live || self.last == usize::MAX {
            return self.tell(&message);
        }
        if self.last > 0 {
            if self.kept.len() >= self.last {
                self.kept.pop_front();
            }
            self.kept.push_back(message);
        }
        Ok(())
    }

    fn wanted(&self, message: &Message) -> bool {
        let Tail { filter, since, until, records, .. } = self.options;
        let within = |time| since.is_none_or(|since| time >= since.0) && until.is_none_or(|until| time <= until.0);
        match message {
            Message::Finding { event, wall, seen } => {
                let told = event.severity() >= self.reporter.least();
                let finding = || Finding::new(event, clock(event.time, *wall), place(seen)).of(seen.beside.who());
                told && within(*wall) && filter.fits(&Traits::of(&finding()))
            }
            Message::Record(saved) => {
                let place = Place { interface: saved.interface.as_deref(), ..Place::default() };
                let record: Record = saved.record();
                let told = Told::new(&record, place, clock(saved.record().last, saved.wall)).of(saved.who());
                *records && within(saved.wall) && filter.fits(&Traits::of_record(&told))
            }
            Message::Incident(view) => {
                let told = self.reporter.tells(view);
                told && within(view.last) && filter.fits(&Traits::of_incident(view))
            }
            _ => false,
        }
    }

    fn tell(&mut self, message: &Message) -> io::Result<()> {
        match message {
            Message::Finding { event, wall, seen } => {
                self.reporter.set_clock(clock(event.time, *wall));
                self.reporter.relay(event, place(seen), seen.beside.who())
            }
            Message::Record(saved) => {
                let record = saved.record();
                self.reporter.set_clock(clock(record.last, saved.wall));
                let place = Place { interface: saved.interface.as_deref(), ..Place::default() };
                self.reporter.relay_record(&record, place, saved.who())
            }
            Message::Incident(view) => self.reporter.incident(view),
            _ => Ok(()),
        }
    }

    /// Ends the report. What was not told is said beside it.
    fn finish(mut self) -> io::Result<()> {
        self.reporter.flush()?;
        self.reporter.left_out().for_each(|note| warn(&note));
        let Self { came, unfit, .. } = self;
        if unfit > 0 {
            warn(&format!(
                "tail: {unfit} of {came} that came were not asked for: milder (--min-severity), connections (--records), of another time or filter"
            ));
        }
        Ok(())
    }
}

/// Where it was seen.
fn place(seen: &Seen) -> Place<'_> {
    Place { interface: seen.interface.as_deref(), word: seen.beside.word(), ..Place::default() }
}

/// The clock by which `engine` is the moment `wall`.
fn clock(engine: u64, wall: u64) -> WallClock {
    WallClock::matching(engine, UNIX_EPOCH + Duration::from_nanos(wall))
}
