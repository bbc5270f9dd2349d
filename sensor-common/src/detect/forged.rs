//! First family: packets that did not come from the peer.
//!
//! Resets are judged as they come. FINs, payload and SYN-ACKs from an unexpected distance are judged when the side's own
//! distance returns, because a route change that stays looks the same until then. And what a side does after "its own" reset or
//! FIN is judged last: it is the best evidence there is.

use super::{
    Evidence, RstClass,
    anatomy::{acked_lately, classify, last_recorded},
    origin::{self, far_bit},
};
use crate::{
    flow::{Bits, End, Flow, RECORDED, Reset, Segment, TcpFlags, Watch},
    kind::Kind,
    opaque::recall,
    passage::{Finding, Passage},
    time::Stamp,
    track::within,
    wire::{Options, Packet},
};

/// Resets further apart than this (2 s) are not one burst (Weaver, Sommer, Paxson 2009).
const BURST: u32 = 1_953_125;

/// Nothing is retransmitted within this beyond the round trip (190 ms).
const RETRANSMISSION: u32 = 185_547;

/// A sender that knows nothing of its FIN carries on within this (10 s).
const FORGOTTEN: u32 = 9_765_625;

/// Segments that overtook each other do so within this (10 ms).
const REORDERING: u32 = 9_766;

/// Judges a reset: its anatomy, then each independent kind of evidence.
#[inline(always)]
pub fn reset(flow: &Flow, passage: &mut Passage) {
    passage.finding.about(passage.packet.segment(passage.stamp));
    passage.finding.class = classify(flow, &passage.packet, passage.stamp) as u8;
    origin::judge(flow, passage.packet.sender(), &mut passage.finding, Evidence::TTL_RST);
    if is_stateless(&passage.finding) {
        // Made without a socket, it has neither the socket's IP-ID nor its TOS.
        passage.finding.evidence.drop(Evidence::IPID_JUMP);
    } else if passage.finding.evidence.has(Evidence::SAME_DISTANCE) && !is(&passage.finding, RstClass::Unjudged) {
        // A live socket has one initial TTL.
        passage.finding.evidence.drop(Evidence::SAME_DISTANCE);
        passage.finding.evidence.add_if(true, Evidence::TTL_INITIAL);
    }
    answer(flow, passage);
    history(flow, passage);
    headers(flow, passage);
    against(flow, passage);
}

/// The anatomy as noted, read back from memory.
#[inline(always)]
fn is(finding: &Finding, class: RstClass) -> bool {
    recall(&finding.class) == class as u8
}

/// Whether it was made by a host that has no socket for the connection.
#[inline(always)]
fn is_stateless(finding: &Finding) -> bool {
    is(finding, RstClass::Stateless) || is(finding, RstClass::SynSent) || is(finding, RstClass::AfterChallenge)
}

/// Sooner than the path allows. Only if it can be nothing but an answer: it acknowledges what was not acknowledged before, or
/// takes its sequence number from an acknowledgment and not from the side's own bytes.
#[inline(never)]
fn answer(flow: &Flow, passage: &mut Passage) {
    let (packet, finding) = (&passage.packet, &mut passage.finding);
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    if r.flags.0 == 0 {
        return;
    }
    let caused_at = if packet.flags.any(TcpFlags::ACK) {
        if packet.ack.0 != r.nxt.0 || d.ack.0 == r.nxt.0 {
            return;
        }
        r.nxt_at
    } else {
        // An older acknowledgment that it may answer is of an unknown time.
        if !is_stateless(finding) || packet.seq.0 == d.nxt.0 || packet.seq.0 != r.ack.0 {
            return;
        }
        r.ack_at
    };
    // Zero means that there is nothing it answers, so an answer at the same instant is one unit away.
    let delay = passage.stamp.since(caused_at);
    finding.delay = if delay == 0 { 1 } else { delay };
    finding.evidence.add_if(origin::too_fast(d, finding.delay), Evidence::TOO_FAST);
}

/// Against what was sent before: bytes long acknowledged, resets that disagree.
#[inline(never)]
fn history(flow: &Flow, passage: &mut Passage) {
    let (packet, finding) = (&passage.packet, &mut passage.finding);
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    finding.evidence.add_if(is(finding, RstClass::Nonconforming), Evidence::NONCONFORMING);
    if d.flags.0 == 0 || r.flags.0 == 0 {
        return;
    }
    // Lost data explains a number ahead of the sender's, but not from elsewhere.
    let ahead = packet.flags.any(TcpFlags::ACK) && packet.seq.after(d.nxt) && packet.seq.after(r.ack);
    let elsewhere = finding.evidence.has(Evidence(Evidence::TTL_RST.0 | Evidence::TTL_WEAK.0));
    finding.evidence.add_if(ahead && elsewhere, Evidence::NONCONFORMING);
    let acked_before = r.flags.any(TcpFlags::ACK) && packet.seq.before(r.ack) && packet.seq.after(d.isn);
    let explained = is(finding, RstClass::Refused) || is(finding, RstClass::Stateless);
    // An acknowledgment that was not seen may be what it answers.
    let stale = acked_before && !explained && !r.is_lossy() && !acked_lately(flow, packet.receiver(), packet.seq);
    finding.evidence.add_if(stale, Evidence::STALE_SEQ);

    let last = &flow.tails[packet.sender()].reset;
    if last.n == 0 || passage.stamp.since(last.at) >= BURST {
        return;
    }
    let fin = d.bits.any(Bits::FIN) || r.bits.any(Bits::FIN);
    let ahead = packet.seq.since(last.seq) > 2 && packet.seq.after(d.nxt) && packet.seq.since(r.ack) > 2;
    let answered = flow.tails[packet.receiver()].reset.n > 0;
    let hedging = ahead && r.flags.any(TcpFlags::ACK) && !fin && !answered && !d.is_lossy();
    // Lost data explains one reset ahead of its sender, not one ahead of another.
    finding.evidence.add_if(hedging, Evidence(Evidence::SEQ_CHANGE.0 | Evidence::NONCONFORMING.0));
    // With the flag clear the field says nothing (some stacks leave old numbers there), and so cannot disagree.
    let says = packet.flags.any(TcpFlags::ACK) && last.any(Reset::ACKED) && last.ack.0 != 0;
    let disagree = says && packet.ack.0 != last.ack.0;
    let impossible = !within(packet.ack, r.isn, r.nxt) || !within(last.ack, r.isn, r.nxt);
    let known = r.bits.any(Bits::ISN) && !r.is_lossy();
    finding.evidence.add_if(disagree && known && impossible, Evidence::ACK_CHANGE);
}

/// Against the side's own headers: DSCP, DF, flow label, timestamps, window scale, source MAC.
#[inline(never)]
fn headers(flow: &Flow, passage: &mut Passage) {
    let (packet, finding) = (&passage.packet, &mut passage.finding);
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    if d.flags.0 == 0 {
        return;
    }
    let stateless = is_stateless(finding);
    let v4 = flow.head.key.link.ip_version() == 4;
    let [tos, own, other] = [packet.tos, d.tos, r.tos].map(|tos| tos & !End::MARKS);
    let df = packet.options.any(Options::DONT_FRAGMENT) != d.bits.any(Bits::DF);
    let label = packet.ipid != 0 && packet.ipid != d.ipid && packet.ipid != r.ipid;
    // Linux mirrors the TOS of what it answers without a socket, as that arrived there, and sets DF.
    let foreign = !stateless && ((tos != own && tos != other) || if v4 { df } else { label });
    finding.evidence.add_if(foreign, Evidence::TOS_DF);
    let agreed = d.bits.any(Bits::TIMESTAMPS) && r.bits.any(Bits::TIMESTAMPS);
    let missing = agreed && !stateless && !packet.options.any(Options::TIMESTAMPS);
    finding.evidence.add_if(missing, Evidence::TS_MISSING);
    finding.evidence.add_if(unscaled(d, packet.win), Evidence::WIN_UNSCALED);
    finding.evidence.add_if(packet.mac != 0 && d.mac != 0 && packet.mac != d.mac, Evidence::L2_ORIGIN);
}

/// What speaks for the reset.
#[inline(never)]
fn against(flow: &Flow, passage: &mut Passage) {
    let (packet, finding) = (&passage.packet, &mut passage.finding);
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let plain = packet.options.0 & !Options::DONT_FRAGMENT.0 == 0 && packet.len == 0;
    let v6 = flow.head.key.link.ip_version() == 6;
    let linux_id = v6 || (packet.ipid == 0 && packet.options.any(Options::DONT_FRAGMENT));
    let linux = is_stateless(finding) && packet.win == 0 && plain && linux_id;
    finding.evidence.add_if(linux, Evidence::LINUX_STATELESS);
    let fin = d.bits.any(Bits::FIN) || r.bits.any(Bits::FIN);
    let own_distance = !finding.evidence.has(Evidence(Evidence::TTL_RST.0 | Evidence::TTL_WEAK.0));
    let exact = is(finding, RstClass::Stateless) || is(finding, RstClass::Abort);
    finding.evidence.add_if(fin && own_distance && exact, Evidence::AFTER_FIN);
}

/// Whether a window makes no sense at the agreed scale, but does without it.
#[inline(always)]
fn unscaled(d: &End, win: u16) -> bool {
    let scaled = d.bits.any(Bits::SCALED);
    let plausible = matches!(win, 5840 | 8192 | 29200 | 64240 | 65535);
    scaled && plausible && win as u32 > (d.max_window >> (d.wscale & 15)).saturating_mul(4)
}

/// Judges the stranger that the sender's own distance has come back after, if that is what came before. Whether there is
/// anything to tell.
#[inline(always)]
pub fn stranger(flow: &Flow, passage: &mut Passage) -> bool {
    let sender = passage.packet.sender();
    let d = &flow.ends[sender];
    let Some(suspect) = last_recorded(flow, sender, 1) else { return false };
    if suspect.ttl != d.ttl_alt || suspect.flags.any(TcpFlags::RST) {
        return false;
    }
    passage.finding.about(*suspect);
    origin::judge(flow, sender, &mut passage.finding, far_bit(suspect.flags));
    let packet = &passage.packet;
    let other_content = other_content(d, packet, passage.stamp, suspect);
    passage.finding.evidence.add_if(other_content, Evidence::DUP_CONTENT);
    // Distance is what made it a suspect; without it only other content counts.
    passage.finding.evidence.has(Evidence(Evidence::TTL.0 | Evidence::DUP_CONTENT.0))
}

/// Judges a segment from the handshake's distance while none is settled yet: did one from elsewhere, just before, begin at the same
/// byte with other content? Injected answers race the first genuine one. Whether there is anything to tell.
#[inline(always)]
pub fn raced(flow: &Flow, passage: &mut Passage) -> bool {
    let Passage { packet, finding, stamp, .. } = passage;
    for back in 1..RECORDED as u32 {
        let Some(suspect) = last_recorded(flow, packet.sender(), back) else { return false };
        let d = &flow.ends[packet.sender()];
        if suspect.ttl != packet.ttl && other_content(d, packet, *stamp, suspect) {
            let apart = origin::hops(suspect.ttl).abs_diff(origin::hops(packet.ttl));
            finding.about(*suspect);
            finding.evidence.add_if(true, Evidence::DUP_CONTENT);
            finding.evidence.add_if(apart >= 2, far_bit(suspect.flags));
            finding.evidence.add_if(apart < 2, Evidence::TTL_WEAK);
            return true;
        }
    }
    false
}

/// Whether a segment begins at the same byte as `suspect` with another length, and too soon after it to be a retransmission that
/// took more data along: those wait for a round trip and 200 ms (RFC 6298, and Linux's least).
#[inline(always)]
fn other_content(d: &End, packet: &Packet, at: Stamp, suspect: &Segment) -> bool {
    let same_start = packet.len > 0 && suspect.len > 0 && packet.seq.0 == suspect.seq.0;
    same_start && packet.len != suspect.len as u32 && at.since(suspect.time) < d.min_rtt + RETRANSMISSION
}

/// Whether a segment shows that the last reset in its sender's name was not the sender's.
#[inline(always)]
pub fn carried_on(flow: &Flow, passage: &Passage) -> bool {
    let packet = &passage.packet;
    let d = &flow.ends[packet.sender()];
    let last = &flow.tails[packet.sender()].reset;
    if last.n == 0 || d.bits.any(Bits::FIN) {
        return false;
    }
    if last.class() == RstClass::Refused as u8 {
        // A refusal is contradicted by a SYN-ACK to the same attempt; a new SYN in between has cleared the watch.
        return packet.flags.is_syn_ack();
    }
    if last.class() == RstClass::SynSent as u8 || last.class() == RstClass::AfterChallenge as u8 {
        return false;
    }
    let says_more = packet.len > 0 || packet.flags.any(TcpFlags::FIN);
    let beyond = packet.end().after(last.seq);
    let late = passage.stamp.since(last.at) > REORDERING;
    let fresh = packet.end().after(d.nxt) || late;
    // A bare FIN that was overtaken by what the closed host said to data that had not seen it.
    let socketless = last.ack.0 == 0 || last.class() == RstClass::Stateless as u8;
    let overtaken = packet.len == 0 && packet.seq.0 == last.seq.0 && socketless && !late;
    !packet.flags.any(TcpFlags::SYN) && says_more && beyond && fresh && !overtaken
}

/// Judges payload beyond its sender's FIN. Whether there is anything to tell.
#[inline(always)]
pub fn past_fin(flow: &Flow, passage: &mut Passage) -> bool {
    let packet = &passage.packet;
    let d = &flow.ends[packet.sender()];
    // A single byte is a keep-alive probe.
    if !d.bits.any(Bits::FIN) || packet.len < 2 || !packet.end().after(d.nxt) {
        return false;
    }
    // Long after, it is another connection, whose SYN was not seen.
    if passage.stamp.since(d.nxt_at) > FORGOTTEN {
        return false;
    }
    let sender = packet.sender();
    passage.finding.about(packet.segment(passage.stamp));
    let Some(fin) = last_recorded(flow, sender, 1) else { return false };
    // A familiar FIN has been learnt from: compared with itself, it would look like a copy.
    if fin.flags.any(TcpFlags::FIN) && fin.ttl == d.ttl_alt && flow.head.watch.any(Watch::stranger(sender)) {
        // What is in doubt is the FIN, so that is what the evidence is about.
        passage.finding.about(*fin);
        origin::judge(flow, sender, &mut passage.finding, Evidence::TTL_FIN);
    }
    passage.finding.evidence.add_if(true, Evidence::DATA_AFTER_FIN);
    true
}

/// The kind under which a suspicious reset is told: its strongest evidence.
#[inline(always)]
pub fn reset_kind(evidence: Evidence) -> Option<Kind> {
    const ORDER: [(Evidence, Kind); 8] = [
        (Evidence::TTL_RST, Kind::TtlRstMismatch),
        (Evidence::SEQ_CHANGE, Kind::RstSeqChange),
        (Evidence::ACK_CHANGE, Kind::RstAckChange),
        (Evidence::TOO_FAST, Kind::RstTooFast),
        (Evidence::STALE_SEQ, Kind::DataSeqRst),
        (Evidence::WIN_MIRROR, Kind::WinMirrorPeer),
        (Evidence::TTL_INITIAL, Kind::TtlRstMismatch),
        (Evidence::TTL_WEAK, Kind::TtlRstMismatch),
    ];
    ORDER.into_iter().find(|(bit, _)| evidence.any(*bit)).map(|(_, kind)| kind)
}

/// The kind under which a suspicious segment that is not a reset is told.
#[inline(always)]
pub fn stranger_kind(evidence: Evidence) -> Kind {
    if evidence.any(Evidence::TTL_SYNACK) {
        Kind::TtlSynAckMismatch
    } else if evidence.any(Evidence::TTL_FIN) {
        Kind::TtlFinMismatch
    } else {
        Kind::TtlDataMismatch
    }
}
