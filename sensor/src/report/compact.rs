//! One line an event.

use std::io::{self, Write};

use sensor_common::detect::{Confidence, Severity};

use super::{Finding, paint::Paint, rfc3339, shown, story};

/// Writes the line: time, severity, kind, who to whom, decisive evidence, confidence, frame; `more` goes to its end.
pub(super) fn line(out: &mut impl Write, paint: Paint, finding: &Finding<'_>, more: &str) -> io::Result<()> {
    let Finding { severity, confidence, event, place, .. } = finding;
    let name = format_args!("{:<6} {:<19}", severity.name().to_uppercase(), finding.kind.id()).to_string();
    write!(out, "{} {}", paint.dim(rfc3339(finding.time)), paint.severity(*severity, name))?;
    let (words, accuses) = story::line(finding);
    let [from, to] = finding.who.words();
    write!(out, " {}{from} > {}{to}  {words}", finding.src(), finding.dst())?;
    if accuses && *confidence > Confidence::None && *severity > Severity::Info {
        write!(out, "  {}", confidence.name())?;
    }
    if let Some(said) = place.word {
        write!(out, "  {}", said.brief())?;
    }
    if let Some(interface) = place.interface {
        write!(out, "  {}", shown(interface))?;
    }
    if let Some(frame) = place.frame {
        write!(out, "  #{frame}")?;
    }
    if event.held_back > 0 {
        write!(out, "  ({} more of this connection held back)", event.held_back)?;
    }
    if !more.is_empty() {
        write!(out, "  {}", paint.dim(more))?;
    }
    writeln!(out)
}
