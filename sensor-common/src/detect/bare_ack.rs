//! A plain ACK where a SYN-ACK belongs (detection catalogue §4): whose half-open or older state speaks?

use crate::{
    flow::{Bits, End, Flow, HeadBits, TcpFlags, Watch, history::is_pure_ack},
    kind::Kind,
    passage::{Passage, Rule},
    seq::SeqNumber,
    time::{Stamp, since_close, whole_millis},
    wire::Packet,
};

/// Whether `end` has asked for a connection and nothing else: no data on its SYN (Fast Open), no ACK since.
#[inline(always)]
fn asks(end: &End) -> bool {
    end.bits.any(Bits::ISN) && !end.flags.any(TcpFlags::ACK) && end.nxt.0 == end.isn.0.wrapping_add(1)
}

/// Whether the sender is the one that was asked, and has not said SYN itself: no simultaneous open, no SYN-ACK before.
#[inline(always)]
fn was_asked(flow: &Flow, packet: &Packet) -> bool {
    let d = &flow.ends[packet.sender()];
    let client = matches!(flow.head.client(), Some(client) if client as u8 != packet.side);
    client
        && !d.flags.any(TcpFlags::SYN)
        && flow.head.watch.any(Watch::EMBRYONIC)
        && asks(&flow.ends[packet.receiver()])
}

/// Judges a plain ACK in answer to a SYN. Whether there is anything to tell.
///
/// Benign look-alike: some stacks acknowledge a SYN before they answer it. So the right number in answer to a first SYN is a
/// fact; in answer to a repeated one it means that the answer to the first never came.
#[inline(always)]
pub fn answer(flow: &Flow, passage: &mut Passage) -> bool {
    let packet = &passage.packet;
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    if !is_pure_ack(packet) || !was_asked(flow, packet) {
        return false;
    }
    let finding = &mut passage.finding;
    finding.about(packet.segment(passage.stamp));
    if packet.ack.0 == r.nxt.0 {
        finding.detail = [since(passage.stamp, r.last), r.segments];
        finding.name(Kind::SynBareAckMatch, if r.segments > 1 { Rule::Fault } else { Rule::Fact });
        return true;
    }
    if d.flags.any(TcpFlags::ACK) && d.ack.0 == r.nxt.0 {
        // It has acknowledged this SYN before: late, not old.
        return false;
    }
    let refused = flow.tails[packet.receiver()].reset.n;
    let tomb = &flow.head.tomb_nxt;
    let confirmed = flow.head.bits.any(HeadBits::TOMBSTONE)
        && near(packet.ack, tomb[packet.receiver()])
        && near(packet.seq, tomb[packet.sender()]);
    // The client's own reset counts as a close.
    let closed = if refused > 0 { 0 } else { since_close(passage.now, flow.head.closed) };
    finding.detail = [closed, refused as u32];
    let kind = if confirmed { Kind::SynBareAckStaleConfirmed } else { Kind::SynBareAckStale };
    // The client's reset clears the old state. If it has not, something is in its way.
    finding.name(kind, if refused > 0 { Rule::Fault } else { Rule::Oddity });
    true
}

/// Whether a reset, the first and already noted, takes back a plain ACK: the same numbers and the same window, so the same state.
#[inline(always)]
pub fn taken_back(flow: &Flow, packet: &Packet) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    packet.flags.all(TcpFlags::RST.with(TcpFlags::ACK))
        && flow.tails[packet.sender()].reset.n == 1
        && was_asked(flow, packet)
        && d.flags.any(TcpFlags::ACK)
        && d.ack.0 == r.nxt.0
        && packet.ack.0 == r.nxt.0
        && packet.seq.0 == d.nxt.0
        && packet.win == d.windows as u16
}

/// Names such a reset.
#[inline(always)]
pub fn name(flow: &Flow, passage: &mut Passage) {
    passage.finding.detail[0] = since(passage.stamp, flow.ends[passage.packet.sender()].last);
    passage.finding.name(Kind::SynBareAckThenRst, Rule::Fault);
}

/// Milliseconds between two stamps.
#[inline(always)]
pub(crate) fn since(now: Stamp, then: Stamp) -> u32 {
    whole_millis(now.since(then))
}

/// One off is a keep-alive's number, or a FIN's.
#[inline(always)]
fn near(a: SeqNumber, b: SeqNumber) -> bool {
    a.0.wrapping_sub(b.0).wrapping_add(1) <= 2
}
