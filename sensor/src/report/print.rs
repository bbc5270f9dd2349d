//! Puts what is told into the form that was asked for.

use std::io::{self, Write};

use sensor_common::{
    detect::{Confidence, Severity},
    event::Event,
    record::Record,
};

use super::{Finding, Output, Paint, Place, Reporter, compact, ecs, eve, explain, flow, json, wide};
use crate::{
    correlate::{self, State, View},
    enrich::Ends,
};

impl<W: Write> Reporter<W> {
    /// Prints a finding.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub(crate) fn print(&mut self, finding: &Finding<'_>) -> io::Result<()> {
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

    /// Tells a finding that another report has correlated and handed on, with the names of its ends.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn relay(&mut self, event: &Event, place: Place<'_>, who: Ends) -> io::Result<()> {
        match self.wanted(event, place).map(|finding| finding.of(who)) {
            Some(finding) if finding.severity >= self.style.min_severity => self.print(&finding),
            _ => Ok(()),
        }
    }

    /// The same of a record.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn relay_record(&mut self, record: &Record, place: Place<'_>, who: Ends) -> io::Result<()> {
        let told = flow::Told::new(record, place, self.clock).of(who);
        self.print_record(&told)
    }

    /// What is milder is not told.
    pub fn least(&self) -> Severity {
        self.style.min_severity
    }

    /// Whether an incident is told: of one connection's all has been said, but for what it comes to at its end.
    pub fn tells(&self, incident: &View) -> bool {
        incident.severity >= self.style.min_severity && (incident.connections != 1 || incident.concludes())
    }

    /// Prints an incident: a line for a person as long as it grows; where it is one connection's, the conclusion at its end.
    pub(super) fn print_incident(&mut self, incident: &View) -> io::Result<()> {
        let alone = incident.connections == 1;
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

    /// Prints the record of a flow.
    pub(super) fn print_record(&mut self, told: &flow::Told<'_>) -> io::Result<()> {
        match self.style.output {
            Output::Compact => told.line(&mut self.out),
            Output::Wide => told.line_with(&mut self.out, &wide::record(told)),
            Output::Json => told.json(&mut self.out),
            Output::Eve => eve::record(&mut self.out, told),
            Output::Ecs => ecs::record(&mut self.out, told),
        }
    }

    const fn paint(&self) -> Paint {
        Paint { on: self.style.color }
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
