//! Requests that are more than plain, and ports in TIME_WAIT: what became of them.

use sensor_common::{
    detect::requests::{ECN, FAST_OPEN, MULTIPATH},
    kind::Kind,
};

use super::{Story, after, ecn::handshakes};
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let (src, dst, kind) = (finding.src(), finding.dst(), finding.kind);
    let [first, second] = finding.event.detail;
    Some(match kind {
        Kind::SynSentRstLoop => Story::of(kind, format!("{second} rounds of SYN, old numbers and reset in {}", after(first)))
            .what(format!(
                "{src} asks {dst}, is answered by a plain ACK with an older connection's numbers, rejects it by a reset, and asks \
                 again: {second} times in {}. The reset should clear what {dst} remembers; it does not arrive there, or is not \
                 accepted.",
                after(first)
            ))
            .not("Overload: the answers come, and at once.")
            .not("The client's fault: its resets are right (RFC 9293 §3.10.7.3)."),
        Kind::TwAssassination => Story::of(kind, "ends the TIME_WAIT of the side that closed first")
            .not("A connection that was cut off: it was over, and all of it acknowledged."),
        Kind::TwReuseRefused => Story::of(kind, "port in TIME_WAIT used again, neither number nor timestamp newer: refused")
            .not("Overload: a full queue answers nothing, or with a SYN-ACK.")
            .not("A closed port: that would be refused by a reset."),
        Kind::EcnSynDrop => Story::of(
            kind,
            format!("SYN with ECN not answered, without it answered {} later; {} worked", after(first), handshakes(second)),
        ),
        Kind::EcnBleach => Story::of(kind, format!("ECN agreed on, and none of {second} segments of data marked"))
            .what(format!(
                "{src} and {dst} agreed on ECN, and none of the {second} segments with data from {src} came with its mark: a \
                 router on the way erases it."
            )),
        Kind::Rfc3360RstOnOption => {
            let what = rare(second);
            Story::of(kind, format!("SYN with {what} reset, without it accepted {} later", after(first))).what(format!(
                "A SYN to {src} with {what} was reset, and the same one without it accepted {} later. Whoever reset it takes \
                 what he does not know for an attack (RFC 3360).",
                after(first)
            ))
        }
        Kind::TfoDataIgnored => {
            Story::of(kind, format!("{second} bytes on the SYN ignored, {} later", after(first)))
        }
        Kind::TfoSynDrop => Story::of(
            kind,
            format!("SYN with Fast Open not answered, without it answered {} after the first of {second} SYNs", after(first)),
        ),
        Kind::TfoBlackhole => Story::of(kind, "reset right after the data that came with the SYN"),
        _ => return None,
    })
}

/// What was rare in a request.
fn rare(option: u32) -> &'static str {
    match option {
        FAST_OPEN => "Fast Open",
        MULTIPATH => "Multipath TCP",
        ECN => "ECN",
        _ => "an option that is not known here, or several rare ones,",
    }
}
