//! The recorder as a table: the conversation that led to the finding.

use std::io::{self, Write};

use sensor_common::flow::Bits;

use super::LABEL;
use crate::report::{
    Finding, Mark,
    finding::Row,
    json::{flags, offset_us},
    paint::Paint,
};

/// Writes the table; times count from the segment that the finding is about, numbers from the first of each side. `this` is what to
/// call that segment: not all of them are suspects.
pub(super) fn write(out: &mut impl Write, paint: Paint, finding: &Finding<'_>, this: &str) -> io::Result<()> {
    let heading = format!(
        "{:>12}  {:<17} {:<12} {:>3} {:>5} {:>10} {:>10} {:>5} {:>5}",
        "ms", "from", "flags", "TTL", "win", "seq", "ack", "len", "IP-ID"
    );
    writeln!(out, "  {}{}", paint.bold(format_args!("{:<LABEL$}", "segments").to_string()), paint.dim(heading))?;
    for row in &finding.rows {
        let text = line(finding, row);
        match row.mark {
            Mark::Plain => writeln!(out, "  {:LABEL$}{}", "", text.trim_end())?,
            Mark::Trigger => {
                writeln!(out, "  {:LABEL$}{text}  {}", "", paint.dim(format_args!("< answered by {this}")))?
            }
            Mark::Suspect => {
                writeln!(out, "  {:LABEL$}{}", "", paint.severity(finding.severity, text + "  < " + this))?
            }
            Mark::Proof => writeln!(out, "  {:LABEL$}{}", "", paint.bold(text + "  < contradicts it"))?,
        }
    }
    Ok(())
}

fn line(finding: &Finding<'_>, row: &Row) -> String {
    let Finding { cast, suspect, event, .. } = finding;
    let segment = &row.segment;
    let (own, other) = (&event.flow.ends[row.side as usize], &event.flow.ends[row.side.other() as usize]);
    let base = |end: &sensor_common::flow::End| if end.flags.0 != 0 || end.bits.any(Bits::ISN) { end.isn.0 } else { 0 };
    let ack = if segment.ack.0 == 0 { "-".to_owned() } else { relative(segment.ack.0, base(other)) };
    let arrow = format!("{} > {}", cast.label(row.side), cast.label(row.side.other()));
    // Refusals carry no number of their own.
    let seq = if segment.seq.0 == 0 { "-".to_owned() } else { relative(segment.seq.0, base(own)) };
    let ms = offset_us(segment, suspect) as f64 / 1e3;
    let ms = if finding.steady { format!("{ms:.3}") } else { "?".to_owned() };
    format!(
        "{ms:>12}  {arrow:<17} {:<12} {:>3} {:>5} {seq:>10} {ack:>10} {:>5} {:>5}",
        flags(segment.flags),
        segment.ttl,
        segment.win,
        segment.len,
        segment.ipid
    )
}

/// A number as its distance from the side's first; slightly before it, negative.
fn relative(number: u32, base: u32) -> String {
    let distance = number.wrapping_sub(base);
    let before = base.wrapping_sub(number);
    if before < 1 << 20 && before != 0 { format!("-{before}") } else { distance.to_string() }
}
