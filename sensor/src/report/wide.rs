//! One line an event with more columns: where it was made, its numbers, the evidence, the connection's name elsewhere.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use sensor_common::detect::origin;

use super::{Finding, Paint, compact, evidence::ms, flow::Told, json::flags, siem::community_id};

/// Writes a finding's line; `more` goes to its end.
pub(super) fn line(out: &mut impl Write, paint: Paint, finding: &Finding<'_>, more: &str) -> io::Result<()> {
    let columns = columns(finding);
    let more = if more.is_empty() { columns } else { format!("{columns}  {more}") };
    compact::line(out, paint, finding, &more)
}

fn columns(finding: &Finding<'_>) -> String {
    let segment = finding.event.segment;
    let or = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let mut text = format!(
        "flags={} ttl={}/{} hops={}/{} win={} ipid={} seq={} ack={} len={}",
        flags(segment.flags),
        segment.ttl,
        or(finding.own.map(|own| own.ttl.to_string())),
        origin::hops(segment.ttl),
        or(finding.own.map(|own| own.hops.to_string())),
        segment.win,
        segment.ipid,
        segment.seq.0,
        segment.ack.0,
        segment.len,
    );
    let _ = write!(text, " age={} idle={}", span(Some(finding.age)), span(finding.idle));
    for (name, value) in finding.numbers().fields() {
        let _ = write!(text, " {name}={value}");
    }
    let pieces: Vec<_> = finding.event.evidence.pieces().map(|(id, _)| id).collect();
    let _ = write!(text, " score={} evidence={}", finding.score(), or(some(pieces.join(","))));
    let _ =
        write!(text, " flow={:016x} community={}", finding.flow_id(), or(community_id([finding.src(), finding.dst()])));
    text
}

/// What a record's line has more.
pub(super) fn record(told: &Told<'_>) -> String {
    let known = if told.record().client.is_some() { "" } else { " roles=guessed" };
    let id = community_id(told.ends()).unwrap_or_else(|| "-".to_owned());
    format!("completeness={}{known} community={id}", told.record().completeness)
}

fn span(duration: Option<std::time::Duration>) -> String {
    duration.map_or_else(|| "-".to_owned(), |duration| ms(duration).replace(' ', ""))
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
