//! Reports: from events to what a person or a program reads.
//!
//! A person gets one line an event and, below a finding that matters, an explanation: once for each connection, and again only
//! when it gets worse. A program gets one JSON object an event, see [`Output::Json`].

use std::io::{self, Write};

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
pub use summary::Tally;
pub use wall::{WallClock, rfc3339};
pub use write::{PacketFile, Written};

pub(crate) use evidence::{hops, ms};
pub(crate) use explain::{WIDTH, capital, paragraph};
pub(crate) use paint::Paint;
pub(crate) use summary::count;
pub(crate) use wrap::wrapped;

use crate::{
    correlate::{self, Correlator, Incident},
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
#[derive(Debug)]
pub struct Reporter<W> {
    out: W,
    style: Style,
    clock: WallClock,
    memory: Memory,
    correlator: Correlator,
    tally: Tally,
    packets: Option<PacketFile>,
    names: Directory,
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
            tally: Tally::default(),
            packets: None,
            names: Directory::default(),
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

    /// Sets the clock anew: a live host's two clocks drift apart, and the wall's is set now and then.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.clock = clock;
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
        if !printed && event.severity() < correlate::LEAST {
            return Ok(());
        }
        let finding = Finding::new(event, self.clock, place).named(&self.names);
        let over = self.correlator.close(finding.time);
        let grown = self.correlator.add(&finding);
        self.incidents(over)?;
        if !printed {
            return Ok(());
        }
        if let Some(packets) = &mut self.packets {
            packets.finding(&finding);
        }
        match self.style.output {
            Output::Json => json::line(&mut self.out, &finding),
            Output::Compact => {
                self.compact(&finding)?;
                let (paint, time) = (self.paint(), finding.time);
                grown.map_or(Ok(()), |text| correlate::line(&mut self.out, paint, time, finding.severity, &text))
            }
        }
    }

    /// Tells of incidents that are over, where they are more than one connection's: of that one all has been said.
    fn incidents(&mut self, over: Vec<Incident>) -> io::Result<()> {
        let paint = self.paint();
        let several = |incident: &&Incident| incident.facts.flows() > 1;
        let told = |incident: &&Incident| incident.facts.worst >= self.style.min_severity;
        match self.style.output {
            Output::Json => Ok(()),
            Output::Compact => {
                over.iter().filter(several).filter(told).try_for_each(|i| correlate::write(&mut self.out, paint, i))
            }
        }
    }

    const fn paint(&self) -> Paint {
        Paint { on: self.style.color }
    }

    /// Tells the record of a flow.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn record(&mut self, record: &Record, place: Place<'_>) -> io::Result<()> {
        let told = flow::Told::new(record, place, self.clock).named(&self.names);
        match self.style.output {
            Output::Json => told.json(&mut self.out),
            Output::Compact => told.line(&mut self.out),
        }
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
        self.incidents(over)?;
        let notes = &[notes, &self.packets.as_ref().map(PacketFile::account).unwrap_or_default()].concat();
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
