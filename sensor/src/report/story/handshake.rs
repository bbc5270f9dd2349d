//! Handshakes that no careful stack makes, and ports that are used again.

use sensor_common::kind::Kind;

use super::{Story, since_close};
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let closed = finding.event.detail[0];
    let line = match finding.kind {
        Kind::SynAckBadAck => "SYN-ACK acknowledges what the SYN did not send".to_owned(),
        Kind::SplitHandshake => "a SYN answers a SYN: both ask at once, or a split handshake".to_owned(),
        Kind::SynAckWrongDir => "SYN-ACK from the side that asked".to_owned(),
        Kind::IsnJump => "second SYN with another number while the first is pending".to_owned(),
        Kind::DataBeforeEst => format!("{} bytes before the connection is established", finding.event.segment.len),
        Kind::WscaleRange => "window scale above 14".to_owned(),
        Kind::WindowSlam => format!("handshake completed with a window of {}", finding.event.segment.win),
        Kind::TwReuseOk => format!("port reused{} and accepted", since_close(closed)),
        Kind::SynAfterClose => format!("port reused{}", since_close(closed)),
        _ => return None,
    };
    Some(Story::of(finding.kind, line))
}
