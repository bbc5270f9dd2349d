//! The record of a flow: who, when, how much, and how it ended. Made where nothing is hot: in the sweep.

use crate::{
    event::Event,
    flow::{
        Bits, End, Extra, Flow, Key, Reset, Segment, Side, Tail, TcpFlags, Watch, conn_state, history::History, merged,
    },
    seq::SeqNumber,
    time::{Stamp, millis, stamp_nanos},
};

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Both sides closed it.
    Fin,
    /// A reset, or one that was believed.
    Rst,
    /// Nothing was seen of it for long enough.
    Silence,
    /// It gave way before it ended: to another flow, or a new connection of the same ports.
    Eviction,
    /// The capture ended before it did.
    CaptureEnd,
    /// It has not.
    Live,
}

impl Ending {
    /// The public name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Silence => "silence",
            Self::Eviction => "eviction",
            Self::CaptureEnd => "end-of-capture",
            Self::Live => "live",
        }
    }
}

/// What one side sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Segments, resets included.
    pub segments: u32,
    /// Those with payload, saturating at 65535.
    pub data: u16,
    /// Payload bytes by its sequence numbers, so that repeated ones count once: modulo 2^32.
    pub bytes: u32,
    /// Segments repeated, saturating; copies on the wire are none.
    pub repeated: u16,
    /// Gaps that were filled within a round trip, saturating: segments that were overtaken.
    pub reordered: u16,
    /// Bytes that it skipped, whether or not they came later, saturating.
    pub skipped: u32,
    /// Times that the other side acknowledged bytes of it that were not seen, saturating.
    pub unseen: u16,
    /// Least round trip between the sensor and that side, in nanoseconds; 0 if unknown.
    pub rtt: u64,
}

/// How a flow came to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// Who closed first, by FIN or reset.
    pub by: Side,
    /// The silence before, in nanoseconds: modulo 73 minutes.
    pub idle: u64,
}

/// What is told of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Addresses, ports, interface and VLANs.
    pub key: Key,
    /// The sender of the SYN, where it was seen.
    pub client: Option<Side>,
    /// The end that answers requests; guessed from the ports where no SYN was seen.
    pub server: Side,
    /// The end that is this host, where that is known.
    pub local: Option<Side>,
    /// First segment: engine time in nanoseconds, to 2^20 of them.
    pub first: u64,
    /// Last segment: engine time in nanoseconds, to 2^10 of them.
    pub last: u64,
    /// By [`Side`].
    pub totals: [Total; 2],
    /// `tcp.completeness`, see [`History::completeness`].
    pub completeness: u8,
    /// Zeek's `conn_state`.
    pub conn_state: &'static str,
    /// What happened, in order.
    pub history: History,
    /// Findings below warn, and from warn up: at least so many, since the back-off counts to 15 and goes on from 8.
    pub findings: [u8; 2],
    /// How it came to be closed; none where it was not, or the recorder no longer knows.
    pub close: Option<Close>,
    /// Why it ended.
    pub ending: Ending,
}

impl Record {
    /// The record of a flow whose last segment was `idle` nanoseconds before `now`: see [`quiet`].
    pub fn of(flow: &Flow, extra: &Extra, ending: Ending, idle: u64, now: u64) -> Self {
        let head = &flow.head;
        let history = History::of(flow, extra);
        let age = u64::from(millis(now).wrapping_sub(head.first)) << 20;
        let last = now.saturating_sub(idle);
        Self {
            key: head.key,
            client: head.client(),
            server: head.server(),
            local: head.local(),
            first: now.saturating_sub(age).min(last),
            last,
            totals: [total(flow, extra, 0), total(flow, extra, 1)],
            completeness: history.completeness(flow.tails.iter().any(|tail| tail.reset.any(Reset::ACKED))),
            conn_state: conn_state(flow, extra),
            history,
            findings: [head.told & 15, head.told >> 4],
            close: first_close(flow),
            ending,
        }
    }

    /// The record of a flow that gave way and was handed on.
    pub fn parted(event: &Event) -> Self {
        let (flow, extra) = settled(event.flow, event.extra);
        let ending = closed(&flow).unwrap_or(Ending::Eviction);
        Self::of(&flow, &extra, ending, quiet(&flow, 0, event.time), event.time)
    }

    /// From the first segment to the last, in nanoseconds.
    pub const fn duration(&self) -> u64 {
        self.last - self.first
    }
}

fn total(flow: &Flow, extra: &Extra, side: usize) -> Total {
    let (end, half) = (&flow.ends[side], &extra.halves[side]);
    let unsaid = end.bits.any(Bits::ISN) as u32 + end.flags.any(TcpFlags::FIN) as u32;
    let SeqNumber(span) = end.nxt - end.isn.0;
    Total {
        segments: end.segments,
        data: end.data,
        bytes: if end.data > 0 { span.wrapping_sub(unsaid) } else { 0 },
        repeated: half.repeated,
        reordered: half.reordered,
        skipped: half.skipped,
        unseen: half.unseen,
        rtt: stamp_nanos(end.min_rtt),
    }
}

/// A flow by what is known of it: of one that has a SYN and nothing else, the other side's memory and the cold state are an
/// earlier flow's.
pub fn settled(flow: Flow, extra: Extra) -> (Flow, Extra) {
    if !flow.head.watch.any(Watch::ALONE) {
        return (flow, extra);
    }
    let server = flow.head.server() as usize;
    let mut flow = flow;
    flow.ends[server] = End::default();
    flow.tails[server] = Tail::default();
    let history = History::of(&flow, &extra).0;
    (flow, Extra { history, ..Extra::default() })
}

/// Nanoseconds since the last segment of a [`settled`] flow. Its stamps wrap after 73 minutes: `coarse`, the same to a few
/// seconds, says how often they did.
pub fn quiet(flow: &Flow, coarse: u64, now: u64) -> u64 {
    let idle = |end: &End| (end.segments > 0).then(|| Stamp::of(now).since(end.last));
    let units = match (idle(&flow.ends[0]), idle(&flow.ends[1])) {
        (Some(a), Some(b)) => a.min(b),
        (a, b) => a.or(b).unwrap_or(0),
    };
    let fine = stamp_nanos(units);
    let wrap = 1 << 42;
    fine + (coarse.saturating_sub(fine) + wrap / 2) / wrap * wrap
}

/// The first FIN or reset and the silence before it, where the recorder still has both sides' segments of before.
fn first_close(flow: &Flow) -> Option<Close> {
    let closes = |segment: &Segment| segment.flags.any(TcpFlags::FIN.with(TcpFlags::RST));
    let rows = merged(flow);
    let rows = || rows.iter().flatten();
    let at = rows().position(|(_, segment)| closes(segment))?;
    let (by, close) = rows().nth(at)?;
    let before = |side: Side| rows().take(at).filter(|(from, _)| *from == side).last().map(|(_, segment)| segment.time);
    // Of a side without one, older segments have been overwritten; its FIN may be among them.
    let [a, b] = [before(Side::A)?, before(Side::B)?];
    let idle = close.time.since(a).min(close.time.since(b));
    Some(Close { by: *by, idle: stamp_nanos(idle) })
}

/// How a [`settled`] flow was closed, if it was: by both sides' FIN, or by a reset that was believed.
pub fn closed(flow: &Flow) -> Option<Ending> {
    let fin = |end: &End| end.flags.any(TcpFlags::FIN);
    let reset = flow.tails.iter().any(|tail| tail.reset.n > 0);
    if flow.ends.iter().all(fin) {
        Some(Ending::Fin)
    } else if reset && flow.head.closed != 0 {
        Some(Ending::Rst)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBits;

    const SECOND: u64 = 1_000_000_000;

    /// A flow whose sides spoke `a` and `b` nanoseconds before `now`.
    fn flow(now: u64, a: u64, b: u64) -> Flow {
        let mut flow = Flow::default();
        for (end, ago) in flow.ends.iter_mut().zip([a, b]) {
            end.segments = 1;
            end.last = Stamp::of(now - ago);
        }
        flow
    }

    #[test]
    fn idleness_survives_the_wrap_of_stamps() {
        let now = 100_000 * SECOND;
        for idle in [0, 3, 59, 599, 4_000, 4_398, 4_400, 9_000, 50_000].map(|seconds| seconds * SECOND) {
            for coarse in [idle.saturating_sub(2 * SECOND), idle + 2 * SECOND] {
                let told = quiet(&flow(now, idle, idle + SECOND), coarse, now);
                // Stamps near the wrap are taken for a clock that went back, by up to 69 s.
                assert!(told.abs_diff(idle) <= 70 * SECOND, "{idle}: {told}");
                assert!(idle % (1 << 42) > (1 << 42) - 70 * SECOND || told.abs_diff(idle) < 2048, "{idle}: {told}");
            }
        }
    }

    #[test]
    fn bytes_are_payload() {
        let mut flow = flow(SECOND, 0, 0);
        flow.ends[0].isn = SeqNumber(u32::MAX - 10);
        flow.ends[0].nxt = SeqNumber(91);
        flow.ends[0].data = 2;
        flow.ends[0].flags = TcpFlags::SYN.with(TcpFlags::FIN);
        flow.ends[0].bits.set(Bits::ISN);
        let record = Record::of(&flow, &Extra::default(), Ending::Live, 0, SECOND);
        assert_eq!((record.totals[0].bytes, record.totals[1].bytes), (100, 0));
    }

    #[test]
    fn a_lone_request_has_no_other_side() {
        let mut old = flow(SECOND, 0, 0);
        old.head.watch.set(Watch::ALONE);
        old.head.bits = HeadBits(HeadBits::HANDSHAKE.0 | HeadBits::CLIENT_B.0);
        old.ends[0].flags = TcpFlags::FIN;
        old.tails[0].reset.n = 3;
        let (flow, extra) = settled(old, Extra { history: 77, ..Extra::default() });
        assert_eq!(flow.ends[0].segments, 0);
        assert!(History(extra.history).letters().eq("S".chars()));
        assert_eq!((closed(&flow), conn_state(&flow, &extra)), (None, "S0"));
    }
}
