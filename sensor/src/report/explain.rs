//! The block below a finding that matters: what happened, who did it, how sure that is, what it is not, what to do.

use std::io::{self, Write};

use sensor_common::detect::{Confidence, Evidence};

use super::{
    Finding, evidence,
    paint::Paint,
    story::{self, Story},
    wrap::wrapped,
};

pub(crate) use what::capital;

pub(super) mod cut;
mod next;
mod not;
mod table;
mod what;
mod who;

/// Columns of a line, and of the labels before it.
pub(crate) const WIDTH: usize = 112;
const LABEL: usize = 10;

/// Writes the block.
pub(super) fn block(out: &mut impl Write, paint: Paint, finding: &Finding<'_>) -> io::Result<()> {
    if let Some(story) = story::of(finding) {
        return tell(out, paint, finding, &story);
    }
    paragraph(out, paint, "what", &what::happened(finding))?;
    kernel(out, paint, finding)?;
    paragraph(out, paint, "who", &who::made_it(finding))?;
    if let Some(far) = who::how_far(finding) {
        paragraph(out, paint, "how far", &far)?;
    }
    weights(out, paint, finding)?;
    for (i, negative) in not::ruled_out(finding).iter().enumerate() {
        paragraph(out, paint, if i == 0 { "not" } else { "" }, negative)?;
    }
    if let Some(service) = who::service(finding) {
        paragraph(out, paint, "service", &service)?;
    }
    numbers(out, paint, finding)?;
    table::write(out, paint, finding, "the suspect")?;
    steps(out, paint, &next::steps(finding))
}

/// The block of a finding that accuses nobody.
fn tell(out: &mut impl Write, paint: Paint, finding: &Finding<'_>, story: &Story) -> io::Result<()> {
    paragraph(out, paint, "what", &story.what)?;
    kernel(out, paint, finding)?;
    let idle = not::idle_timeout(finding);
    for (i, negative) in idle.iter().chain(&story.not).enumerate() {
        paragraph(out, paint, if i == 0 { "not" } else { "" }, negative)?;
    }
    if let Some(service) = who::service(finding) {
        paragraph(out, paint, "service", &service)?;
    }
    numbers(out, paint, finding)?;
    table::write(out, paint, finding, "this one")?;
    steps(out, paint, &story.next)
}

/// What the kernel says of a reset that left.
fn kernel(out: &mut impl Write, paint: Paint, finding: &Finding<'_>) -> io::Result<()> {
    let said = finding.place.word.map(|word| format!("The reset was sent {}.", word.brief()));
    said.map_or(Ok(()), |said| paragraph(out, paint, "kernel", &said))
}

fn steps(out: &mut impl Write, paint: Paint, steps: &[String]) -> io::Result<()> {
    for (i, step) in steps.iter().enumerate() {
        paragraph(out, paint, if i == 0 { "next" } else { "" }, &format!("{}. {step}", i + 1))?;
    }
    writeln!(out)
}

/// What to check next, whoever is accused.
pub(super) fn next(finding: &Finding<'_>) -> Vec<String> {
    story::of(finding).map_or_else(|| next::steps(finding), |story| story.next)
}

/// The numbers beside a finding, named as in its JSON line.
fn numbers(out: &mut impl Write, paint: Paint, finding: &Finding<'_>) -> io::Result<()> {
    let all: Vec<String> = finding.numbers().fields().map(|(name, value)| format!("{name} {value}")).collect();
    if all.is_empty() { Ok(()) } else { paragraph(out, paint, "numbers", &all.join(", ")) }
}

/// The evidence with its weights, what speaks against included, and their sum.
fn weights(out: &mut impl Write, paint: Paint, finding: &Finding<'_>) -> io::Result<()> {
    let mut label = "evidence";
    for (bit, id, half_points) in Evidence::ALL.iter().filter(|(bit, ..)| finding.has(*bit)) {
        let text = format!("{:<5}{id}: {}", points(i32::from(*half_points)), evidence::long(finding, *bit));
        paragraph(out, paint, label, &text)?;
        label = "";
    }
    let earlier = i32::from(finding.event.score) - i32::from(finding.event.evidence.score());
    if earlier != 0 {
        let text = format!("{:<5}what already spoke against the reset itself", points(earlier));
        paragraph(out, paint, label, &text)?;
    }
    let name = finding.cast.name(finding.side);
    let verdict = match finding.confidence {
        Confidence::Proven => format!("proven: {name} did not send it"),
        Confidence::Likely => format!("{name} likely did not send it"),
        Confidence::Possible | Confidence::None => format!("{name} possibly did not send it"),
    };
    let sum = format!("= {} points: {}; {verdict}", finding.score(), finding.severity.name());
    paragraph(out, paint, "", &sum)
}

/// Half points as points, with their sign.
fn points(half_points: i32) -> String {
    format!("{:+}", f64::from(half_points) / 2.0)
}

/// A labelled paragraph, wrapped at spaces.
pub(crate) fn paragraph(out: &mut impl Write, paint: Paint, label: &str, text: &str) -> io::Result<()> {
    write!(out, "  {}", paint.bold(format_args!("{label:<LABEL$}").to_string()))?;
    wrapped(out, text, LABEL + 2, WIDTH)
}
