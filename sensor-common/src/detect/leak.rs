//! Segments that escaped the translation of addresses: the answer of a service's real server arrives with that server's own address,
//! finds no socket, and the reset that follows ends the connection at the server.
//!
//! No flow shows it alone, since what escaped began a flow of its own. So it is judged in user space, one pair of flows at a time:
//! what links them is not a port but the numbers. Two of 32 bits fit a connection's windows by chance once in 10^9 at 64 KiB, in
//! 20,000 at the widest; and only what one socket address has opened is compared with what it rejects.

use super::{Confidence, RstClass, Severity, rest};
use crate::{
    event::Event,
    flow::{End, Extra, Flow, Head, HeadBits, Key, Segment, Side, TcpFlags, recorded},
    kind::Kind,
    seq::SeqNumber,
    time::{Stamp, stamp_nanos},
    track::within,
};

/// A flow of more segments of either side is not looked at: the first reset ends what is behind it.
const FEW: u32 = 64;
/// A host without a socket answers within this (100 ms, which leaves room for a sensor that sits elsewhere).
const AT_ONCE: u32 = 97_656;
/// A reset that is seen on both sides of a translator is seen twice within this (1 s).
const TWICE: u32 = 976_563;
/// Bounds of what may be in flight: an unscaled window (64 KiB), and 16 MiB.
const IN_FLIGHT: [u32; 2] = [1 << 16, 1 << 24];

/// What may have escaped: a segment that began a flow midway, and was answered by a reset without a socket.
#[derive(Clone, Copy, Debug)]
pub struct Escaped {
    key: Key,
    /// When its flow began.
    first: u32,
    /// The end that has no such connection.
    by: Side,
    segment: Segment,
    /// When that was answered.
    answered: Stamp,
}

impl Escaped {
    /// Of a flow ([`crate::record::settled`]), if it is one of those.
    #[must_use]
    pub fn of(flow: &Flow) -> Option<Self> {
        let known = HeadBits(HeadBits::HANDSHAKE.0 | HeadBits::ESTABLISHED.0);
        if flow.head.bits.any(known) {
            return None;
        }
        let by = [Side::A, Side::B].into_iter().find(|&side| only_resets(flow, side))?;
        let (from, reset) = (by.other() as usize, &flow.tails[by as usize].reset);
        let sent = flow.ends[from].segments;
        if sent > FEW || flow.tails[from].reset.n > 0 {
            return None;
        }
        let answered = |segment: &&Segment| {
            let in_time = !segment.time.after(reset.at) && reset.at.since(segment.time) < AT_ONCE;
            in_time && segment.flags.any(TcpFlags::ACK) && !segment.flags.any(TcpFlags::SYN) && segment.ack == reset.seq
        };
        let segment = *spoken(flow, by.other()).filter(answered).min_by_key(|segment| reset.at.since(segment.time))?;
        Some(Self { key: flow.head.key, first: flow.head.first, by, segment, answered: reset.at })
    }

    /// Port of the end that has no such connection.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.key.port(self.by)
    }

    /// The end of another flow that is the one which answered: at the same place, with the same address and port, and it has opened
    /// that connection, to another address.
    #[must_use]
    pub fn shares(&self, head: &Head) -> Option<Side> {
        let (key, own) = (&head.key, &self.key);
        let same = |side: &Side| key.port(*side) == own.port(self.by) && key.addr(*side) == own.addr(self.by);
        let side = [Side::A, Side::B].into_iter().find(same)?;
        let other = key.addr(side.other()) != own.addr(self.by.other());
        (key.link == own.link && other && head.server() != side).then_some(side)
    }

    /// Whether it belongs to the connection of `flow`: that was alive when it came, and both its numbers fit. Then the units
    /// (1.024 µs) since that connection's segment before, 0 where it is not known any more.
    #[must_use]
    pub fn belongs(&self, flow: &Flow) -> Option<u32> {
        let side = self.shares(&flow.head)?;
        let (own, peer) = (&flow.ends[side as usize], &flow.ends[side.other() as usize]);
        let [ours, theirs] = [side, side.other()].map(|side| &flow.tails[side as usize].reset);
        let begun =
            flow.head.bits.any(HeadBits::ESTABLISHED) && self.first.wrapping_sub(flow.head.first).cast_signed() >= 0;
        let closed = flow.ends.iter().all(|end| end.flags.any(TcpFlags::FIN));
        // An end that has aborted answers the late segments of its own connection; a translator may show them twice.
        let aborted = ours.n > 0 && ours.at.since(self.answered) < TWICE;
        let over = theirs.n > 0 && self.segment.time.after(theirs.at);
        if !begun || closed || aborted || over {
            return None;
        }
        // What either side went on with until it learnt of the reset is a window at most.
        let (seq, ack) = (self.segment.seq, self.segment.ack);
        let fits = within(seq, peer.nxt - in_flight(own), later(peer.nxt, own.ack) + in_flight(own))
            && within(ack, own.nxt - in_flight(peer), later(own.nxt, peer.ack));
        fits.then(|| self.silence(flow))
    }

    /// Units since the last segment of a connection before this one.
    fn silence(&self, flow: &Flow) -> u32 {
        let segments = spoken(flow, Side::A).chain(spoken(flow, Side::B));
        let before = segments.filter(|segment| self.segment.time.after(segment.time));
        before.map(|segment| self.segment.time.since(segment.time)).min().unwrap_or(0)
    }

    /// The finding as an event: about the segment that escaped, in its own flow, which lies at `index`, and of whose `service`'s
    /// connection it is. `silence` as [`Escaped::belongs`] has it, `now` the engine's time in nanoseconds.
    #[must_use]
    pub fn event(&self, (flow, extra): (&Flow, &Extra), index: u32, now: u64, service: &Flow, silence: u32) -> Event {
        let mut event = rest::event(flow, extra, index, now, (self.by.other(), Kind::UnNatedLeak), &self.segment);
        let Some(side) = self.shares(&service.head) else { return event };
        let (end, key) = (side.other(), &service.head.key);
        let seconds = (stamp_nanos(silence) / 1_000_000_000) as u32;
        event.time = now.saturating_sub(stamp_nanos(Stamp::of(now).since(self.segment.time)));
        event.expected_seq = service.ends[end as usize].nxt;
        event.severity = Severity::Warn as u8;
        event.confidence = Confidence::Likely as u8;
        event.detail = [key.addr(end)[3], u32::from(key.port(end)) << 16 | seconds.min(0xffff)];
        // No request was seen of it, but of the connection that it belongs to: so who is client is known.
        event.flow.head.bits.set(HeadBits::HANDSHAKE);
        if self.by == Side::B {
            event.flow.head.bits.set(HeadBits::CLIENT_B);
        }
        event
    }
}

/// Whether all that a side sent are resets, as a host sends them that has no socket.
fn only_resets(flow: &Flow, side: Side) -> bool {
    let reset = &flow.tails[side as usize].reset;
    reset.n > 0 && flow.ends[side as usize].flags.0 == 0 && reset.class() == RstClass::Stateless as u8
}

/// A side's recorded segments, resets left out.
fn spoken(flow: &Flow, side: Side) -> impl Iterator<Item = &Segment> {
    recorded(flow, side).filter(|segment| !segment.flags.any(TcpFlags::RST))
}

/// What may be on its way to a side: two of its windows.
fn in_flight(receiver: &End) -> u32 {
    receiver.max_window.saturating_mul(2).clamp(IN_FLIGHT[0], IN_FLIGHT[1])
}

fn later(one: SeqNumber, other: SeqNumber) -> SeqNumber {
    if other.after(one) { other } else { one }
}
