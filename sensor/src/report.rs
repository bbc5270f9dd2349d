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
mod evidence;
mod explain;
mod finding;
pub mod flow;
pub(crate) mod json;
mod memory;
mod paint;
mod sink;
mod story;
mod summary;
#[cfg(test)]
mod tests;
mod timeouts;
mod wall;
mod wrap;
mod write;

pub use cast::Cast;
pub use finding::{Distance, Finding, Mark, Row};
pub use sink::Sink;
pub use summary::Tally;
pub use wall::{WallClock, rfc3339};
pub use write::{PacketFile, Written};

pub(crate) use cast::address;
pub(crate) use evidence::{hops, ms};
pub(crate) use explain::{WIDTH, capital, paragraph};
pub(crate) use json::SCHEMA;
pub(crate) use paint::Paint;
pub(crate) use summary::count;
pub(crate) use wrap::wrapped;

use crate::{
    correlate::{
        self, Correlator, State, View,
        aggregate::{self, Aggregates, Ended, Reading},
    },
    enrich::Directory,
};
use memory::Memory;

/// In which form events are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// One line an event, an explanation where it matters, a summary at the end.
    Compact,
    /// One JSON object an event; the summary goes to stderr.
    Json,
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
}

/// Where an event was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place<'a> {
    /// The interface's name.
    pub interface: Option<&'a str>,
    /// The frame's number in a capture.
    pub frame: Option<u64>,
}

/// Tells events, one after the other.
pub struct Reporter<W> {
    out: W,
    style: Style,
    clock: WallClock,
    memory: Memory,
    correlator: Correlator,
    aggregates: Aggregates,
    tally: Tally,
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
            tally: Tally::default(),
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
        let Some(kind) = event.kind() else { return Ok(()) };
        self.tally.add(event.severity(), kind);
        let printed = event.severity() >= self.style.min_severity;
        if !printed && event.severity() < correlate::LEAST && self.sinks.is_empty() {
            return Ok(());
        }
        let mut finding = Finding::new(event, self.clock, place).named(&self.names);
        let over = self.correlator.close(finding.time);
        let grown = self.correlator.add(&finding);
        over.iter().try_for_each(|incident| self.incident(&incident.closed()))?;
        if !self.sinks.is_empty() {
            finding.incident = self.correlator.incident(&finding);
            self.sinks.iter_mut().for_each(|sink| sink.finding(&finding));
        }
        if printed {
            if let Some(packets) = &mut self.packets {
                packets.finding(&finding);
            }
            self.finding(&finding)?;
        }
        grown.map_or(Ok(()), |incident| self.incident(&incident))
    }

    /// Prints a finding.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub(crate) fn finding(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        match self.style.output {
            Output::Json => json::line(&mut self.out, finding),
            Output::Compact => self.compact(finding),
        }
    }

    /// Tells of an incident where it is more than one connection's: of that one all has been said. A line for a person as long
    /// as it grows.
    fn incident(&mut self, incident: &View) -> io::Result<()> {
        self.sinks.iter_mut().for_each(|sink| sink.incident(incident));
        if incident.connections == 1 || incident.severity < self.style.min_severity {
            return Ok(());
        }
        let paint = self.paint();
        match (self.style.output, incident.state) {
            (Output::Json, _) => json::object_line(&mut self.out, incident),
            (Output::Compact, State::Closed) => correlate::write(&mut self.out, paint, incident),
            (Output::Compact, _) if incident.connections < 10 && !incident.is_aggregate() => Ok(()),
            (Output::Compact, _) => correlate::line(&mut self.out, paint, incident.last, incident),
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
        self.aggregates.ended(&Ended::of(record, self.clock));
        self.sinks.iter_mut().for_each(|sink| sink.record(&told));
        if !self.records {
            return Ok(());
        }
        match self.style.output {
            Output::Json => told.json(&mut self.out),
            Output::Compact => told.line(&mut self.out),
        }
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

    fn told_together(&mut self, told: &[aggregate::Incident]) -> io::Result<()> {
        told.iter().try_for_each(|incident| {
            self.tally.incident(incident.sign.severity);
            self.incident(&incident.view())
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
        let notes = &notes.iter().cloned().chain(kept.flatten()).collect::<Vec<_>>();
        match self.style.output {
            Output::Json => {
                self.out.flush()?;
                // Nobody may be listening there.
                let _ = summary::write(&mut io::stderr().lock(), &self.tally, cpu, self.style.analysis, notes);
            }
            Output::Compact => {
                summary::write(&mut self.out, &self.tally, cpu, self.style.analysis, notes)?;
                self.out.flush()?;
            }
        }
        Ok(self.tally)
    }

    fn compact(&mut self, finding: &Finding<'_>) -> io::Result<()> {
        let paint = self.paint();
        let out = &mut self.out;
        let Some(told) = self.memory.told(finding) else {
            compact::line(out, paint, finding, "")?;
            if finding.matters() {
                self.memory.tell(finding);
                explain::block(out, paint, finding)?;
            }
            return Ok(());
        };
        if finding.confirms() && finding.kind != told.kind {
            let sure = if finding.confidence == Confidence::Proven { "proven" } else { "confirmed" };
            let more = format!("upgraded to {sure}: {} of {}", told.kind.id(), told.reference);
            return compact::line(out, paint, finding, &more);
        }
        if finding.matters() && finding.severity > told.severity {
            compact::line(out, paint, finding, &format!("worse than {}", told.reference))?;
            self.memory.tell(finding);
            return explain::block(out, paint, finding);
        }
        compact::line(out, paint, finding, &format!("see {}", told.reference))
    }
}
