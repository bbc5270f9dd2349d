//! Numbers that do not follow from their sender's last: sequence, acknowledgment, window, timestamps (detection catalogue §3, §4,
//! §6.4).

use super::{anatomy::last_recorded, doubt::is_out};
use crate::{
    flow::{Bits, End, Extra, Flow, Said, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    time::Stamp,
    track::scale,
    wire::{Options, Packet},
};

/// Numbers within this of the last ones are near: 32 MiB, more than windows commonly are.
const NEAR: u32 = 1 << 25;

/// Beyond so many bytes, the first number is no measure any more: 1 GiB.
const YOUNG: i32 = 1 << 30;

/// Window taken back up to this is of no use to a sender: a segment.
const SEGMENT: i32 = 1460;

/// Segments that overtook each other do so within this (10 ms).
const REORDERING: u32 = 9_766;

/// After a silence of this (60 s), ports may be another connection's.
const SILENCE: u32 = 58_593_750;

/// A second FIN comes within this (10 s).
const FORGOTTEN: u32 = 9_765_625;

/// Whether an established side's segment needs a closer look: it is far from the last one's numbers, or [`strays`].
#[inline(always)]
pub fn leap(d: &End, packet: &Packet) -> bool {
    let seq = d.nxt.0.wrapping_add(NEAR).wrapping_sub(packet.seq.0);
    let ack = packet.ack.0.wrapping_add(NEAR).wrapping_sub(d.ack.0);
    (seq | ack) >> 26 != 0 || strays(d, packet)
}

/// The same of the next one in order: whether it takes back window, lacks a timestamp, or has an older one. Asked of every segment: a
/// few instructions.
#[inline(always)]
pub fn strays(d: &End, packet: &Packet) -> bool {
    // Missing, or older.
    let stamp = packet.tsval.wrapping_sub(d.tsval);
    let bare = packet.tsval == 0 && d.tsval != 0;
    stamp >> 31 != 0 || bare || (shrinks(d, packet) && taken_back(d, packet) > SEGMENT)
}

/// Whether a window is down to less than a quarter. Load balancers double theirs for a moment, and nobody suffers.
#[inline(always)]
fn shrinks(d: &End, packet: &Packet) -> bool {
    (packet.win as u32) << 2 < d.windows as u16 as u32
}

/// Bytes by which the right edge of a side's window moves to the left, against its last window and its last acknowledgment.
#[inline(always)]
fn taken_back(d: &End, packet: &Packet) -> i32 {
    let shift = scale(d, packet.flags);
    let promised = (d.windows as u16 as u32) << shift;
    // A SYN's window is not scaled.
    let promised = if promised < d.max_window { promised } else { d.max_window };
    promised.wrapping_sub((packet.win as u32) << shift).wrapping_sub(packet.ack.0.wrapping_sub(d.ack.0)) as i32
}

/// What speaks against a segment's numbers, and two numbers beside.
#[inline(always)]
pub fn judge(flow: &mut Flow, extra: &mut Extra, passage: &mut Passage) -> Option<(Kind, Rule, [u32; 2])> {
    let packet = &mut passage.packet;
    let (sender, receiver) = (packet.sender(), packet.receiver());
    let r_acks = flow.ends[receiver].flags.any(TcpFlags::ACK);
    let (d, r) = (&flow.ends[sender], &flow.ends[receiver]);
    let said = &mut extra.said[sender];
    let lately = passage.stamp.since(d.last) < SILENCE;
    let young = |end: &End| end.nxt.since(end.isn) >= 0 && end.nxt.since(end.isn) < YOUNG;
    let below = d.isn.since(packet.seq);
    if below > NEAR as i32 && young(d) {
        let new = lately && said.first(Said::NUMBERS);
        return if new { Some((Kind::SeqUnderflow, Rule::Oddity, [below as u32, 0])) } else { None };
    }
    let below = r.isn.since(packet.ack);
    if below > NEAR as i32 && young(r) && !is_out(flow, packet) {
        let new = lately && said.first(Said::NUMBERS);
        return if new { Some((Kind::AckUnderflow, Rule::Oddity, [below as u32, 0])) } else { None };
    }
    let agreed = d.bits.any(Bits::TIMESTAMPS) && r.bits.any(Bits::TIMESTAMPS);
    if packet.tsval == 0 && d.tsval != 0 {
        let unknown = packet.options.any(Options(Options::TIMESTAMPS.0 | Options::MALFORMED.0));
        let keep_alive = packet.len <= 1 && packet.seq.0 == d.nxt.0.wrapping_sub(1);
        if unknown || keep_alive {
            return None;
        }
        // Until it has them again, the next ones are not looked at.
        flow.ends[sender].tsval = 0;
        let new = agreed && said.first(Said::BARE);
        return if new { Some((Kind::TsMissing, Rule::Oddity, [0; 2])) } else { None };
    }
    let behind = d.tsval.wrapping_sub(packet.tsval);
    if behind != 0 && behind >> 31 == 0 {
        let rejected = backwards(d, r, extra, packet, sender, r_acks);
        if rejected && extra.said[sender].first(Said::REJECTED) {
            return Some((Kind::PawsReject, Rule::Oddity, [behind, 0]));
        }
    }
    recision(flow, &passage.packet, passage.stamp)
}

/// A timestamp that runs backwards on new payload is remembered, and the clock stays where it was. Whether the other side still
/// asks for that payload when it comes again, with a timestamp that is still old: it was rejected.
#[inline(always)]
fn backwards(d: &End, r: &End, extra: &mut Extra, packet: &mut Packet, sender: usize, r_acks: bool) -> bool {
    let said = &mut extra.said;
    let waiting = said[sender].0 & Said::BACKWARDS != 0;
    if waiting && r.ack.after(extra.doubted) {
        // It was taken all the same: that is its clock now.
        said[sender].0 &= !Said::BACKWARDS;
        return false;
    }
    let new = packet.len > 0 && !packet.seq.before(d.nxt);
    if !waiting && new {
        said[sender].0 |= Said::BACKWARDS;
        said[sender ^ 1].0 &= !Said::BACKWARDS;
        extra.doubted = packet.seq;
    }
    if waiting || new {
        packet.tsval = d.tsval;
    }
    let again = waiting && packet.len > 0 && packet.seq.0 == extra.doubted.0;
    again && r_acks && r.ack.0 == packet.seq.0 && r.last.after(d.nxt_at)
}

/// Window that was promised and is taken back, by a segment that is certainly the later one.
#[inline(always)]
fn recision(flow: &Flow, packet: &Packet, at: Stamp) -> Option<(Kind, Rule, [u32; 2])> {
    let d = &flow.ends[packet.sender()];
    let last = last_recorded(flow, packet.sender(), 1)?;
    let plain = packet.flags.0 & HELD == TcpFlags::ACK.0 && last.flags.0 & HELD == TcpFlags::ACK.0;
    // The window is that of the last segment which the side was seen to send from where it is.
    let comparable = plain && last.win == d.windows as u16 && last.ttl == d.ttl && packet.ttl == d.ttl;
    let scale_known = d.bits.any(Bits::ISN) && flow.ends[packet.receiver()].bits.any(Bits::ISN);
    let later = packet.seq.since(last.seq) >= 0 && packet.ack.since(last.ack) >= 0 && last.ack.0 == d.ack.0;
    // Of two acknowledgments that are otherwise the same, either may be the older one.
    let in_order = packet.tsval.wrapping_sub(d.tsval).wrapping_sub(1) >> 31 == 0 && packet.tsval != 0;
    if !comparable || !scale_known || !later || !(in_order || at.since(last.time) > REORDERING) {
        return None;
    }
    let bytes = taken_back(d, packet);
    let unit = 1 << scale(d, packet.flags);
    if !shrinks(d, packet) || bytes <= SEGMENT || bytes <= 2 * unit {
        return None;
    }
    Some((Kind::WinRecision, Rule::Oddity, [bytes as u32, (packet.win as u32) << scale(d, packet.flags)]))
}

/// A FIN behind its side's first one: not in the order of a stream, and not another connection's.
#[inline(always)]
pub fn fin_moved(flow: &Flow, packet: &Packet, at: Stamp) -> bool {
    let d = &flow.ends[packet.sender()];
    let ahead = packet.end().since(d.nxt);
    // Payload that follows the first one without a gap is another matter.
    let gap = packet.seq.after(d.nxt) || packet.len < 2;
    d.bits.any(Bits::FIN)
        && packet.flags.0 & HELD == TcpFlags::FIN.with(TcpFlags::ACK).0
        && (1..=0xffff).contains(&ahead)
        && gap
        && at.since(d.nxt_at) < FORGOTTEN
        && !flow.head.watch.any(Watch::EMBRYONIC)
}

/// By how many ticks an echoed timestamp is ahead of all that the other side may have sent: even one that nobody saw, by a clock of a
/// million ticks a second, the fastest in use (Linux, RFC 7323 §5.4 allows a thousand).
#[inline(always)]
pub fn impossible_echo(flow: &Flow, packet: &Packet, at: Stamp) -> Option<u32> {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let agreed = d.bits.any(Bits::TIMESTAMPS) && r.bits.any(Bits::TIMESTAMPS);
    let says = packet.flags.0 & HELD == TcpFlags::ACK.0 && packet.tsecr != 0 && r.tsval != 0;
    let ahead = packet.tsecr.wrapping_sub(r.tsval);
    let elapsed = at.since(r.last);
    // A unit is 1.024 µs; a second beside, for clocks that run fast and hooks that are out of step.
    let possible = elapsed.saturating_add(elapsed >> 5).saturating_add(1_000_000);
    if agreed && says && ahead >> 31 == 0 && ahead > possible { Some(ahead) } else { None }
}

/// Flags that make a segment more, or less, than payload and an acknowledgment.
const HELD: u8 = TcpFlags::ACK.with(TcpFlags::SYN).with(TcpFlags::FIN).with(TcpFlags::RST).0;
