//! Reports: from events to what a person or a program reads.
//!
//! A person gets one line an event and, below a finding that matters, an explanation: once for each connection, and again only
//! when it gets worse. A program gets one JSON object an event, see [`Output::Json`].

use std::{
    io::{self, Write},
    time::SystemTime,
};

use sensor_common::{counters::Cpu, detect::Severity, event::Event, record::Record};

mod beside;
mod cast;
mod compact;
mod ecs;
mod eve;
mod evidence;
mod explain;
mod finding;
pub mod flow;
pub(crate) mod json;
mod memory;
mod owner;
mod paint;
mod print;
mod repeats;
mod shown;
mod siem;
mod sink;
mod story;
mod summary;
#[cfg(test)]
mod tests;
mod timeouts;
mod wall;
mod wide;
mod word;
mod wrap;
mod write;

pub use beside::Beside;
pub use cast::Cast;
pub use finding::{Distance, Finding, Mark, Row};
pub use shown::lines_shown;
pub use sink::Sink;
pub use summary::Tally;
pub use wall::{WallClock, rfc3339};
pub use word::Word;
pub use write::{PacketFile, Written};

pub(crate) use cast::address;
pub(crate) use evidence::{hops, ms};
pub(crate) use explain::{WIDTH, capital, paragraph};
pub(crate) use json::SCHEMA;
pub(crate) use paint::Paint;
pub(crate) use shown::shown;
pub(crate) use summary::count;
pub(crate) use timeouts::candidates as idle_timeouts;
pub(crate) use word::reason as reset_reason;
pub(crate) use wrap::wrapped;

use crate::{
    correlate::{
        Correlator, View,
        aggregate::{self, Aggregates, Ended, Reading},
    },
    enrich::Directory,
    filter::{Filter, Traits},
};
use memory::Memory;
use repeats::Repeats;

/// In which form events are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// One line an event, an explanation where it matters, a summary at the end.
    Compact,
    /// The line with more columns, and no explanation.
    Wide,
    /// One JSON object an event; the summary goes to stderr.
    Json,
    /// Suricata's EVE: `anomaly` and `flow`.
    Eve,
    /// Elastic Common Schema.
    Ecs,
}

impl Output {
    /// Whether a person reads it, not a program.
    pub const fn is_for_people(self) -> bool {
        matches!(self, Self::Compact | Self::Wide)
    }
}

/// How to report.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The form.
    pub output: Output,
    /// Milder events are counted, not told.
    pub min_severity: Severity,
    /// Whether to colour.
    pub color: bool,
    /// Whether the summary has Wireshark's rows.
    pub analysis: bool,
    /// Whether findings like many others are told once in a while only.
    pub dedup: bool,
}

/// Where an event was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// The interface's name.
    pub interface: Option<&'a str>,
    /// The frame's number in a capture.
    pub frame: Option<u64>,
    /// What the kernel says of a reset that left.
    pub word: Option<Word<'a>>,
}

/// Says which aggregates are not to be told.
type Allowed = Box<dyn Fn(&aggregate::Incident) -> bool + Send>;

/// Tells events, one after the other.
pub struct Reporter<W> {
    out: W,
    style: Style,
    clock: WallClock,
    memory: Memory,
    correlator: Correlator,
    aggregates: Aggregates,
    /// Which aggregates are not to be told.
    allowed: Option<Allowed>,
    tally: Tally,
    filter: Filter,
    /// Findings, and records and incidents, that the filter leaves out.
    unfit: [u64; 2],
    repeats: Repeats,
    packets: Option<PacketFile>,
    names: Directory,
    records: bool,
    sinks: Vec<Box<dyn Sink>>,
}

impl<W: Write> Reporter<W> {
    /// Reports to `out`, which should be buffered.
    pub fn new(out: W, style: Style, clock: WallClock) -> Self {
        Self {
            out,
            style,
            clock,
            memory: Memory::default(),
            correlator: Correlator::default(),
            aggregates: Aggregates::default(),
            allowed: None,
            tally: Tally::default(),
            filter: Filter::default(),
            unfit: [0; 2],
            repeats: Repeats::default(),
            packets: None,
            names: Directory::default(),
            records: false,
            sinks: Vec::new(),
        }
    }

    /// Tells also whom addresses belong to.
    pub fn with_names(mut self, names: Directory) -> Self {
        self.names = names;
        self
    }

    /// Also writes what it tells to `packets`.
    pub fn with_packets(mut self, packets: Option<PacketFile>) -> Self {
        self.packets = packets;
        self
    }

    /// Tells nobody of what does not fit.
    pub fn with_filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Whether it tells of connections that ended, too.
    pub fn with_records(mut self, records: bool) -> Self {
        self.records = records;
        self
    }

    /// Also tells somebody else.
    pub fn with_sink(mut self, sink: Box<dyn Sink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Sets the clock anew.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
    }

    /// Follows a live host's two clocks: they drift apart, and stand apart once it has slept.
    pub fn follow(&mut self, engine: u64, wall: SystemTime) {
        self.clock = self.clock.follow(engine, wall);
    }

    /// From now on, tells nothing milder.
    pub fn set_min_severity(&mut self, severity: Severity) {
        self.style.min_severity = severity;
    }

    /// Counts an event that is not to be told.
    pub fn count(&mut self, event: &Event) {
        if let Some(kind) = event.kind() {
            self.tally.add(event.severity(), kind);
        }
    }

    /// Tells an event, or only counts it.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn event(&mut self, event: &Event, place: Place<'_>) -> io::Result<()> {
        let printed = event.severity() >= self.style.min_severity;
        let Some(mut finding) = self.wanted(event, place) else { return Ok(()) };
        let over = self.correlator.close(finding.time);
        let grown = self.correlator.add(&finding);
        over.iter().try_for_each(|incident| self.incident(&incident.closed()))?;
        if !self.sinks.is_empty() {
            finding.incident = self.correlator.incident(&finding);
            self.sinks.iter_mut().for_each(|sink| sink.finding(&finding));
        }
        if printed {
            self.print(&finding)?;
        }
        grown.map_or(Ok(()), |incident| self.incident(&incident))
    }

    /// The finding that an event is, counted, if it is one and fits.
    fn wanted<'a>(&mut self, event: &'a Event, place: Place<'a>) -> Option<Finding<'a>> {
        event.kind()?;
        let finding = Finding::new(event, self.clock, place).named(&self.names);
        if !self.filter.is_empty() && !self.filter.fits(&Traits::of(&finding)) {
            self.unfit[0] += 1;
            return None;
        }
        self.count(event);
        Some(finding)
    }

    /// Tells the record of a flow, where they are told.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn record(&mut self, record: &Record, place: Place<'_>) -> io::Result<()> {
        let told = flow::Told::new(record, place, self.clock).named(&self.names);
        if !self.filter.is_empty() && !self.filter.fits(&Traits::of_record(&told)) {
            self.unfit[1] += u64::from(self.records);
            return Ok(());
        }
        let begun = self.correlator.record(&told);
        self.aggregates.ended(&Ended::of(record, self.clock));
        self.sinks.iter_mut().for_each(|sink| sink.record(&told));
        if self.records {
            self.print_record(&told)?;
        }
        begun.map_or(Ok(()), |incident| self.incident(&incident))
    }

    /// Tells of an incident.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn incident(&mut self, incident: &View) -> io::Result<()> {
        self.sinks.iter_mut().for_each(|sink| sink.incident(incident));
        if self.tells(incident) { self.print_incident(incident) } else { Ok(()) }
    }

    /// Takes in what was read of the table and the counters, see [`Aggregates`]; incidents that are over by then are told.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn read(&mut self, mut reading: Reading) -> io::Result<()> {
        reading.time = self.clock.nanos(reading.time);
        let over = self.correlator.close(reading.time);
        over.iter().try_for_each(|incident| self.incident(&incident.closed()))?;
        let told = self.aggregates.read(reading);
        self.told_together(&told)
    }

    /// Leaves out the aggregates that are `allowed`.
    pub fn with_allowed(mut self, allowed: impl Fn(&aggregate::Incident) -> bool + Send + 'static) -> Self {
        self.allowed = Some(Box::new(allowed));
        self
    }

    fn told_together(&mut self, told: &[aggregate::Incident]) -> io::Result<()> {
        told.iter().try_for_each(|incident| {
            if self.allowed.as_ref().is_some_and(|allowed| allowed(incident)) {
                return Ok(());
            }
            let view = incident.view();
            // Those of findings are made of what fits.
            if !self.filter.is_empty() && !self.filter.fits(&Traits::of_incident(&view)) {
                self.unfit[1] += 1;
                return Ok(());
            }
            self.tally.incident(incident.sign.severity);
            self.incident(&view)
        })
    }

    /// What became of the findings for the packet file, if there is one.
    pub fn written(&self) -> Option<Written> {
        self.packets.as_ref().map(PacketFile::written)
    }

    /// Hands on what is buffered.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Ends the report: the summary goes below the events, or to stderr where a program reads those. `notes` are lines of the
    /// caller's own.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn finish(mut self, cpu: &Cpu, notes: &[String]) -> io::Result<Tally> {
        let over = self.correlator.finish();
        over.iter().try_for_each(|incident| self.incident(&incident.closed()))?;
        let over = self.aggregates.finish();
        self.told_together(&over)?;
        let kept = self.packets.iter().map(PacketFile::account).chain(self.sinks.iter().map(|sink| sink.account()));
        let notes = &notes.iter().cloned().chain(self.left_out()).chain(kept.flatten()).collect::<Vec<_>>();
        if self.style.output.is_for_people() {
            summary::write(&mut self.out, &self.tally, cpu, self.style.analysis, notes)?;
            self.out.flush()?;
        } else {
            self.out.flush()?;
            // Nobody may be listening there.
            let _ = summary::write(&mut io::stderr().lock(), &self.tally, cpu, self.style.analysis, notes);
        }
        Ok(self.tally)
    }

    /// What was not told, and why.
    pub fn left_out(&self) -> impl Iterator<Item = String> {
        let [findings, others] = self.unfit;
        let unfit = (findings + others > 0)
            .then(|| format!("filter: {} and {others} records and aggregates did not fit", count(findings, "finding")));
        let unplaced = self.aggregates.unplaced();
        let unplaced =
            (unplaced > 0).then(|| format!("floods and scans: no room for {}", count(unplaced, "observation")));
        self.repeats.account().into_iter().chain(unfit).chain(unplaced)
    }
}
