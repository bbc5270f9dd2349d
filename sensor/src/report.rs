//! Reports: from events to what a person or a program reads.
//!
//! A person gets one line an event and, below a finding that matters, an explanation: once for each connection, and again only
//! when it gets worse. A program gets one JSON object an event, see [`Output::Json`].

use std::{
    io::{self, Write},
    time::SystemTime,
};

use sensor_common::{
    counters::Cpu,
    detect::{Confidence, Severity},
    event::Event,
    record::Record,
};

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
mod paint;
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
        self, Correlator, State, View,
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
            self.finding(&finding)?;
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

    /// Prints a finding.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub(crate) fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        if let Some(packets) = &mut self.packets {
            packets.finding(finding);
        }
        let like_it = if self.style.dedup { self.repeats.tell(finding) } else { Some(0) };
        let Some(like_it) = like_it else { return Ok(()) };
        let more = if like_it == 0 { String::new() } else { format!("({like_it} more like it not told)") };
        let paint = self.paint();
        match self.style.output {
            Output::Compact => self.compact(finding, more),
            Output::Wide => wide::line(&mut self.out, paint, finding, &more),
            Output::Json => json::line(&mut self.out, finding),
            Output::Eve => eve::finding(&mut self.out, finding),
            Output::Ecs => ecs::finding(&mut self.out, finding),
        }
    }

    /// Tells what another report has found, correlated and handed on.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn relay(&mut self, event: &Event, place: Place<'_>) -> io::Result<()> {
        match self.wanted(event, place) {
            Some(finding) if finding.severity >= self.style.min_severity => self.finding(&finding),
            _ => Ok(()),
        }
    }

    /// What is milder is not told.
    pub fn least(&self) -> Severity {
        self.style.min_severity
    }

    /// Whether an incident is told: of one connection's all has been said, but for what it comes to at its end.
    pub fn tells(&self, incident: &View) -> bool {
        incident.severity >= self.style.min_severity && (incident.connections != 1 || incident.concludes())
    }

    /// Tells of an incident. A line for a person as long as it grows; where it is one connection's, the conclusion at its end.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn incident(&mut self, incident: &View) -> io::Result<()> {
        self.sinks.iter_mut().for_each(|sink| sink.incident(incident));
        let alone = incident.connections == 1;
        if !self.tells(incident) {
            return Ok(());
        }
        let paint = self.paint();
        match (self.style.output, incident.state) {
            (Output::Json, _) => json::object_line(&mut self.out, incident),
            (Output::Eve, _) => eve::incident(&mut self.out, incident),
            (Output::Ecs, _) => ecs::incident(&mut self.out, incident),
            (Output::Compact, State::Closed) if alone => correlate::conclude(&mut self.out, paint, incident),
            (Output::Compact, State::Closed) => correlate::write(&mut self.out, paint, incident),
            (Output::Compact | Output::Wide, state)
                if state != State::Closed && incident.connections < 10 && !incident.is_aggregate() =>
            {
                Ok(())
            }
            (Output::Compact | Output::Wide, _) => correlate::line(&mut self.out, paint, incident.last, incident),
        }
    }

    const fn paint(&self) -> Paint {
        Paint { on: self.style.color }
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
        match self.style.output {
            _ if !self.records => {}
            Output::Compact => told.line(&mut self.out)?,
            Output::Wide => told.line_with(&mut self.out, &wide::record(&told))?,
            Output::Json => told.json(&mut self.out)?,
            Output::Eve => eve::record(&mut self.out, &told)?,
            Output::Ecs => ecs::record(&mut self.out, &told)?,
        }
        begun.map_or(Ok(()), |incident| self.incident(&incident))
    }

    /// Takes in what was read of the table and the counters: see [`Aggregates`].
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn read(&mut self, mut reading: Reading) -> io::Result<()> {
        reading.time = self.clock.nanos(reading.time);
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

    fn compact(&mut self, finding: &Finding<'_>, more: String) -> io::Result<()> {
        let paint = self.paint();
        let with = |text: String| if more.is_empty() { text } else { format!("{text}  {more}") };
        let out = &mut self.out;
        let Some(told) = self.memory.told(finding) else {
            compact::line(out, paint, finding, &more)?;
            if finding.matters() {
                self.memory.tell(finding);
                explain::block(out, paint, finding)?;
            }
            return Ok(());
        };
        if finding.confirms() && finding.kind != told.kind {
            let sure = if finding.confidence == Confidence::Proven { "proven" } else { "confirmed" };
            let upgraded = format!("upgraded to {sure}: {} of {}", told.kind.id(), told.reference);
            return compact::line(out, paint, finding, &with(upgraded));
        }
        if finding.matters() && finding.severity > told.severity {
            compact::line(out, paint, finding, &with(format!("worse than {}", told.reference)))?;
            self.memory.tell(finding);
            return explain::block(out, paint, finding);
        }
        compact::line(out, paint, finding, &with(format!("see {}", told.reference)))
    }
}
