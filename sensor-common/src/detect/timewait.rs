//! TIME_WAIT: who is in it, who is put to death in it, and what it refuses (RFC 1337, RFC 6191).

use super::anatomy::RstClass;
use crate::{
    flow::{Bits, Doubt, End, Flow, HeadBits},
    seq::SeqNumber,
    time::millis,
    wire::Packet,
};

/// Nobody keeps TIME_WAIT for longer (240 s).
pub(crate) const TIME_WAIT: u32 = 228_882;

/// Rounds of request, old numbers and reset after which the resets do not arrive.
const ROUNDS: u8 = 3;

/// Whether both sides have closed, and `end` did so first: then it is the one that waits.
#[inline(always)]
fn waits(flow: &Flow, end: usize) -> bool {
    let both = flow.ends[0].bits.any(Bits::FIN) && flow.ends[1].bits.any(Bits::FIN);
    both && flow.head.how >> (4 * (end & 1)) & 8 != 0
}

/// Whether a reset, not yet noted, ends its receiver's TIME_WAIT: both FINs are acknowledged, and it is exact.
#[inline(always)]
pub fn assassinates(flow: &Flow, packet: &Packet, class: u8) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let live = class == RstClass::Abort as u8 || class == RstClass::Stateless as u8;
    let all_said = d.ack.0 == r.nxt.0 && r.ack.0 == d.nxt.0;
    live && waits(flow, packet.receiver())
        && all_said
        && packet.seq.0 == r.ack.0
        && flow.tails[packet.sender()].reset.n == 0
}

/// What a SYN on the ports of a connection that its receiver keeps in TIME_WAIT has against it: [`Doubt::BELOW`], [`Doubt::OLDER`].
/// Before the state forgets that connection.
#[inline(always)]
pub fn objections(flow: &Flow, packet: &Packet, now: u64) -> u8 {
    let d: &End = &flow.ends[packet.sender()];
    let recent = flow.head.closed != 0 && millis(now).wrapping_sub(flow.head.closed) < TIME_WAIT;
    let waits = waits(flow, packet.receiver()) && flow.head.bits.any(HeadBits::ESTABLISHED);
    if !recent || !waits || packet.seq.after(d.nxt) {
        return 0;
    }
    let stamped = d.tsval != 0 && packet.tsval != 0;
    let newer = stamped && SeqNumber(packet.tsval).after(SeqNumber(d.tsval));
    if newer { Doubt::BELOW } else { Doubt::BELOW | Doubt::OLDER }
}

/// Whether such a SYN must be refused.
#[inline(always)]
pub const fn is_refused(marks: u8) -> bool {
    marks & (Doubt::BELOW | Doubt::OLDER) == Doubt::BELOW | Doubt::OLDER
}

/// Whether a request, the third of its number, has come upon nothing but silence.
#[inline(always)]
pub fn is_unanswered(flow: &Flow, packet: &Packet) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    d.segments == 2 && r.segments == 0 && flow.tails[packet.receiver()].reset.n == 0
}

/// Whether a client's reset, already noted, is one of many that clear nothing: as many requests, each answered by old numbers.
#[inline(always)]
pub fn goes_round(flow: &Flow, packet: &Packet) -> bool {
    let reset = &flow.tails[packet.sender()].reset;
    // The reset at hand is noted, and not yet recorded.
    let requests = flow.ends[packet.sender()].segments.wrapping_add(1).wrapping_sub(reset.n as u32);
    reset.class() == RstClass::SynSent as u8 && reset.n >= ROUNDS && requests >= ROUNDS as u32
}
