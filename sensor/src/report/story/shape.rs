//! Segments that are odd by themselves, and numbers that leap.

use sensor_common::{flow::TcpFlags, kind::Kind};

use super::Story;
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let [first, second] = finding.event.detail;
    let segment = &finding.event.segment;
    let line = match finding.kind {
        Kind::FlagSynFin => "SYN and FIN at once: its receiver drops it".to_owned(),
        Kind::FlagSynRst => "SYN and RST at once".to_owned(),
        Kind::FlagFinRst => "FIN and RST at once: counts as a reset".to_owned(),
        Kind::FlagFinNoAck if segment.flags.all(TcpFlags::PSH.with(TcpFlags::URG)) => {
            "FIN, PSH and URG without ACK (Xmas): its receiver drops it".to_owned()
        }
        Kind::FlagFinNoAck => "FIN without ACK: its receiver drops it".to_owned(),
        Kind::FlagNull => "neither SYN, ACK, FIN nor RST: its receiver drops it".to_owned(),
        Kind::Land => "source and destination are the same: spoofed".to_owned(),
        Kind::PortZero => "port 0, which no socket has".to_owned(),
        Kind::SynWithData => format!("SYN with {} bytes of payload, without Fast Open", segment.len),
        Kind::UrgInconsistent if segment.flags.any(TcpFlags::URG) => "URG, but the urgent pointer is 0".to_owned(),
        Kind::UrgInconsistent => "an urgent pointer without URG".to_owned(),
        Kind::ReservedBits => "a reserved bit of the header is set".to_owned(),
        Kind::RstWithData => format!("reset with {} bytes of payload", segment.len),
        Kind::AckNonzeroNoAck => format!("SYN acknowledges {} without the ACK flag", segment.ack.0),
        Kind::OptInvalid => "an option of an impossible length".to_owned(),
        Kind::OptDup => "an option that is there twice".to_owned(),
        Kind::SeqUnderflow => format!("{first} bytes before the connection's first"),
        Kind::AckUnderflow => format!("acknowledges {first} bytes before the first"),
        Kind::FinMoved => format!("a second FIN, {first} bytes behind the first"),
        Kind::WinRecision => format!("takes back {first} bytes of window, {second} are left"),
        Kind::TsMissing => "no timestamp, though both sides agreed on them".to_owned(),
        Kind::TsEchoImpossible => format!("echoes a timestamp {first} ticks before it can have been sent"),
        Kind::PawsReject => format!("payload rejected: its timestamp is {first} ticks too old"),
        Kind::GtsmViolation => format!("TTL {} on a guarded port: from too far away", segment.ttl),
        _ => return None,
    };
    Some(Story::of(finding.kind, line))
}
