//! Resets by where they fall in the receiver's window (RFC 5961 §3): exact ones close, others are challenged or ignored.

use super::{Evidence, RstClass};
use crate::{
    flow::{Bits, Flow, HeadBits},
    kind::Kind,
    passage::{Passage, Rule},
    time::Stamp,
};

/// Inexact resets in a side's name, this one included, after which somebody guesses.
const GUESSES: u8 = 10;

/// Resets in the window with other numbers, this one included, after which it is no longer lost data.
const TRIES: u8 = 3;

/// Within this (10 s) resets belong together.
const TOGETHER: u32 = 9_765_625;

/// The lane of an inexact reset, before it is noted; `None` for an exact one, and for one that has no socket to be exact.
///
/// Benign look-alike: a sender whose last data was lost resets a little ahead of what was seen. So a single one is a fact.
#[inline(always)]
pub fn lane(flow: &Flow, passage: &Passage) -> Option<(Kind, Rule)> {
    let packet = &passage.packet;
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    // Without its handshake the window's scale is unknown.
    let seen = flow.head.bits.any(HeadBits::ESTABLISHED) && flow.head.bits.any(HeadBits::HANDSHAKE);
    let live = seen && !d.bits.any(Bits::FIN) && !r.bits.any(Bits::FIN);
    let class = passage.finding.class;
    let judged = class == RstClass::Nonconforming as u8 || class == RstClass::Abort as u8;
    let ahead = packet.seq.since(r.ack);
    let known = d.nxt.since(r.ack);
    // What was sent and not acknowledged may have arrived: exact for all that is known.
    if !live || !judged || ahead == 0 || (ahead > 0 && ahead <= known) {
        return None;
    }
    let last = &flow.tails[packet.sender()].reset;
    let again = last.n > 0 && last.seq.0 != packet.seq.0 && together(passage.stamp, last.at);
    if ahead > 0 && (ahead as u32) < r.max_window {
        // A burst ahead of the sender is told as such.
        let tries = again && last.n >= TRIES - 1 && !passage.finding.evidence.any(Evidence::SEQ_CHANGE);
        return Some((Kind::Rfc5961RstInWindow, if tries { Rule::Fault } else { Rule::Fact }));
    }
    if again && last.n >= GUESSES - 1 {
        return Some((Kind::RstBruteForce, Rule::Attack));
    }
    Some((Kind::Rfc5961RstOutOfWindow, Rule::Fact))
}

#[inline(always)]
fn together(now: Stamp, last: Stamp) -> bool {
    now.since(last) < TOGETHER
}
