//! Silence where an answer is due: a device that has forgotten a connection often drops what comes afterwards without a word
//! (detection catalogue §8).
//!
//! The first repetition that may be one of these puts the flow under watch ([`crate::flow::Doubt::SILENT`]); anything but another of them ends
//! the watch. So an answered keep-alive, or a loss that is mended, costs next to nothing.

use super::{Severity, anatomy::last_recorded, evidence::severity};
use crate::{
    flow::{Bits, End, Flow, HeadBits, Segment, Side, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    seq::SeqNumber,
    time::{Stamp, whole_millis},
    wire::Packet,
};

/// No device forgets a connection sooner than this (30 s).
pub(crate) const IDLE: u32 = 29_296_875;
/// Nor one that a side has closed sooner than this (10 s).
pub(crate) const HALF_CLOSED: u32 = 9_765_625;
/// What a mirror port doubles, or a fast retransmission repeats, comes sooner (100 ms).
const APART: u32 = 97_657;
/// The third repetition by a timer comes later than this after the segment itself (1 s).
const BACKED_OFF: u32 = 976_563;
/// No keep-alives are closer together (500 ms).
const PROBES_APART: u32 = 488_282;

/// What a segment makes of a silence that is being watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing has changed.
    Lasts,
    /// It is over.
    Broken,
    /// It has lasted for long enough.
    Told(Kind, Rule),
}

/// Whether a segment that begins in bytes already sent, and is learnt but not recorded, begins a silence.
#[inline(always)]
pub fn begins(flow: &Flow, packet: &Packet) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let known = flow.head.bits.any(HeadBits::ESTABLISHED) && !flow.head.watch.any(Watch::EMBRYONIC);
    // Who acknowledges what was not seen may be answered unseen.
    if !known || d.ack.after(r.nxt) || packet.flags.any(TcpFlags::SYN.with(TcpFlags::RST)) {
        return false;
    }
    let Some(before) = last_recorded(flow, packet.sender(), 1) else { return false };
    if probes(packet.seq, packet.len, d, r) {
        // The second that nobody answers; later ones have been counted.
        let third = last_recorded(flow, packet.sender(), 2).is_some_and(|segment| unanswered(segment, d, r));
        return unanswered(before, d, r) && !third;
    }
    packet.end().after(r.ack) && before.time.0 == d.nxt_at.0 && gap(d, r) >= patience(r)
}

/// Judges the next segment of a flow under watch, before anything is learnt from it.
#[inline(always)]
pub fn judge(flow: &Flow, passage: &mut Passage) -> Silence {
    let packet = &passage.packet;
    let sender = packet.sender();
    let (d, r) = (&flow.ends[sender], &flow.ends[packet.receiver()]);
    if !packet.seq.before(d.nxt) {
        return Silence::Broken;
    }
    if probes(packet.seq, packet.len, d, r) {
        let told = Silence::Told(Kind::KeepAliveDead, if asks(flow, sender) { Rule::Oddity } else { Rule::Fact });
        return if given_up(flow, passage) { told } else { Silence::Lasts };
    }
    let idle = gap(d, r);
    if !packet.end().after(r.ack) || idle < patience(r) {
        return Silence::Broken;
    }
    let (Some(last), Some(before)) = (last_recorded(flow, sender, 1), last_recorded(flow, sender, 2)) else {
        return Silence::Lasts;
    };
    let again = |segment: &Segment| segment.seq.0 == packet.seq.0 && segment.time.after(d.nxt_at);
    let now = passage.stamp;
    let apart = now.since(last.time) >= APART && last.time.since(before.time) >= APART;
    let since = now.since(d.nxt_at);
    if !again(last) || !again(before) || !apart || since < BACKED_OFF {
        return Silence::Lasts;
    }
    passage.finding.about(passage.packet.segment(now));
    passage.finding.detail = [whole_millis(idle), whole_millis(since)];
    if r.bits.any(Bits::FIN) {
        return Silence::Told(Kind::HalfCloseTimeout, Rule::Oddity);
    }
    Silence::Told(Kind::IdleThenSilence, if asks(flow, sender) { Rule::Fault } else { Rule::Oddity })
}

/// Whether the side that waits for an answer is known to have opened the connection. Servers do not go away without a word; clients
/// do, and nothing is wrong on the way.
#[inline(always)]
fn asks(flow: &Flow, sender: usize) -> bool {
    flow.head.client().is_some_and(|client| client as usize == sender)
}

/// What a reset says of a silence: the side gives up. Judged before the state remembers it.
#[inline(always)]
pub fn reset(flow: &Flow, passage: &mut Passage) {
    // What explains a reset does not explain a forged one.
    let plausible = severity(passage.finding.evidence.score()) == Severity::Info;
    if plausible && given_up(flow, passage) {
        let asks = asks(flow, passage.packet.sender());
        passage.second(Kind::KeepAliveDead, if asks { Rule::Oddity } else { Rule::Fact });
    }
}

/// Whether three keep-alives, at intervals like that up to now, were not answered: the finding's numbers are then set.
#[inline(always)]
fn given_up(flow: &Flow, passage: &mut Passage) -> bool {
    let sender = passage.packet.sender();
    let (d, r) = (&flow.ends[sender], &flow.ends[passage.packet.receiver()]);
    let [Some(third), Some(second), Some(first)] = [1, 2, 3].map(|back| last_recorded(flow, sender, back)) else {
        return false;
    };
    let all = unanswered(third, d, r) && unanswered(second, d, r) && unanswered(first, d, r);
    let interval = third.time.since(second.time);
    let like = |other: u32| interval.abs_diff(other) <= interval >> 3;
    let steady = like(passage.stamp.since(third.time)) && like(second.time.since(first.time));
    if !all || !steady || interval < PROBES_APART {
        return false;
    }
    if !passage.packet.flags.any(TcpFlags::RST) {
        passage.finding.about(passage.packet.segment(passage.stamp));
    }
    let quiet = passage.stamp.since(later(r.last, d.ack_at, passage.stamp));
    passage.finding.detail = [whole_millis(interval), whole_millis(quiet)];
    true
}

/// Whether a segment of `d` is a keep-alive: the last byte that the other side has acknowledged, or nothing, just before the next.
#[inline(always)]
fn probes(seq: SeqNumber, len: u32, d: &End, r: &End) -> bool {
    len <= 1 && seq.0 == d.nxt.0.wrapping_sub(1) && !d.nxt.after(r.ack)
}

/// Whether a recorded segment of `d` is a keep-alive after which nothing came from the other side.
#[inline(always)]
fn unanswered(segment: &Segment, d: &End, r: &End) -> bool {
    probes(segment.seq, segment.len as u32, d, r)
        && segment.time.after(r.last)
        && segment.flags.0 & KEEP.0 == TcpFlags::ACK.0
}

/// Flags that make a segment more than a keep-alive.
const KEEP: TcpFlags = TcpFlags::ACK.with(TcpFlags::SYN).with(TcpFlags::FIN).with(TcpFlags::RST);

/// For how long the connection had been idle when `d` sent its last new bytes; 0 if the other side has spoken since.
#[inline(always)]
fn gap(d: &End, r: &End) -> u32 {
    let (heard, taken) = (d.nxt_at.since(r.last), d.nxt_at.since(d.ack_at));
    if heard < taken { heard } else { taken }
}

/// The later of two stamps, neither of them after `now`.
#[inline(always)]
fn later(a: Stamp, b: Stamp, now: Stamp) -> Stamp {
    if now.since(a) < now.since(b) { a } else { b }
}

/// The silence after which a device may have forgotten a connection, by whether the side that is silent had closed.
#[inline(always)]
fn patience(r: &End) -> u32 {
    if r.bits.any(Bits::FIN) { HALF_CLOSED } else { IDLE }
}

/// How long the connection had been idle before the segment that a reset answered; 0 if for less than [`IDLE`]. `sender` is the side
/// in whose name the reset came, and which has carried on.
#[inline(always)]
pub fn before_reset(flow: &Flow, sender: usize) -> u32 {
    let (d, reset) = (&flow.ends[sender & 1], &flow.tails[sender & 1].reset);
    let other = Side::from_index(sender as u8).other() as usize;
    let (Some(asked), Some(before)) = (last_recorded(flow, other, 1), last_recorded(flow, other, 2)) else { return 0 };
    if asked.time.after(reset.at) || asked.flags.any(TcpFlags::RST) || reset.n != 1 {
        return 0;
    }
    // When it spoke itself is told by its numbers: the reset is recorded as its own.
    let own = later(d.nxt_at, d.ack_at, asked.time);
    let gap = asked.time.since(later(before.time, own, asked.time));
    if gap >= IDLE { gap } else { 0 }
}
