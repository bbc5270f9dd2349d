//! What a live connection must doubt, and how its hosts say so.

use sensor_common::{detect::doubt::Provoked, flow::Segment, kind::Kind};

use super::{Story, after};
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let (src, dst, kind) = (finding.src(), finding.dst(), finding.kind);
    let [first, second] = finding.event.detail;
    Some(match kind {
        Kind::ChallengeAck => {
            let delay = if first == 0 { "at once".to_owned() } else { format!("{} later", after(first)) };
            Story::of(kind, format!("answers {} by a challenge ACK {delay}", provoked(second))).what(format!(
                "{src} answered {} by a challenge ACK: it repeats its numbers and changes nothing. If {dst} has no such \
                 connection, it resets it by these numbers; if it has, somebody else made that segment, or it came late.",
                provoked(second)
            ))
        }
        Kind::ChallengeAckStorm => {
            Story::of(kind, format!("11 challenge ACKs within {}, the last after {}", after(first), provoked(second)))
                .what(format!(
                    "{src} has sent 11 challenge ACKs within {}: what provokes them, in the name of {dst}, keeps coming. A \
                     careful host sends no more than ten in 5 s.",
                    after(first)
                ))
                .not("A loss: duplicate ACKs answer data, and these answer what is not acceptable.")
        }
        Kind::AckLoop => Story::of(kind, format!("{first} ACKs in turn, always the same: both sides insist"))
            .what(format!(
                "{src} and {dst} answer each other's ACKs, always by the same ones, {first} in a row and each at once. They \
                 no longer agree on where the stream stands, and nothing else gets through.{}",
                disagreement(finding)
            ))
            .not("A loss: no data are on their way.")
            .not("Keep-alives or window probes: those lie one byte back."),
        Kind::Rfc5961AckRange => {
            let off = first.cast_signed();
            let than = if off > 0 { "more" } else { "less" };
            Story::of(kind, format!("acknowledges {} {than} than its sender, who goes on as before", bytes(off)))
                .what(format!(
                    "A segment in the name of {src} acknowledged {} {than} than {src} had, far more than a window, and its next \
                     segment took that back.{} Somebody who does not know the connection's numbers made it; {dst} should \
                     have thrown it away.",
                    bytes(off),
                    if never_sent(finding) { " This host has never sent so much." } else { "" }
                ))
                .not("Segments that the sensor missed: the next one would agree with it.")
        }
        _ => return None,
    })
}

/// By how much one side is ahead of what the other says it has sent, where the two say so.
fn disagreement(finding: &Finding<'_>) -> String {
    let (one, other) = (finding.event.segment, finding.rows.iter().rev().find(|row| row.side != finding.side));
    let Some(other) = other.map(|row| row.segment) else { return String::new() };
    let ahead = |by: &Segment, of: &Segment| by.ack.since(of.seq);
    let (src, dst) = (finding.src(), finding.dst());
    let told = |who, whose, off| {
        format!(" {who} acknowledges {} more than {whose} has sent: somebody else sent those in its name.", bytes(off))
    };
    if ahead(&other, &one) > 0 {
        told(dst, src, ahead(&other, &one))
    } else if ahead(&one, &other) > 0 {
        told(src, dst, ahead(&one, &other))
    } else {
        String::new()
    }
}

/// Whether a segment acknowledges what this host, whose every segment is seen, has not sent.
fn never_sent(finding: &Finding<'_>) -> bool {
    let (event, other) = (finding.event, finding.side.other());
    let here = event.flow.head.local() == Some(other);
    here && event.segment.ack.after(event.flow.ends[other as usize].nxt)
}

/// What a challenge answers.
fn provoked(cause: u32) -> &'static str {
    match cause {
        n if n == Provoked::BySyn as u32 => "a SYN on the live connection",
        n if n == Provoked::ByReset as u32 => "a reset that is not exact",
        _ => "an acknowledgment out of range",
    }
}

fn bytes(off: i32) -> String {
    format!("{} bytes", off.unsigned_abs())
}
