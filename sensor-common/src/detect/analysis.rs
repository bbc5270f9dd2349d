//! Wireshark's `tcp.analysis` (detection catalogue §5): what a segment is beside the numbers of those before it.
//!
//! Conditions as in Wireshark 4.0's `tcp_analyze_sequence_number`, over constant memory. [`plain`] tells most segments apart by
//! the two [`End`]s alone; all others come to [`judge`], which also reads each side's last recorded segment and cold state.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    detect::stall::{self, Stall},
    flow::{Bits, End, Extra, Flow, Half, RECORDED, Segment, TcpFlags},
    opaque::{keep, recall},
    seq::SeqNumber,
    time::Stamp,
    track,
    wire::Packet,
};

macro_rules! rows {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $id:literal;)*) => {
        impl Rows {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*

            /// Each row's public name, by its bit.
            pub const IDS: [&'static str; ROWS] = [$($id),*];
        }
    };
}

/// How many rows there are.
pub const ROWS: usize = 16;

/// A set of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Rows(pub u16);

rows! {
    /// One byte into a closed window.
    ZERO_WINDOW_PROBE = 0, "ws-zero-window-probe";
    /// The sender's window is closed.
    ZERO_WINDOW = 1, "ws-zero-window";
    /// Bytes before it were not seen.
    LOST_SEGMENT = 2, "ws-lost-segment";
    /// At most one byte, and that an old one.
    KEEP_ALIVE = 3, "ws-keep-alive";
    /// Only the window is new.
    WINDOW_UPDATE = 4, "ws-window-update";
    /// It fills the receiver's window to the brim.
    WINDOW_FULL = 5, "ws-window-full";
    /// The answer to a keep-alive.
    KEEP_ALIVE_ACK = 6, "ws-keep-alive-ack";
    /// The answer to a probe of a closed window, which stays closed.
    ZERO_WINDOW_PROBE_ACK = 7, "ws-zero-window-probe-ack";
    /// Nothing is new.
    DUPLICATE_ACK = 8, "ws-dup-ack";
    /// It acknowledges bytes that were not seen.
    ACK_LOST_SEGMENT = 9, "ws-ack-lost-segment";
    /// All of its payload had been acknowledged.
    SPURIOUS_RETRANSMISSION = 10, "ws-spurious-retransmission";
    /// What two duplicate acknowledgments asked for, within 20 ms.
    FAST_RETRANSMISSION = 11, "ws-fast-retransmission";
    /// Old bytes so soon after new ones that they were overtaken.
    OUT_OF_ORDER = 12, "ws-out-of-order";
    /// Old bytes, for any other reason.
    RETRANSMISSION = 13, "ws-retransmission";
    /// A retransmission that was waited for: not a copy with the same time.
    RTO = 14, "ws-rto";
    /// A request for a new connection between ports that had one.
    REUSED_PORTS = 15, "ws-reused-ports";
}

impl Rows {
    /// Old bytes, copies on the wire included, that were not overtaken.
    pub const REPEATED: Self =
        Self(Self::SPURIOUS_RETRANSMISSION.0 | Self::FAST_RETRANSMISSION.0 | Self::RETRANSMISSION.0);

    /// Whether any of `rows` is in it.
    #[inline(always)]
    pub const fn any(self, rows: Self) -> bool {
        self.0 & rows.0 != 0
    }

    /// Adds `row` where `present`.
    #[inline(always)]
    fn put(&mut self, row: Self, present: bool) {
        // In the passage, so that the verifier forgets which conditions led here.
        let before = recall(&self.0);
        keep(&mut self.0, before | (row.0 * present as u16));
    }
}

/// Flags of segments that open or close.
const EDGES: TcpFlags = TcpFlags::SYN.with(TcpFlags::FIN).with(TcpFlags::RST);
/// A retransmission that follows the acknowledgment which asked for it within this is fast: 20 ms, in units of 1.024 µs.
const FAST: u32 = 19_532;
/// Old bytes within this of the newest were overtaken, where the round trip is unknown: 3 ms. Nobody repeats as soon as that
/// unasked, so what does is a copy on the wire.
const OVERTAKEN: u32 = 2_930;
/// A gap beyond the largest window there is (RFC 7323 §2.3) is no gap, but another connection.
const LARGEST: i32 = 1 << 30;

/// Whether a segment of `d`, on an established flow and with no flag but ACK and PSH that matters, has nothing to tell and leaves no
/// trace in the cold state: the next one in order, with payload or a new acknowledgment of bytes that were seen, open windows,
/// and nothing pending on either side.
#[inline(always)]
pub fn plain(d: &End, r: &End, packet: &Packet) -> bool {
    let ahead = packet.ack.since(d.ack);
    let window = r.windows as u16 as u32;
    let room = (packet.seq + packet.len).0.wrapping_sub(r.ack.0);
    packet.seq.0 == d.nxt.0
        && packet.flags.any(TcpFlags::ACK)
        && (d.wscale | r.wscale) & End::LOOK == 0
        && packet.win != 0
        && window != 0
        && (packet.len != 0 || ahead != 0)
        && ahead >= 0
        && !packet.ack.after(r.nxt)
        && room != window
        && room != window << (r.wscale & 15)
}

/// When a segment was seen: within its flow, strictly after all before, and by the clock alone.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// In its flow's order.
    pub stamp: Stamp,
    /// By the clock, which may have gone back.
    pub clock: Stamp,
}

impl At {
    /// Whether less than `units` have passed since `then`. A clock that went back by more than a tick says nothing.
    #[inline(always)]
    const fn within(self, units: u32, then: Stamp) -> bool {
        const TICK: u32 = 15_625;
        let back = then.0.wrapping_sub(self.clock.0);
        self.stamp.since(then) < units && (back <= TICK || back > u32::MAX / 2)
    }
}

/// What follows from the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether the sender repeated what it had sent.
    pub repeated: bool,
    /// A closed window, if there is something to tell of it.
    pub stall: Stall,
}

/// Judges a segment before the state learns from it, and updates the cold state. `learns` says whether the state will learn all
/// of it; `rows` says beforehand whether it asks for a new connection where there was one.
#[inline(always)]
pub fn judge(flow: &mut Flow, extra: &mut Extra, packet: &Packet, at: At, learns: bool, rows: &mut Rows) -> Judged {
    let (own, other) = (packet.sender(), packet.receiver());
    let (last, peer) = (last(flow, own), last(flow, other));
    let (d, r) = track::ends(flow, own);
    let (half, far) = halves(extra, own);
    if rows.any(Rows::REUSED_PORTS) && !learns {
        // Not the connection that is known here.
        return Judged { repeated: false, stall: Stall::NONE };
    }
    let now = Now::of(d, half, &last, packet);
    let edges = packet.flags.any(EDGES);
    if now.known && packet.len == 1 && packet.seq.0 == now.next.0 && r.segments != 0 && peer.win == 0 {
        rows.put(Rows::ZERO_WINDOW_PROBE, true);
    } else {
        let one_before = now.known && packet.len <= 1 && packet.seq.0 == (now.next - 1).0 && !edges;
        rows.put(Rows::ZERO_WINDOW, packet.win == 0 && !edges);
        rows.put(Rows::LOST_SEGMENT, now.known && packet.seq.after(now.next) && !packet.flags.any(TcpFlags::RST));
        rows.put(Rows::KEEP_ALIVE, one_before);
        rows.put(Rows::WINDOW_FULL, packet.len > 0 && !edges && fills(d, r, &peer, packet));
        rows.put(Rows::WINDOW_UPDATE, now.same && packet.win != 0 && packet.win != last.win);
        let again = now.same && packet.win == last.win;
        let kept = again && packet.win != 0 && far.any(Half::KEPT_ALIVE);
        rows.put(Rows::KEEP_ALIVE_ACK, kept);
        rows.put(Rows::ZERO_WINDOW_PROBE_ACK, again && packet.win == 0 && far.any(Half::PROBED));
        let duplicate = again && packet.win != 0 && !kept;
        rows.put(Rows::DUPLICATE_ACK, duplicate);
        let asks = duplicate && half.dup_acks == ASKS - 1 && !is_copy(&last, packet, at);
        half.asked = half.asked.saturating_add(asks as u8);
        half.dup_acks = half.dup_acks.saturating_add(duplicate as u8);
    }
    if packet.ack.0 != last.ack.0 || (packet.len > 0 && at.stamp.since(d.ack_at) > ASKED) {
        half.dup_acks = 0;
    }
    acknowledged(r, far, packet, learns, rows);
    if packet.len > 0 || packet.flags.any(TcpFlags::SYN.with(TcpFlags::FIN)) {
        again(d, r, &now, far, &peer, packet, at, rows);
    }
    let copy = now.known && is_copy(&last, packet, at);
    let repeated = learns && !copy && repeats(d, at, Rows(recall(&rows.0)));
    half.repeated = half.repeated.saturating_add(repeated as u16);
    // What nobody is seen to acknowledge need not be kept in mind.
    let heard = r.segments != 0;
    learn(half, &now, packet, (learns, heard), Rows(recall(&rows.0)));
    let stall = stall::follow(r, half, far, packet, at.stamp, Rows(recall(&rows.0)));
    let advances = packet.flags.any(TcpFlags::ACK) && (packet.ack.after(d.ack) || !d.flags.any(TcpFlags::ACK));
    let pending = half.dup_acks != 0
        || half.front.0 != now.after(packet, Rows(recall(&rows.0))).0
        || half.any(Half::KEPT_ALIVE | Half::PROBED | Half::PROBE_BYTE | Half::STALLED | Half::UNSEEN)
        || (!advances && packet.ack.0 != d.ack.0)
        || !learns;
    d.look(pending);
    if rows.any(Rows::ACK_LOST_SEGMENT) {
        r.look(true);
    }
    Judged { repeated, stall }
}

/// So many duplicate acknowledgments ask for what is missing (RFC 5681 §3.2).
const ASKS: u8 = 3;

/// What was asked for longer ago (10 s) by one who now sends payload is repeated, if at all, by a timer.
const ASKED: u32 = 9_765_625;

/// The sender's numbers as Wireshark has them.
#[derive(Clone, Copy)]
struct Now {
    /// Whether it was seen before.
    known: bool,
    /// Its next byte: probes of a closed window do not count as sent.
    next: SeqNumber,
    /// Whether the segment carries nothing but a window.
    same: bool,
}

impl Now {
    #[inline(always)]
    fn of(d: &End, half: &mut Half, last: &Segment, packet: &Packet) -> Self {
        let known = d.flags.0 != 0;
        let next = d.nxt - half.any(Half::PROBE_BYTE) as u32;
        if !d.is_looked_at() {
            // Plain segments since then have moved it along.
            half.front = next;
        }
        let bare = packet.len == 0 && !packet.flags.any(EDGES);
        let same = known && bare && packet.seq.0 == next.0 && packet.ack.0 == last.ack.0;
        Self { known, next, same }
    }

    /// Its next byte once the segment is through.
    #[inline(always)]
    fn after(&self, packet: &Packet, rows: Rows) -> SeqNumber {
        let end = end(packet);
        let moves = !rows.any(Rows::ZERO_WINDOW_PROBE) && !packet.flags.any(TcpFlags::RST);
        if moves && (!self.known || end.after(self.next)) { end } else { self.next }
    }
}

/// Sequence number that follows; SYN and FIN together count one here.
#[inline(always)]
fn end(packet: &Packet) -> SeqNumber {
    packet.seq + packet.len + packet.flags.any(TcpFlags::SYN.with(TcpFlags::FIN)) as u32
}

/// A side's last segment, resets included.
#[inline(always)]
fn last(flow: &Flow, side: usize) -> Segment {
    let end = &flow.ends[side & 1];
    let mut last = flow.tails[side & 1].recorder[end.segments.wrapping_sub(1) as usize % RECORDED];
    if end.segments == 0 {
        last.ack = end.ack;
        last.win = end.windows as u16;
    }
    last
}

/// Both sides' cold state, the sender's first.
#[inline(always)]
pub fn halves(extra: &mut Extra, sender: usize) -> (&mut Half, &mut Half) {
    let [a, b] = &mut extra.halves;
    if sender & 1 == 0 { (a, b) } else { (b, a) }
}

/// Whether the segment's last byte is the last that the receiver's window has room for, where its scale is known.
#[inline(always)]
fn fills(d: &End, r: &End, peer: &Segment, packet: &Packet) -> bool {
    let asked = |end: &End| end.bits.any(Bits::ISN);
    let unscaled = (asked(d) && !d.bits.any(Bits::WSCALE)) || (asked(r) && !r.bits.any(Bits::WSCALE));
    let shift = if unscaled || peer.flags.any(TcpFlags::SYN) { 0 } else { r.wscale & 15 };
    let edge = peer.ack + ((peer.win as u32) << shift);
    r.segments != 0 && (unscaled || asked(r)) && (packet.seq + packet.len).0 == edge.0
}

/// An acknowledgment beyond what was seen of the other side without a gap.
#[inline(always)]
fn acknowledged(r: &mut End, far: &mut Half, packet: &Packet, learns: bool, rows: &mut Rows) {
    let next = r.nxt - far.any(Half::PROBE_BYTE) as u32;
    if !r.is_looked_at() {
        far.front = next;
    }
    if r.flags.0 == 0 || !packet.flags.any(TcpFlags::ACK) || !packet.ack.after(far.front) {
        return;
    }
    // Once, until the other side is seen to send more.
    let told = far.any(Half::UNSEEN) && far.front.0 == next.0;
    rows.put(Rows::ACK_LOST_SEGMENT, !told);
    if learns {
        far.front = next;
        far.marks |= Half::UNSEEN;
        far.unseen = far.unseen.saturating_add(!told as u16);
        r.wscale |= End::LOSSY;
    }
}

/// Old bytes: spurious, fast, overtaken, or repeated for any other reason.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "one step of the judgment, inlined")]
fn again(d: &End, r: &End, now: &Now, far: &Half, peer: &Segment, packet: &Packet, at: At, rows: &mut Rows) {
    if rows.any(Rows::KEEP_ALIVE) {
        return;
    }
    // Behind a probe's byte all is new.
    let behind_probe = packet.len > 1 && packet.seq.0 == (now.next - 1).0;
    let old = now.known && packet.seq.before(now.next) && !behind_probe;
    let acknowledged = r.segments != 0 && peer.ack.0 != 0 && !(packet.seq + packet.len).after(peer.ack);
    let round_trip = if d.min_rtt == 0 || r.min_rtt == 0 { OVERTAKEN } else { d.min_rtt + r.min_rtt };
    if packet.len > 0 && acknowledged {
        rows.put(Rows::SPURIOUS_RETRANSMISSION, true);
    } else if old {
        let asked_for = far.dup_acks >= 2 && peer.ack.0 == packet.seq.0 && at.within(FAST, r.last);
        let overtaken = at.within(round_trip, d.nxt_at) && end(packet).0 != now.next.0;
        rows.put(Rows::FAST_RETRANSMISSION, asked_for);
        rows.put(Rows::OUT_OF_ORDER, !asked_for && overtaken);
        rows.put(Rows::RETRANSMISSION, !asked_for && !overtaken);
        rows.put(Rows::RTO, !asked_for && !overtaken && at.clock.0 != d.nxt_at.0);
    }
}

/// Whether a segment is its sender's last one once more: mirror ports may show each frame twice. What is really repeated has another
/// IP-ID, or comes later.
#[inline(always)]
fn is_copy(last: &Segment, packet: &Packet, at: At) -> bool {
    let len = if packet.len > 0xffff { 0xffff } else { packet.len };
    last.seq.0 == packet.seq.0
        && last.ack.0 == packet.ack.0
        && last.len as u32 == len
        && last.ipid == packet.ipid
        && at.within(OVERTAKEN, last.time)
}

/// Whether the sender repeated its bytes. What was acknowledged is not repeated as soon as that either.
#[inline(always)]
fn repeats(d: &End, at: At, rows: Rows) -> bool {
    let soon = rows.any(Rows::SPURIOUS_RETRANSMISSION) && at.within(OVERTAKEN, d.nxt_at);
    rows.any(Rows::REPEATED) && !soon
}

/// What the sender's cold state learns.
#[inline(always)]
fn learn(half: &mut Half, now: &Now, packet: &Packet, (learns, heard): (bool, bool), rows: Rows) {
    let after = now.after(packet, rows);
    let probe = rows.any(Rows::ZERO_WINDOW_PROBE);
    // Of what was seen before there can be copies only.
    let overtaken = rows.any(Rows::OUT_OF_ORDER) && !packet.seq.before(half.front);
    if !heard || (!probe && (!now.known || packet.seq.0 == half.front.0)) {
        half.front = after;
    }
    let mut marks = half.marks & !(Half::KEPT_ALIVE | Half::PROBED);
    if probe {
        marks |= Half::PROBED | Half::PROBE_BYTE;
    }
    if rows.any(Rows::KEEP_ALIVE) {
        marks |= Half::KEPT_ALIVE;
    }
    if after.0 != now.next.0 {
        marks &= !(Half::UNSEEN | if probe { 0 } else { Half::PROBE_BYTE });
    }
    half.marks = marks;
    if !learns {
        return;
    }
    half.reordered = half.reordered.saturating_add(overtaken as u16);
    half.count_filled(rows.any(Rows::WINDOW_FULL));
    let gap = packet.seq.since(now.next);
    if rows.any(Rows::LOST_SEGMENT) && gap < LARGEST {
        half.skipped = half.skipped.saturating_add(gap as u32);
    }
}
