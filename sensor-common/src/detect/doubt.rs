//! What the hosts of a live connection must doubt, and how they say so: challenge ACKs, acknowledgments out of range, ACKs that
//! answer one another without end (RFC 5961, RFC 9293 §3.10.7.4).

use super::anatomy::last_recorded;
use crate::{
    flow::{Bits, End, Flow, Head, HeadBits, Segment, TcpFlags, Watch},
    passage::{Passage, Rule},
    time::Stamp,
    track::within,
    wire::Packet,
};

/// A challenge comes within this, or within two round trips (50 ms).
const PROMPT: u32 = 48_828;

/// A round trip where none was measured (100 ms).
const UNKNOWN_RTT: u32 = 97_656;

/// What a host takes to answer (10 ms).
const SLACK: u32 = 9_766;

/// Challenge ACKs that a careful host sends within [`TOGETHER`] at most (RFC 5961 §7).
pub const CHALLENGES: u8 = 10;

/// Challenge ACKs within this (5 s) belong together.
pub const TOGETHER: u32 = 4_882_813;

/// ACKs that answer one another before that is a loop.
pub const LOOP: u8 = 20;

/// Segments that a flow is watched on for after there was something to doubt.
pub const WATCHED: u8 = 8;

/// What a challenge ACK answers: the event's detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Provoked {
    /// A SYN on the live connection.
    BySyn = 1,
    /// A reset in the window, but not exact.
    ByReset = 2,
    /// An acknowledgment out of range.
    ByAck = 3,
}

/// Whether a segment of a quiet flow is to be looked at: its acknowledgment is out of its own sender's range, or it is one in eight of
/// those that say nothing new. From the sender's own line alone: this is asked of every segment.
#[inline(always)]
pub fn is_due(head: &Head, d: &End, packet: &Packet) -> bool {
    let echo = packet.ack.0 == d.ack.0 && packet.len == 0 && d.segments & 7 == 7;
    echo || (is_far(d, packet.ack.0) && head.bits.any(HeadBits::HANDSHAKE))
}

/// Whether an acknowledgment is further than the sender's largest window from its last: it cannot have been offered so much (ahead), or
/// the other side must not accept it any more (behind, RFC 5961 §5.2).
#[inline(always)]
fn is_far(d: &End, ack: u32) -> bool {
    // Never 2^31: a window has 30 bits at most.
    let reach = reach(d);
    ack.wrapping_sub(d.ack.0).wrapping_add(reach) > 2 * reach
}

/// The largest window a side has offered; small ones are rounded up, since a byte more may be sent.
#[inline(always)]
fn reach(end: &End) -> u32 {
    end.max_window | 0xffff
}

/// Whether a segment's acknowledgment is out of range. Where the handshake was not seen, the window's scale is unknown.
#[inline(always)]
pub fn is_out(flow: &Flow, packet: &Packet) -> bool {
    let d = &flow.ends[packet.sender()];
    let counts = packet.flags.0 & (PLAIN.0 & !TcpFlags::FIN.0) == TcpFlags::ACK.0;
    let known = flow.head.bits.any(HeadBits::HANDSHAKE) && flow.head.bits.any(HeadBits::ESTABLISHED);
    counts && known && is_far(d, packet.ack.0)
}

/// Whether two segments, both out of range, agree: then it was this sensor that missed something.
#[inline(always)]
pub fn agree(flow: &Flow, suspect: &Segment, packet: &Packet) -> bool {
    let reach = reach(&flow.ends[packet.sender()]);
    packet.ack.0.wrapping_sub(suspect.ack.0).wrapping_add(reach) <= 2 * reach
}

/// How to tell that a side's last segment was out of range, now that its acknowledgments go on where they were before; `None` if it is
/// not worth it.
///
/// Benign look-alike: a copy that was on its way for long has old numbers, both of them.
#[inline(always)]
pub fn suspect_rule(flow: &Flow, sender: usize, suspect: &Segment) -> Option<Rule> {
    let (d, r) = (&flow.ends[sender & 1], &flow.ends[(sender & 1) ^ 1]);
    let (reach, ahead) = (reach(r), suspect.ack.after(d.ack));
    if !within(suspect.seq, d.nxt - reach, d.nxt + reach) {
        // Not even in the window: its receiver throws it away.
        return None;
    }
    let old = suspect.end().0.wrapping_sub(d.nxt.0) as i32 <= 0;
    Some(match (suspect.len > 0, ahead) {
        (true, false) if old => return None,
        (true, _) => Rule::Fault,
        (false, true) => Rule::Oddity,
        (false, false) => Rule::Fact,
    })
}

/// What a plain ACK that says nothing new challenges, if it does. `out` is whether the other side's last segment was out of range.
#[inline(always)]
pub fn challenge(flow: &Flow, passage: &Passage, out: bool) -> Option<Provoked> {
    let packet = &passage.packet;
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let cause = last_recorded(flow, packet.receiver(), 1)?;
    let repeats = is_plain(packet.flags) && packet.len == 0 && packet.seq.0 == d.nxt.0 && packet.ack.0 == d.ack.0;
    let closing = d.bits.any(Bits::FIN) || r.bits.any(Bits::FIN);
    let prompt = if d.min_rtt > PROMPT / 2 { d.min_rtt * 2 } else { PROMPT };
    // The first ACK since; a second one answers something else.
    let first = cause.time.after(d.last);
    if !repeats || closing || !first || passage.stamp.since(cause.time) > prompt {
        return None;
    }
    if cause.flags.is_syn() {
        return Some(Provoked::BySyn);
    }
    if cause.flags.any(TcpFlags::RST) {
        let ahead = cause.seq.since(d.ack);
        // What was sent and not acknowledged may have arrived: exact for all that is known.
        let inexact = ahead > 0 && ahead > r.nxt.since(d.ack) && (ahead as u32) < d.max_window;
        return if inexact && flow.head.bits.any(HeadBits::HANDSHAKE) { Some(Provoked::ByReset) } else { None };
    }
    if out { Some(Provoked::ByAck) } else { None }
}

/// Whether a plain ACK says what its side's last one said, to one of the other side that did so too, just before.
///
/// Benign look-alikes: after a loss the other side sends data; keep-alives and window probes lie one byte back.
#[inline(always)]
pub fn echoes(flow: &Flow, passage: &Passage) -> bool {
    let packet = &passage.packet;
    let (sender, receiver) = (packet.sender(), packet.receiver());
    let (d, r) = (&flow.ends[sender], &flow.ends[receiver]);
    let (Some(own), Some(other), Some(before)) =
        (last_recorded(flow, sender, 1), last_recorded(flow, receiver, 1), last_recorded(flow, receiver, 2))
    else {
        return false;
    };
    let same = is_plain(packet.flags) && packet.len == 0 && is_ack(own) && is_ack(other) && is_ack(before);
    let repeats = packet.seq.0 == own.seq.0 && packet.ack.0 == own.ack.0 && packet.win == own.win;
    let repeated = other.seq.0 == before.seq.0 && other.ack.0 == before.ack.0 && other.win == before.win;
    let probes = packet.seq.0.wrapping_add(1) == other.ack.0 || other.seq.0.wrapping_add(1) == packet.ack.0;
    let (one, two) = (known(d.min_rtt), known(r.min_rtt));
    let soon = passage.stamp.since(other.time) <= 2 * (one + two) + SLACK;
    same && repeats && repeated && !probes && soon
}

/// Whether it is the other side's turn that is answered: nothing came from the sender since.
#[inline(always)]
pub fn takes_turns(flow: &Flow, packet: &Packet) -> bool {
    !flow.ends[packet.sender()].last.after(flow.ends[packet.receiver()].last)
}

/// Whether there is anything to ask of a segment.
#[inline(always)]
pub fn is_asked(flow: &Flow, packet: &Packet) -> bool {
    let watched = Watch(Watch::DOUBTED.0 | Watch::RESET_A.0 | Watch::RESET_B.0);
    flow.head.watch.any(watched) || is_due(&flow.head, &flow.ends[packet.sender()], packet)
}

/// A stamp's successor in [`TOGETHER`].
#[inline(always)]
pub fn together(now: Stamp, since: Stamp) -> bool {
    now.since(since) < TOGETHER
}

#[inline(always)]
fn known(rtt: u32) -> u32 {
    if rtt == 0 { UNKNOWN_RTT } else { rtt }
}

#[inline(always)]
fn is_ack(segment: &Segment) -> bool {
    is_plain(segment.flags) && segment.len == 0
}

/// ACK, and none of what makes it more.
#[inline(always)]
fn is_plain(flags: TcpFlags) -> bool {
    flags.0 & PLAIN.0 == TcpFlags::ACK.0
}

const PLAIN: TcpFlags = TcpFlags::ACK.with(TcpFlags::SYN).with(TcpFlags::FIN).with(TcpFlags::RST);
