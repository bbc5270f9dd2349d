//! What was seen in all, and what of it was not told.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use sensor_common::{
    counters::{Counter, Cpu},
    detect::{Severity, analysis::Rows},
    kind::Kind,
};

/// Frames that were not judged, by reason.
const PARSE: [Counter; 6] = [
    Counter::Truncated,
    Counter::BadIpHeader,
    Counter::BadTcpHeader,
    Counter::Fragments,
    Counter::ExtensionLimit,
    Counter::VlanLimit,
];

/// Flows that were not followed to their end, by reason.
const TABLE: [Counter; 6] = [
    Counter::EvictedClosed,
    Counter::EvictedEmbryonic,
    Counter::EvictedSilent,
    Counter::TableFull,
    Counter::InsertRaces,
    Counter::ServiceOverflow,
];

/// Findings by severity and kind, as they came by, whether or not they were printed; and the worst of many connections together.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<(Severity, Kind), u64>, Option<Severity>);

impl Tally {
    pub(super) fn add(&mut self, severity: Severity, kind: Kind) {
        *self.0.entry((severity, kind)).or_default() += 1;
    }

    pub(super) fn incident(&mut self, severity: Severity) {
        self.1 = self.1.max(Some(severity));
    }

    /// The most severe finding, or aggregate, so far.
    pub fn worst(&self) -> Option<Severity> {
        self.0.last_key_value().map(|((severity, _), _)| *severity).max(self.1)
    }

    /// Findings of one severity.
    pub fn of(&self, severity: Severity) -> u64 {
        self.0.iter().filter(|((s, _), _)| *s == severity).map(|(_, n)| n).sum()
    }
}

/// Writes the summary, with Wireshark's rows where `analysis` is asked for. `notes` are lines of the caller's own.
pub(super) fn write(
    out: &mut impl Write,
    tally: &Tally,
    cpu: &Cpu,
    analysis: bool,
    notes: &[String],
) -> io::Result<()> {
    let get = |counter| cpu.get(counter);
    writeln!(
        out,
        "{}, {}, {} ({} established)",
        count(get(Counter::Packets), "frame"),
        count(get(Counter::Segments), "TCP segment"),
        count(get(Counter::FlowsCreated), "flow"),
        get(Counter::FlowsEstablished)
    )?;
    let total: u64 = tally.0.values().sum();
    write!(out, "{}:", count(total, "finding"))?;
    for severity in Severity::ALL.into_iter().rev() {
        write!(
            out,
            " {} {}{}",
            tally.of(severity),
            severity.name(),
            if severity == Severity::Info { "\n" } else { "," }
        )?;
    }
    for ((severity, kind), n) in tally.0.iter().rev() {
        writeln!(out, "  {n:>8}  {:<6}  {}", severity.name(), kind.id())?;
    }
    named(out, cpu, "not judged", &PARSE)?;
    named(out, cpu, "not followed to the end", &TABLE)?;
    let full = get(Counter::RingFullHigh) + get(Counter::RingFullLow);
    let held = get(Counter::HeldBackFlow) + get(Counter::HeldBackRate);
    let [matched, accounted] = [cpu.matched_total(), cpu.accounted_total()];
    let sign = if matched == accounted { "=" } else { "\u{2260}" };
    let submitted = get(Counter::Submitted);
    writeln!(out, "matched {matched} {sign} submitted {submitted} + ring full {full} + held back {held}")?;
    if analysis {
        writeln!(out, "segments by Wireshark's tcp.analysis:")?;
        for (n, id) in cpu.analysis.iter().zip(Rows::IDS) {
            writeln!(out, "  {n:>8}  {id}")?;
        }
    }
    notes.iter().try_for_each(|note| writeln!(out, "{note}"))
}

/// A number and its noun.
pub(crate) fn count(n: u64, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// The counters that are not zero, by name.
fn named(out: &mut impl Write, cpu: &Cpu, what: &str, counters: &[Counter]) -> io::Result<()> {
    let some: Vec<String> =
        counters.iter().filter(|c| cpu.get(**c) > 0).map(|c| format!("{} {}", cpu.get(*c), c.id())).collect();
    if some.is_empty() { Ok(()) } else { writeln!(out, "{what}: {}", some.join(", ")) }
}
