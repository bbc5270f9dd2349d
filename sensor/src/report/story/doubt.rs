//! What a live connection must doubt, and how its hosts say so.

use sensor_common::{detect::doubt::Provoked, kind::Kind};

use super::{Story, after};
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let (src, dst, kind) = (finding.src(), finding.dst(), finding.kind);
    let [first, second] = finding.event.detail;
    Some(match kind {
        Kind::ChallengeAck => {
            Story::of(kind, format!("challenge ACK {} after {}", after(first), provoked(second))).what(format!(
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
                 no longer agree on where the stream stands, and nothing else gets through."
            ))
            .not("A loss: no data are on their way.")
            .not("Keep-alives or window probes: those lie one byte back."),
        Kind::Rfc5961AckRange => Story::of(
            kind,
            format!("acknowledges {} off its sender's last, who goes on as before", bytes(first.cast_signed())),
        )
        .what(format!(
            "A segment in the name of {src} acknowledged {} than {src} had acknowledged, more than a window away, and its \
             next segment took that back. Somebody who does not know the connection's numbers made it; {dst} should have \
             thrown it away.",
            if first.cast_signed() > 0 {
                format!("{} more", bytes(first.cast_signed()))
            } else {
                format!("{} less", bytes(first.cast_signed()))
            }
        ))
        .not("Segments that the sensor missed: the next one would agree with it."),
        _ => return None,
    })
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
