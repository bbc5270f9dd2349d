//! Resets that race a handshake, and resets that strike both ends at once (Weaver, Sommer, Paxson, NDSS 2009).

use super::{RstClass, Severity, evidence::severity, origin};
use crate::{
    flow::{Bits, End, Flow, Reset, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    time::{Stamp, whole_millis},
};

/// Resets of both sides within this (50 ms) are of one hand.
const AT_ONCE: u32 = 48_829;

/// An answer to data comes within this (1 s).
const ANSWERED: u32 = 976_563;

/// Judges a reset once its anatomy and evidence are known: names the finding, unless that is severe already.
#[inline(always)]
pub fn judge(flow: &Flow, passage: &mut Passage) {
    let (packet, stamp) = (&passage.packet, passage.stamp);
    let sender = packet.sender();
    let (d, r) = (&flow.ends[sender], &flow.ends[packet.receiver()]);
    let twin = &flow.tails[packet.receiver()].reset;
    let class = passage.finding.class;
    let (kind, rule, detail) = if twin.n > 0 && at_once(flow, d, r, twin, class, stamp) {
        // No more than unusual: two applications may abort at once.
        (Kind::RstBothEnds, Rule::Oddity, whole_millis(twin.at.since(r.nxt_at)))
    } else if flow.head.watch.any(Watch::EMBRYONIC) {
        let apart = origin::hops(packet.ttl).abs_diff(origin::hops(d.ttl));
        let far = apart >= 2 && origin::comparable(flow, d);
        let own_syn = d.flags.is_syn() && r.flags.0 == 0;
        let guessed = own_syn && packet.seq.0 != d.nxt.0;
        let after_syn_ack = d.flags.is_syn_ack() & r.flags.any(TcpFlags::SYN) & (d.data == 0);
        if !guessed && !(far && (own_syn || after_syn_ack)) {
            return;
        }
        // A client that rejects an answer which this sensor does not see guesses nothing: without its distance this is a fact only.
        (
            Kind::RstSyn,
            if !far {
                Rule::Fact
            } else if own_syn {
                Rule::Fault
            } else {
                Rule::Oddity
            },
            apart as u32,
        )
    } else {
        return;
    };
    passage.finding.detail = [detail, 0];
    let severe = severity(passage.finding.evidence.score()) as u8;
    if severe >= Severity::Warn as u8 || severe > rule as u8 - Rule::Fact as u8 {
        passage.second(kind, rule);
    } else {
        // It goes before what an ending would have to say.
        passage.also = 0;
        passage.finding.name(kind, rule);
    }
}

/// Whether two resets of opposite directions are of one hand: no stack answers a reset with a reset.
#[inline(always)]
fn at_once(flow: &Flow, d: &End, r: &End, twin: &Reset, class: u8, stamp: Stamp) -> bool {
    let open = !d.bits.any(Bits::FIN) & !r.bits.any(Bits::FIN) & !flow.head.watch.any(Watch::EMBRYONIC);
    // Nothing came from the other side since its reset, that this one could answer.
    let last = r.last.0 == twin.at.0;
    let live = class == RstClass::Abort as u8 || class == RstClass::Nonconforming as u8;
    // Without a socket it may answer what was sent before.
    let idle = class == RstClass::Stateless as u8 && stamp.since(r.nxt_at) > ANSWERED;
    open & last & (live | idle) & (stamp.since(twin.at) < AT_ONCE)
}
