//! The flight recorder: what is kept of a single segment.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Flow, Side};
use crate::{seq::SeqNumber, time::Stamp};

/// TCP header flags (RFC 9293 §3.1; AE is kept apart, RFC 9768).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgment field is significant.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer is significant.
    pub const URG: Self = Self(0x20);
    /// ECN echo (RFC 3168).
    pub const ECE: Self = Self(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Self = Self(0x80);

    /// Whether any of `flags` is set.
    #[inline(always)]
    pub const fn any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// Whether all of `flags` are set.
    #[inline(always)]
    pub const fn all(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Both sets together.
    #[inline(always)]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// SYN without ACK, FIN or RST: a request for a connection.
    #[inline(always)]
    pub const fn is_syn(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0 | Self::FIN.0 | Self::RST.0) == Self::SYN.0
    }

    /// SYN and ACK without FIN or RST.
    #[inline(always)]
    pub const fn is_syn_ack(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0 | Self::FIN.0 | Self::RST.0) == Self::SYN.0 | Self::ACK.0
    }
}

/// How many segments the recorder keeps of each side.
pub const RECORDED: usize = 4;

/// One recorded segment, 20 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Segment {
    /// When it was seen.
    pub time: Stamp,
    /// Sequence number.
    pub seq: SeqNumber,
    /// Acknowledgment field, also where the ACK flag is clear.
    pub ack: SeqNumber,
    /// Payload bytes; offloaded super-segments are clamped to 65535.
    pub len: u16,
    /// Raw window field, unscaled.
    pub win: u16,
    /// IPv4 identification; for IPv6 the flow label folded to 16 bits.
    pub ipid: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Header flags.
    pub flags: TcpFlags,
}

impl Segment {
    /// Sequence number that follows this segment: SYN and FIN count one.
    #[inline(always)]
    pub const fn end(&self) -> SeqNumber {
        let syn = (self.flags.0 >> 1 & 1) as u32;
        let fin = (self.flags.0 & 1) as u32;
        SeqNumber(self.seq.0.wrapping_add(self.len as u32 + syn + fin))
    }
}

/// Both sides' recorded segments, oldest first, as `(sender, segment)`; `None` pads the end.
///
/// Within a side, stamps tell the order. Between the sides they may tie, since the coarse clock stands still for milliseconds;
/// then what is acknowledged comes before its acknowledgment.
pub fn merged(flow: &Flow) -> [Option<(Side, Segment)>; 2 * RECORDED] {
    let (mut a, mut b) = (recorded(flow, Side::A).copied().peekable(), recorded(flow, Side::B).copied().peekable());
    let mut out = [None; 2 * RECORDED];
    for slot in &mut out {
        let first = match (a.peek(), b.peek()) {
            (None, None) => break,
            (Some(_), None) => Side::A,
            (None, Some(_)) => Side::B,
            (Some(x), Some(y)) if x.answers(y) && !y.answers(x) => Side::B,
            (Some(x), Some(y)) if y.answers(x) && !x.answers(y) => Side::A,
            // Neither is known to be the earlier one: the nearer order counts, within 36 minutes.
            (Some(x), Some(y)) if x.time.0.wrapping_sub(y.time.0) as i32 > 0 => Side::B,
            _ => Side::A,
        };
        let next = if first == Side::A { a.next() } else { b.next() };
        *slot = next.map(|segment| (first, segment));
    }
    out
}

/// A side's recorded segments, oldest first.
pub fn recorded(flow: &Flow, side: Side) -> impl DoubleEndedIterator<Item = &Segment> {
    let (end, tail) = (&flow.ends[side as usize], &flow.tails[side as usize]);
    let segments = end.segments as usize;
    (segments - segments.min(RECORDED)..segments).map(move |i| &tail.recorder[i % RECORDED])
}

impl Segment {
    /// Whether it acknowledges all of `other`, so that it was made after that had arrived.
    fn answers(&self, other: &Self) -> bool {
        let tells = other.end() != other.seq;
        tells && self.flags.any(TcpFlags::ACK) && self.ack.since(other.end()) >= 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_keeps_the_order() {
        // Too long for `Stamp::after`, which then holds both ways.
        for gap in [1, 100_000_000, 2_000_000_000] {
            let mut flow = Flow::default();
            for (side, at) in [(Side::A, 5), (Side::B, 5 + gap)] {
                flow.ends[side as usize].segments = 1;
                flow.tails[side as usize].recorder[0].time = Stamp(at);
            }
            assert_eq!(merged(&flow).map(|one| one.map(|(side, _)| side))[..3], [Some(Side::A), Some(Side::B), None]);
            flow.tails.swap(0, 1);
            assert_eq!(merged(&flow).map(|one| one.map(|(side, _)| side))[..3], [Some(Side::B), Some(Side::A), None]);
        }
    }
}
