//! ECN as a cause, and why it is none.

use sensor_common::{detect::ecn, kind::Kind};

use super::{Story, after};
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let [first, tally] = finding.event.detail;
    let line = match finding.kind {
        Kind::EcnNotTheCause => format!("{} worked: ECN is not the cause", handshakes(tally)),
        Kind::EcnSynRst => {
            format!("SYN with ECN reset, without it answered {} later; {} worked", after(first), handshakes(tally))
        }
        Kind::EcnReflect => "SYN-ACK repeats both ECN bits of the SYN: copied, or an AccECN answer".to_owned(),
        Kind::EcnBadSynAck => "SYN-ACK grants ECN, which the SYN did not ask for".to_owned(),
        _ => return None,
    };
    Some(Story::of(finding.kind, line))
}

/// The tally of a service's other handshakes with ECN: how many worked, of how many.
fn unpack(tally: u32) -> (u32, u32) {
    (tally >> 16, tally & 0xffff)
}

/// "5 of 6 other ECN handshakes to this service".
pub(super) fn handshakes(tally: u32) -> String {
    let (worked, all) = unpack(tally);
    format!("{worked} of {all} other ECN handshakes to this service")
}

/// Whether the service's other handshakes clear ECN.
pub(super) fn cleared(tally: u32) -> bool {
    let (worked, all) = unpack(tally);
    ecn::nearly_all(worked.into(), all.into())
}

/// For a line that is about something else.
pub(super) fn briefly(tally: u32) -> String {
    let (worked, all) = unpack(tally);
    if cleared(tally) { format!(", ECN not the cause ({worked} of {all} worked)") } else { String::new() }
}

/// A sentence for a handshake that failed; none if it did not ask for ECN, or there are no others.
pub(super) fn verdict(tally: u32) -> String {
    match unpack(tally) {
        (_, 0) => String::new(),
        _ if cleared(tally) => format!(" ECN is not the cause: {} worked.", handshakes(tally)),
        _ => format!(" The SYN asked for ECN; {} worked.", handshakes(tally)),
    }
}
