//! Lines that a connection's losses and windows cross (detection catalogue §5): each is told once.
//!
//! A single loss is daily bread, and counted only. What is told says which end to look at: the network between, a receiver that does
//! not keep up, or the sensor, which sees a part of the traffic only.

use super::{
    analysis::{Judged, Rows},
    stall::Stall,
};
use crate::{
    flow::{Bits, End, Half, TcpFlags},
    kind::Kind,
    passage::Rule,
    seq::SeqNumber,
    time::{Stamp, stamp_nanos, whole_millis},
    wire::Packet,
};

/// Less than this is no rate.
const LEAST: u32 = 20;
/// One in so many is much.
const MUCH: u32 = 100;
/// So many repeats, and one in so many, are no longer what congestion control brings about by itself.
const LOSSES: u32 = 100;
const LOSSES_SHARE: u32 = 10;
/// Acknowledgments of unseen bytes from which on the sensor is to blame, and their share: no network loses one in 16.
const BLIND: u32 = 64;
const BLIND_SHARE: u32 = 16;
/// A window that closes, or is filled, so often does so again and again.
const CLOSED: u8 = 4;
const FULL: u8 = 10;
/// Waiting for longer than this hurts (1 s), and beyond the longest timeout (RFC 6298 §2.4 as Linux has it, with room: 5 min) there was
/// no waiting.
const LONG: u32 = 976_563;
const LONGEST: u32 = 292_968_750;
const _: () = assert!(stamp_nanos(LONG) > 1_000_000_000 && stamp_nanos(LONG - 1) < 1_000_000_000);
/// What segments carry where offload does not join them.
const FULL_SIZED: u32 = 1460;

/// A line that was crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// Which.
    pub kind: Kind,
    /// How severe.
    pub rule: Rule,
    /// See the catalogue.
    pub detail: [u32; 2],
}

/// The line that a judged segment crosses, the most severe one if there are several; the others' turn comes with a later segment.
/// `d` and `half` are the sender's, `r` and `far` the other's, before the former learn from the segment.
#[inline(always)]
pub fn judge(
    (d, half): (&End, &mut Half),
    (r, far): (&End, &mut Half),
    packet: &Packet,
    stamp: Stamp,
    rows: Rows,
    judged: Judged,
) -> Option<Crossed> {
    let Judged { repeated, stall: Stall { units, probes } } = judged;
    if units != 0 {
        return crossed(Kind::ZeroWindowStall, Rule::Fault, [whole_millis(units), probes as u32]);
    }
    if rows.any(Rows::ACK_LOST_SEGMENT) {
        let unseen = far.unseen as u32;
        if unseen >= BLIND && unseen * BLIND_SHARE > d.segments && first(far, Half::TOLD_BLIND) {
            return crossed(Kind::WsAckLostSegment, Rule::Fault, [unseen, d.segments]);
        }
        if first(far, Half::TOLD_UNSEEN) {
            return crossed(Kind::WsAckLostSegment, Rule::Fact, [unseen, d.segments]);
        }
    }
    if repeated {
        let (n, of) = (half.repeated as u32, sent(d));
        let waited = waited(d, r, packet, stamp);
        if n >= LOSSES && n * LOSSES_SHARE > of && first(half, Half::TOLD_LOSSES) {
            return crossed(Kind::WsRetransmission, Rule::Oddity, [n, of]);
        }
        if rows.any(Rows::RETRANSMISSION) && waited > LONG && waited < LONGEST && first(half, Half::TOLD_WAITED) {
            return crossed(Kind::WsRto, Rule::Fact, [whole_millis(waited), n]);
        }
        if much(n, of) && first(half, Half::TOLD_REPEATED) {
            return crossed(Kind::WsRetransmission, Rule::Fact, [n, of]);
        }
    }
    if rows.any(Rows::ZERO_WINDOW) && half.closed() >= CLOSED && first(half, Half::TOLD_CLOSED) {
        return crossed(Kind::WsZeroWindow, Rule::Fact, [half.closed() as u32, 0]);
    }
    if rows.any(Rows::WINDOW_FULL) && half.filled() >= FULL && first(half, Half::TOLD_FULL) {
        let window = (packet.seq + packet.len).0.wrapping_sub(r.ack.0);
        return crossed(Kind::WsWindowFull, Rule::Fact, [half.filled() as u32, window]);
    }
    if rows.any(Rows::OUT_OF_ORDER) && much(half.reordered as u32, sent(d)) && first(half, Half::TOLD_REORDERED) {
        return crossed(Kind::WsOutOfOrder, Rule::Oddity, [half.reordered as u32, sent(d)]);
    }
    if rows.any(Rows::DUPLICATE_ACK) {
        // Else the repeats tell of it.
        let unanswered = (far.repeated as u32) < half.asked as u32 / 2;
        if unanswered && much(half.asked as u32, d.segments) && first(half, Half::TOLD_ASKED) {
            return crossed(Kind::WsDupAck, Rule::Oddity, [half.asked as u32, d.segments]);
        }
    }
    if rows.any(Rows::LOST_SEGMENT) && half.skipped != 0 && first(half, Half::TOLD_SKIPPED) {
        return crossed(Kind::WsLostSegment, Rule::Fact, [half.skipped, 0]);
    }
    None
}

#[inline(always)]
const fn crossed(kind: Kind, rule: Rule, detail: [u32; 2]) -> Option<Crossed> {
    Some(Crossed { kind, rule, detail })
}

/// Whether this is told for the first time, which it then is.
#[inline(always)]
const fn first(half: &mut Half, mark: u16) -> bool {
    let first = !half.any(mark);
    half.marks |= mark;
    first
}

#[inline(always)]
const fn much(n: u32, of: u32) -> bool {
    n >= LEAST && n * MUCH > of
}

/// Segments that a side sent, as many as they would be without offload, which joins up to 64 kB.
#[inline(always)]
const fn sent(d: &End) -> u32 {
    let SeqNumber(bytes) = SeqNumber(d.nxt.0.wrapping_sub(d.isn.0));
    let full = bytes / FULL_SIZED;
    if full > d.segments { full } else { d.segments }
}

/// How long payload is repeated after something last went forward: new bytes, or an acknowledgment of such. 0 where it is not the
/// network that was waited for, or nobody knows: a closed window, a peer that has closed or is not seen.
#[inline(always)]
fn waited(d: &End, r: &End, packet: &Packet, stamp: Stamp) -> u32 {
    let seen = r.flags.any(TcpFlags::ACK);
    if packet.len == 0 || packet.flags.any(TcpFlags::SYN) || !seen || r.windows as u16 == 0 || r.bits.any(Bits::FIN) {
        return 0;
    }
    let (since_sent, since_acked) = (stamp.since(d.nxt_at), stamp.since(r.ack_at));
    if since_acked < since_sent { since_acked } else { since_sent }
}
