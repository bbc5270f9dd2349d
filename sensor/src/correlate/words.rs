//! An incident in words.

use std::io::{self, Write};

use super::{Constant, Facts, Pattern, Subject, Topic, View};
use crate::report::{Paint, capital, count, hops, ms, paragraph, rfc3339, shown};

/// Minutes that are told.
const TOLD: usize = 10;

/// Writes the block: what, why, why not, whom, an example, what next.
///
/// # Errors
///
/// What the output says.
pub(crate) fn write(out: &mut impl Write, paint: Paint, incident: &View) -> io::Result<()> {
    line(out, paint, incident.last, incident)?;
    reasons(out, paint, incident)?;
    if !incident.is_aggregate() {
        paragraph(out, paint, "whom", &incident.whom())?;
    }
    list(out, paint, "pods", incident.owners().into_iter())?;
    if let Some(trend) = trend(incident) {
        paragraph(out, paint, "trend", &trend)?;
    }
    list(out, paint, "e.g.", incident.examples.iter().map(|e| format!("{} > {}, {}", e.src, e.dst, e.reference)))?;
    list(out, paint, "next", incident.next.iter().zip(1..).map(|(step, i)| format!("{i}. {step}")))?;
    writeln!(out)
}

/// Writes what a single connection's incident comes to: its findings have said whom it hit, and what to check.
///
/// # Errors
///
/// What the output says.
pub(crate) fn conclude(out: &mut impl Write, paint: Paint, incident: &View) -> io::Result<()> {
    line(out, paint, incident.last, incident)?;
    reasons(out, paint, incident)?;
    writeln!(out)
}

fn reasons(out: &mut impl Write, paint: Paint, incident: &View) -> io::Result<()> {
    for (label, causes) in [("cause", &incident.causes), ("not", &incident.ruled_out)] {
        let texts = causes.iter().map(|cause| match &cause.reasons[..] {
            [] => format!("{}.", capital(&cause.name)),
            reasons => format!("{}: {}.", capital(&cause.name), reasons.join("; ")),
        });
        list(out, paint, label, texts)?;
    }
    list(out, paint, "also", incident.also.iter().cloned())
}

fn list(out: &mut impl Write, paint: Paint, label: &str, texts: impl Iterator<Item = String>) -> io::Result<()> {
    texts.enumerate().try_for_each(|(i, text)| paragraph(out, paint, if i == 0 { label } else { "" }, &shown(&text)))
}

/// A line of the report; `time` in nanoseconds since the epoch.
///
/// # Errors
///
/// What the output says.
pub(crate) fn line(out: &mut impl Write, paint: Paint, time: u64, incident: &View) -> io::Result<()> {
    let View { severity, what, id, .. } = incident;
    let label = format!("{:<6} {:<19}", severity.name().to_uppercase(), "incident");
    // Whoever relays it may have got it from anybody.
    let (what, id) = (shown(what), shown(id));
    writeln!(out, "{} {} {what}  {}", paint.dim(rfc3339(time)), paint.severity(*severity, label), paint.dim(id))
}

/// Where it is heading, where that can be said.
fn trend(incident: &View) -> Option<String> {
    let heading = incident.heading?;
    let counts: Vec<_> = incident.per_minute.iter().rev().take(TOLD).rev().map(u32::to_string).collect();
    Some(format!("{}: {} findings a minute.", capital(heading.id()), counts.join(", ")))
}

/// What is going on, in a few words.
pub fn headline(subject: &Subject, facts: &Facts) -> String {
    let more = if facts.more() { "at least " } else { "" };
    let flows = format!("{more}{}", count(facts.flows(), "connection"));
    let span = if facts.lasted().is_zero() { String::new() } else { format!(" within {}", ms(facts.lasted())) };
    match subject {
        Subject::Device(device) => {
            let does = if facts.resets == facts.findings { "reset" } else { "interfered with" };
            let way = if device.hook.outgoing { " on the way out" } else { "" };
            let Some(far) = device.hops else {
                return format!("a device{way} that makes up its TTL{} {does} {flows}{span}", habits(facts, ", "));
            };
            let habits = habits(facts, "; ");
            format!(
                "a device{way} {} from here (initial TTL {}{habits}) {does} {flows}{span}",
                hops(far),
                device.initial_ttl
            )
        }
        Subject::Service(server, Topic::Pattern(Pattern::FixedIdleClose)) if let Some(timer) = facts.timer => {
            let who = if timer.client { "clients close" } else { "server closes" };
            format!("{server}: the {who} after {} of silence ({flows}{span})", ms(timer.idle))
        }
        Subject::Service(server, topic) => format!("{server}: {} ({flows}{span})", topic.name()),
    }
}

/// What the device's packets have in common beside their distance.
fn habits(facts: &Facts, before: &str) -> String {
    let always = |what: &str, value: Constant<u16>| match value {
        Constant::One(value) if facts.findings > 1 => format!("{before}{what} always {value}"),
        _ => String::new(),
    };
    always("window", facts.window) + &always("IP-ID", facts.ipid)
}
