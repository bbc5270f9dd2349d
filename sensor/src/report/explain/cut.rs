//! Connections that were cut off near their beginning: what each stage says, and each signature in words.

use sensor_common::{
    detect::{Evidence, tampering::Stage},
    kind::Kind,
};

use crate::report::Finding;

/// What happened, and what it is typical of; `None` for kinds that are not about a cut.
pub(super) fn off(finding: &Finding<'_>) -> Option<String> {
    let stage = Stage::of(finding.kind)?;
    let (src, dst) = (finding.src(), finding.dst());
    let reset = finding.event.is_reset();
    let forged = finding.has(Evidence(Evidence::TTL_RST.0 | Evidence::TTL_WEAK.0 | Evidence::IPID_JUMP.0));
    let what = match stage {
        Stage::Syn => format!(
            "The SYN {src} > {dst} got through, but the handshake never finished, and {}. Expect blocking by address \
             or port, spoofed SYNs, or a scanner.",
            if reset { "something answered in the client's name" } else { "nothing followed" }
        ),
        Stage::Ack => format!(
            "The handshake {src} > {dst} worked; then {} before the first request arrived. Typical of a device that \
             decides on addresses and ports, or that dropped the first request; browsers that connect ahead look the \
             same.",
            if reset { "the connection was reset" } else { "the client fell silent" }
        ),
        Stage::Data => format!(
            "The first request {src} > {dst} arrived, and the connection then {}. Typical of filters triggered by \
             content{}.",
            if reset { "was reset" } else { "went silent" },
            if reset { ", and of a user who closed the page" } else { "" }
        ),
        Stage::Later => format!(
            "{src} > {dst} was reset after several data packets. It could be an application's abort{}.",
            if forged { ", but the resets do not look like the client's" } else { "" }
        ),
    };
    Some(what)
}

/// What to check, most useful first.
pub(super) fn steps(finding: &Finding<'_>) -> Option<Vec<String>> {
    let client = finding.src().ip();
    Some(match Stage::of(finding.kind)? {
        Stage::Syn => vec![
            "Compare the TTL of SYN and reset: was one device at work?".to_owned(),
            format!("Look at the other ports that {client} asked for, before blaming the path."),
        ],
        Stage::Ack => vec![
            format!("Capture at {client}: if it did send data, a box on the path ate it."),
            "Is it all clients, one network, or one destination port?".to_owned(),
        ],
        Stage::Data => vec![
            "Does it depend on the name or path that was asked for? Try another one from the same client.".to_owned(),
            format!("Capture at {client}: did it send the reset, did it get one?"),
        ],
        Stage::Later => vec![format!("Look for an abort in the log of the application at {client}.")],
    })
}

/// A signature in words, for a line.
pub(in crate::report) fn signature(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::CtSynNone => "a SYN, then silence",
        Kind::CtSynRst => "a SYN, then reset without ACK",
        Kind::CtSynRstAck => "a SYN, then reset with ACK",
        Kind::CtSynRstRstAck => "a SYN, then resets with and without ACK",
        Kind::CtAckNone => "a handshake, then silence",
        Kind::CtAckRst => "a handshake, then a reset without ACK",
        Kind::CtAckRstRst => "a handshake, then resets without ACK",
        Kind::CtAckRstAck => "a handshake, then a reset with ACK",
        Kind::CtAckRstAckRstAck => "a handshake, then resets with ACK",
        Kind::CtPshNone => "one data segment, then silence",
        Kind::CtPshRst => "one data segment, then a reset without ACK",
        Kind::CtPshRstAck => "one data segment, then a reset with ACK",
        Kind::CtPshRstRstAck => "one data segment, then resets with and without ACK",
        Kind::CtPshRstAckRstAck => "one data segment, then resets with ACK",
        Kind::CtPshRstEq => "one data segment, then resets with equal acknowledgment fields",
        Kind::CtPshRstNe => "one data segment, then resets that guess at the acknowledgment",
        Kind::CtPshRstRst0 => "one data segment, then resets with and without an acknowledgment field",
        Kind::CtDataRst => "several data segments, then a reset without ACK",
        Kind::CtDataRstAck => "several data segments, then a reset with ACK",
        Kind::RadarPostSyn => "a SYN, answered otherwise than by a SYN-ACK, then silence",
        Kind::RadarPostAck => "a handshake, then resets with and without ACK",
        Kind::RadarPostPsh => "one data segment, part of the answer taken, then silence",
        Kind::RadarLater => "more data than one packet holds, then reset",
        _ => return None,
    })
}
