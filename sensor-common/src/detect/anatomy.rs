//! The anatomy of a reset: which code path made it. Most resets are explained by it, and explained away.

use crate::{
    flow::{Bits, Flow, HeadBits, RECORDED, Segment, TcpFlags},
    kind::Kind,
    seq::SeqNumber,
    time::Stamp,
    track::within,
    wire::Packet,
};

/// Which code path of which stack makes a reset like this (detection catalogue §0.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RstClass {
    /// Answers a SYN: the port is closed, or a rule says so (RFC 9293 §3.5.2, group 1).
    Refused = 0,
    /// Answers a segment for which there is no socket: takes its sequence number from that segment's acknowledgment.
    Stateless = 1,
    /// A live socket is aborted: exact numbers, with ACK.
    Abort = 2,
    /// A client rejects an unacceptable answer to its SYN (RFC 9293 §3.10.7.3).
    SynSent = 3,
    /// A peer without state answers a challenge ACK (RFC 5961 §4).
    AfterChallenge = 4,
    /// None of these.
    Nonconforming = 5,
    /// Nothing of the other side was seen, so there is nothing to compare it with.
    Unjudged = 6,
}

impl RstClass {
    /// From its number.
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Refused),
            1 => Some(Self::Stateless),
            2 => Some(Self::Abort),
            3 => Some(Self::SynSent),
            4 => Some(Self::AfterChallenge),
            5 => Some(Self::Nonconforming),
            6 => Some(Self::Unjudged),
            _ => None,
        }
    }

    /// The kind under which an unsuspicious reset of this class is told.
    #[inline(always)]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Refused => Kind::RstRefused,
            Self::Stateless => Kind::RstStateless,
            Self::Abort => Kind::RstAbort,
            Self::SynSent => Kind::RstSynSent,
            Self::AfterChallenge => Kind::RstAfterChallenge,
            Self::Nonconforming => Kind::RstNonconforming,
            Self::Unjudged => Kind::SpontaneousRst,
        }
    }
}

/// The segment that an end sent `back` segments ago, 1 being its last one, if it sent that many.
#[inline(always)]
pub(crate) fn last_recorded(flow: &Flow, end: usize, back: u32) -> Option<&Segment> {
    let segments = flow.ends[end & 1].segments;
    if segments < back {
        return None;
    }
    Some(&flow.tails[end & 1].recorder[(segments - back) as usize % RECORDED])
}

/// Whether an end sent `ack` as its acknowledgment, now or within its last recorded segments.
#[inline(always)]
pub(crate) fn acked_lately(flow: &Flow, end: usize, ack: SeqNumber) -> bool {
    let state = &flow.ends[end & 1];
    let mut found = state.flags.any(TcpFlags::ACK) && state.ack.0 == ack.0;
    for (i, segment) in flow.tails[end & 1].recorder.iter().enumerate() {
        let acks = segment.flags.0 & (TcpFlags::ACK.0 | TcpFlags::RST.0) == TcpFlags::ACK.0;
        found |= (i as u32) < state.segments && acks && segment.ack.0 == ack.0;
    }
    found
}

/// Whether a sequence number may be that of an acknowledgment which nobody has a record of: all that the recorder has of the other side
/// is younger than a round trip, or the flow was picked up in the middle.
#[inline(always)]
fn outrun(flow: &Flow, packet: &Packet, at: Stamp) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let behind = r.ack.since(packet.seq);
    // Without a socket there is no window to offer; and what was acknowledged within a round trip was on its way at once.
    let handshake = flow.head.bits.any(HeadBits::HANDSHAKE);
    let reach = if handshake { r.max_window } else { UNKNOWN_WINDOW };
    if packet.win != 0 || behind <= 0 || behind as u32 > reach {
        return false;
    }
    let round_trip = if d.min_rtt == 0 { UNKNOWN_RTT } else { d.min_rtt + d.min_rtt / 2 + TICK };
    match last_recorded(flow, packet.receiver(), RECORDED as u32) {
        Some(oldest) => at.since(oldest.time) < round_trip,
        None => !handshake,
    }
}

/// A round trip where none was measured (100 ms).
const UNKNOWN_RTT: u32 = 97_656;

/// A window whose scale nobody saw (1 MiB).
const UNKNOWN_WINDOW: u32 = 1 << 20;

/// How far the coarse clock may lag behind the fine one (10 ms).
const TICK: u32 = 9_766;

/// An answer comes within this (2 s).
const ANSWER: u32 = 1_953_125;

/// Classifies a reset before anything else is asked of it.
#[inline(always)]
pub fn classify(flow: &Flow, packet: &Packet, at: Stamp) -> RstClass {
    let d = &flow.ends[packet.sender()];
    let r = &flow.ends[packet.receiver()];
    let (d_known, r_known) = (d.flags.0 != 0, r.flags.0 != 0);
    if !r_known {
        return RstClass::Unjudged;
    }
    let d_is_client = matches!(flow.head.client(), Some(client) if client as u8 == packet.side);
    // It closed, or either side aborted: then there is no socket any more.
    let reset = flow.tails[0].reset.n > 0 || flow.tails[1].reset.n > 0;
    let gone = d.bits.any(Bits::FIN) || (flow.head.closed != 0 && reset);
    let outrun = outrun(flow, packet, at);
    // Where bytes pass unseen, numbers that do not fit say nothing.
    let unfit = if d.is_lossy() || r.is_lossy() { RstClass::Unjudged } else { RstClass::Nonconforming };
    // What was on its way when the flow was picked up may be answered too.
    let r_first = if flow.head.bits.any(HeadBits::HANDSHAKE) { r.isn } else { r.isn - UNKNOWN_WINDOW };
    if packet.flags.any(TcpFlags::ACK) {
        // A retry may leave out the data that came with the first SYN; and one on a flow whose end nobody saw is not learnt from.
        if let Some(request) = last_recorded(flow, packet.receiver(), 1)
            && request.flags.is_syn()
            && packet.ack.0 == request.end().0
            && (!d_known || packet.seq.0 == 0)
        {
            return RstClass::Refused;
        }
        if !d_known {
            // Only a SYN can be refused; its acknowledgment covers it, and data on it.
            let answers_syn = r.flags.any(TcpFlags::SYN) && !r.flags.any(TcpFlags::ACK);
            let lately = r.flags.any(TcpFlags::ACK) && at.since(r.last) < ANSWER;
            return if answers_syn && packet.ack.0 == r.nxt.0 {
                RstClass::Refused
            } else if lately && packet.seq.0 == r.ack.0 && within(packet.ack, r_first, r.nxt) {
                // Some stacks (lwIP) set ACK in what they say without a socket.
                RstClass::Stateless
            } else {
                RstClass::Nonconforming
            };
        }
        // Bytes that the other side acknowledged, or sent, without our having seen them widen what is exact.
        let seq_high = if r.flags.any(TcpFlags::ACK) && r.ack.after(d.nxt) { r.ack } else { d.nxt };
        let seq_low = if r.flags.any(TcpFlags::ACK) && r.ack.before(d.nxt) { r.ack } else { d.nxt };
        let ack_low = if d.flags.any(TcpFlags::ACK) { d.ack } else { r.isn };
        let ack_high = if ack_low.after(r.nxt) { ack_low } else { r.nxt };
        // Its last bytes may be lost, or late: as far ahead as the other side's window, it is still one of a live socket.
        let window = if r.max_window > 0xffff { 0xffff } else { r.max_window };
        let ahead = if d.flags.any(TcpFlags::ACK) { window } else { 0 };
        return if within(packet.seq, seq_low, seq_high + ahead) && within(packet.ack, ack_low, ack_high) {
            RstClass::Abort
        } else if within(packet.ack, r_first, r.nxt) && ((gone && within(packet.seq, d.isn, d.nxt)) || outrun) {
            // Without a socket, again.
            RstClass::Stateless
        } else {
            unfit
        };
    }
    if acked_lately(flow, packet.receiver(), packet.seq) {
        return if d_is_client && !d.flags.any(TcpFlags::ACK) {
            RstClass::SynSent
        } else if d_known && last_recorded(flow, packet.sender(), 1).is_some_and(|segment| segment.flags.is_syn()) {
            // The flow may be a live one, which learns nothing from such a SYN; the recorder has it all the same.
            RstClass::AfterChallenge
        } else {
            RstClass::Stateless
        };
    }
    if gone && within(packet.seq, d.isn, d.nxt) {
        // The side has closed or aborted: it answers what was still on its way, by acknowledgments that the recorder has forgotten.
        return RstClass::Stateless;
    }
    if outrun {
        return RstClass::Stateless;
    }
    if d_known && r.flags.any(TcpFlags::ACK) && (within(packet.seq, r.ack, d.nxt) || packet.seq.0 == d.nxt.0) {
        return RstClass::Abort;
    }
    unfit
}
