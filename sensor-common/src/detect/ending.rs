//! How connections end: idle timers, abortive closes, answers that come too late. Labels for what is mostly benign, so that nobody
//! takes it for an attack (detection catalogue §8).

use super::{
    RstClass, Severity,
    anatomy::last_recorded,
    evidence::severity,
    silence::{HALF_CLOSED, IDLE},
};
use crate::{
    flow::{Bits, Flow, HeadBits, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    time::whole_millis,
};

/// A request that is followed by nothing for this long waits for something (1 s).
const WAITING: u32 = 976_563;
/// An application that has just received data and aborts has not read it (1 s).
const UNREAD: u32 = 976_563;
/// An answer to a FIN comes within this, or within two round trips (50 ms).
const PROMPT: u32 = 48_828;

/// What a reset says beside its anatomy, as a second finding about it. Judged before the state remembers it.
#[inline(always)]
pub fn reset(flow: &Flow, passage: &mut Passage) {
    let (d, r) = (&flow.ends[passage.packet.sender()], &flow.ends[passage.packet.receiver()]);
    // What explains a reset does not explain a forged one.
    if severity(passage.finding.evidence.score()) > Severity::Info {
        return;
    }
    let established = flow.head.bits.any(HeadBits::ESTABLISHED);
    if !established || r.segments == 0 || d.segments == 0 || flow.tails[passage.packet.sender()].reset.n > 0 {
        return;
    }
    let class = passage.finding.class;
    let stateless = class == RstClass::Stateless as u8;
    let abort = class == RstClass::Abort as u8;
    if !stateless && !abort {
        return;
    }
    let (closed_d, closed_r) = (d.bits.any(Bits::FIN), r.bits.any(Bits::FIN));
    let Some(answered) = last_recorded(flow, passage.packet.receiver(), 1) else { return };
    let keep_alive = answered.len <= 1 && answered.seq.0 == r.nxt.0.wrapping_sub(1) && r.isn.before(answered.seq);
    // Counted back from now, which orders stamps as long as they hold.
    let now = passage.stamp;
    let before = last_recorded(flow, passage.packet.receiver(), 2).map_or(answered.time, |segment| segment.time);
    let (asked, active) = (now.since(answered.time), now.since(d.last).min(now.since(before)));
    let gap = active.saturating_sub(asked);
    let first = stateless && asked < now.since(d.last);
    if closed_d {
        let lost = r.nxt.after(d.ack) && r.data > 0;
        if first && gap >= HALF_CLOSED && (closed_r || lost) {
            passage.finding.detail = [whole_millis(gap), 0];
            return passage.second(Kind::HalfCloseTimeout, Rule::Oddity);
        }
        let kind = if closed_r {
            Kind::RstInsteadOfLastAck
        } else if lost {
            Kind::ResponseLostAfterClose
        } else {
            return;
        };
        return passage.second(kind, Rule::Fact);
    }
    if first && gap >= IDLE {
        passage.finding.detail = [whole_millis(gap), 0];
        let kind = if keep_alive { Kind::KeepAliveRst } else { Kind::IdleThenRst };
        return passage.second(kind, Rule::Oddity);
    }
    // What was acknowledged before may have been read.
    let unread = abort && r.nxt.after(d.ack) && asked < now.since(d.nxt_at) && !closed_r;
    if unread && asked <= UNREAD {
        passage.second(Kind::RstCloseUnread, Rule::Fact);
    }
}

/// The server's first data after the client's FIN, where it had kept the request waiting until then: it reads to the end of the
/// stream before it answers.
#[inline(always)]
pub fn answer_to_fin(flow: &Flow, passage: &mut Passage) -> bool {
    let (d, r) = (&flow.ends[passage.packet.sender()], &flow.ends[passage.packet.receiver()]);
    if passage.packet.len == 0
        || !flow.head.watch.any(Watch::CLOSING)
        || !r.bits.any(Bits::FIN)
        || d.bits.any(Bits::FIN)
    {
        return false;
    }
    let receiver = passage.packet.receiver();
    let (Some(fin), Some(request)) = (last_recorded(flow, receiver, 1), last_recorded(flow, receiver, 2)) else {
        return false;
    };
    if !fin.flags.any(TcpFlags::FIN) || r.data == 0 {
        return false;
    }
    let prompt = if d.min_rtt > PROMPT / 2 { d.min_rtt * 2 } else { PROMPT };
    let waited = fin.time.since(request.time);
    let silent = !d.nxt_at.after(request.time) && !passage.packet.seq.before(d.nxt);
    let acked = d.ack.since(fin.seq) >= 0;
    if waited < WAITING || passage.stamp.since(fin.time) > prompt || !silent || !acked {
        return false;
    }
    passage.finding.about(passage.packet.segment(passage.stamp));
    passage.finding.detail = [whole_millis(waited), 0];
    true
}

/// A third SYN-ACK after the client has completed the handshake and sent its request: the server's queue of accepted connections
/// is full. Without a request it may wait for one (TCP_DEFER_ACCEPT).
#[inline(always)]
pub fn not_accepted(flow: &Flow, passage: &mut Passage) -> bool {
    let (d, r) = (&flow.ends[passage.packet.sender()], &flow.ends[passage.packet.receiver()]);
    let sender = passage.packet.sender();
    let (Some(last), Some(before)) = (last_recorded(flow, sender, 1), last_recorded(flow, sender, 2)) else {
        return false;
    };
    let repeated = last.flags.is_syn_ack() && before.flags.is_syn_ack();
    let same = last.seq.0 == passage.packet.seq.0 && before.seq.0 == passage.packet.seq.0;
    let completed = flow.head.bits.any(HeadBits::ESTABLISHED) && r.data > 0 && d.data == 0;
    // The client's data came before this one was due, so it is no answer that crossed them.
    let since = passage.stamp.since(r.nxt_at);
    if !repeated || !same || !completed || since < WAITING / 2 {
        return false;
    }
    passage.finding.about(passage.packet.segment(passage.stamp));
    passage.finding.detail = [whole_millis(since), 0];
    true
}
