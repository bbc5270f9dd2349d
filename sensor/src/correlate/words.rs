//! An incident in words.

use std::io::{self, Write};

use sensor_common::detect::Severity;

use super::{Constant, Facts, Incident, Subject, causes::weigh};
use crate::report::{Paint, capital, count, hops, ms, paragraph, rfc3339};

/// Writes the block: what, why, why not, whom, an example.
///
/// # Errors
///
/// What the output says.
pub(crate) fn write(out: &mut impl Write, paint: Paint, incident: &Incident) -> io::Result<()> {
    let Incident { subject, facts } = incident;
    line(out, paint, facts.last, facts.worst, &headline(subject, facts))?;
    let (likely, not): (Vec<_>, Vec<_>) = weigh(subject, facts).into_iter().partition(|weighed| weighed.points > 0);
    for (label, causes) in [("cause", likely), ("not", not)] {
        for (i, weighed) in causes.iter().enumerate() {
            let text = format!("{}: {}.", capital(weighed.cause.name()), weighed.reasons.join("; "));
            paragraph(out, paint, if i == 0 { label } else { "" }, &text)?;
        }
    }
    paragraph(out, paint, "whom", &whom(facts))?;
    for (i, example) in facts.examples.iter().enumerate() {
        let text = format!("{} > {}, {}", example.src, example.dst, example.reference);
        paragraph(out, paint, if i == 0 { "e.g." } else { "" }, &text)?;
    }
    writeln!(out)
}

/// A line of the report: `text` is [`headline`]'s, `time` in nanoseconds since the epoch.
///
/// # Errors
///
/// What the output says.
pub(crate) fn line(out: &mut impl Write, paint: Paint, time: u64, severity: Severity, text: &str) -> io::Result<()> {
    let label = format!("{:<6} {:<19}", severity.name().to_uppercase(), "incident");
    writeln!(out, "{} {} {text}", paint.dim(rfc3339(time)), paint.severity(severity, label))
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

/// Which services, with what share of their connections, and how many peers.
fn whom(facts: &Facts) -> String {
    let mut services: Vec<_> = facts
        .services
        .iter()
        .map(|(server, counts)| match counts.established {
            0 => server.to_string(),
            all => format!("{server} ({} of {all} connections)", counts.flagged.max(1).min(all)),
        })
        .collect();
    let named = services.len();
    services.truncate(SHOWN);
    let others = if named > SHOWN { format!(" and {} more", named - SHOWN) } else { String::new() };
    format!("{}{others}; {}.", services.join(", "), count(facts.peers.len() as u64, "peer"))
}

/// Services that are named.
const SHOWN: usize = 4;
