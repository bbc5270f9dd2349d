//! One end of a TCP connection (RFC 9293, 5681, 6298): enough of it that the segments are those of a real stack.
//!
//! Within, bytes are numbered from the connection's own beginning: the SYN is 0, data starts at 1. So nothing wraps but the
//! numbers on the wire.

mod arrive;
mod close;
mod send;

use sensor_common::flow::TcpFlags;

use super::{
    class::Tally,
    dice::Dice,
    segment::{Options, Segment},
    stack::{Ids, Stack},
};

pub(super) const MS: u64 = 1_000_000;
pub(super) const ACK: TcpFlags = TcpFlags::ACK;

/// What an end sends, and what happens on the way.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) segments: Vec<Segment>,
    pub(super) tally: Tally,
}

/// How far a connection has come on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Listen,
    SynSent,
    SynReceived,
    /// From the handshake until both have closed.
    Open,
    TimeWait,
    /// There is no socket.
    Gone,
}

/// What is to happen when the peer closes, or sends to a closed socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    Orderly,
    /// Nobody will read what comes after our FIN.
    Orphaned,
    /// A FIN is answered by a reset.
    Rude,
    /// The socket is forgotten as soon as the FIN is acknowledged.
    Forgetful,
}

#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) side: u8,
    pub(super) stack: Stack,
    pub(super) state: State,
    pub(super) manners: Manners,
    pub(super) isn: u32,
    pub(super) peer_isn: u32,
    /// Oldest byte not acknowledged, next to send, highest ever sent.
    pub(super) una: u32,
    pub(super) nxt: u32,
    pub(super) max: u32,
    /// End of what the application has written, and whether it has closed.
    pub(super) written: u32,
    pub(super) fin: bool,
    /// Next byte expected of the peer, and what arrived beyond it.
    pub(super) rcv: u32,
    pub(super) ahead: Vec<(u32, u32)>,
    pub(super) peer_fin: Option<u32>,
    pub(super) closed_by_peer: bool,
    passive: bool,
    congestion: u32,
    duplicates: u8,
    recover: u32,
    tries: u8,
    rto: u64,
    retransmit_at: u64,
    acknowledge_at: u64,
    unacknowledged: u8,
    /// The earliest time at which the world will call.
    pub(super) queued_at: u64,
    peer_window: u32,
    pub(super) peer_mss: u32,
    /// Whether the application reads late, and how much it has not read.
    pub(super) slow: bool,
    pub(super) unread: u32,
    scaled: bool,
    peer_shift: u8,
    timestamps: bool,
    sack: bool,
    ask_ecn: bool,
    clock: u32,
    echo: u32,
    id: u16,
    label: u32,
    /// What random identifications come from.
    random: u64,
}

impl Endpoint {
    pub(super) fn new(side: u8, stack: Stack, isn: u32, rto: u64, dice: &mut Dice) -> Self {
        Self {
            side,
            stack,
            state: if side == 0 { State::Gone } else { State::Listen },
            manners: Manners::Orderly,
            isn,
            peer_isn: 0,
            una: 0,
            nxt: 0,
            max: 0,
            written: 1,
            fin: false,
            rcv: 0,
            ahead: Vec::new(),
            peer_fin: None,
            closed_by_peer: false,
            passive: false,
            congestion: 10 * u32::from(stack.mss),
            duplicates: 0,
            recover: 0,
            tries: 0,
            rto,
            retransmit_at: 0,
            acknowledge_at: 0,
            unacknowledged: 0,
            queued_at: u64::MAX,
            peer_window: 0,
            peer_mss: 536,
            slow: false,
            unread: 0,
            scaled: false,
            peer_shift: 0,
            timestamps: stack.timestamps,
            sack: stack.sack,
            ask_ecn: stack.linux && dice.chance(200_000),
            clock: dice.any() as u32,
            echo: 0,
            id: dice.any() as u16,
            label: dice.any() as u32,
            random: dice.any(),
        }
    }

    /// When it wants to be called next.
    pub(super) fn deadline(&self) -> u64 {
        match (self.retransmit_at, self.acknowledge_at) {
            (0, 0) => u64::MAX,
            (0, at) | (at, 0) => at,
            (a, b) => a.min(b),
        }
    }

    /// Everything that was sent has been acknowledged, and there is no more.
    pub(super) fn settled(&self) -> bool {
        self.una >= self.written
    }

    /// Where a later connection of the same addresses and ports begins.
    pub(super) const fn successor(&self, step: u32) -> u32 {
        self.isn.wrapping_add(self.max).wrapping_add(step)
    }

    /// What its timestamps count from: one for all connections between two hosts (RFC 7323 §7).
    pub(super) const fn clock(&self) -> u32 {
        self.clock
    }

    pub(super) const fn set_clock(&mut self, clock: u32) {
        self.clock = clock;
    }

    fn window(&self) -> u32 {
        self.stack.buffer - self.unread.min(self.stack.buffer)
    }

    fn next_id(&mut self, socket: bool) -> u16 {
        match self.stack.ids {
            Ids::Zero => 0,
            Ids::PerSocket if !socket => 0,
            Ids::Random => {
                self.random =
                    self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (self.random >> 48) as u16
            }
            Ids::PerHost => {
                // Others of the host's connections send too.
                self.random =
                    self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                self.id = self.id.wrapping_add(1 + (self.random >> 62) as u16);
                self.id
            }
            Ids::PerSocket => {
                self.id = self.id.wrapping_add(1);
                self.id
            }
        }
    }

    /// A segment without a socket: no options, no window.
    fn bare(&mut self, flags: TcpFlags, seq: u32, ack: u32) -> Segment {
        let Stack { ttl, dont_fragment, .. } = self.stack;
        let id = self.next_id(false);
        Segment { from: self.side, flags, seq, ack, ttl, id, dont_fragment, ..Segment::default() }
    }

    /// A segment of the socket, from byte `at` on.
    fn segment(&mut self, now: u64, flags: TcpFlags, at: u32, len: u32) -> Segment {
        let syn = flags.any(TcpFlags::SYN);
        let shift = if self.scaled && !syn { self.stack.wscale.unwrap_or(0) } else { 0 };
        let acknowledges = flags.any(ACK);
        let timestamps = self
            .timestamps
            .then_some((self.clock.wrapping_add((now / MS) as u32), if acknowledges { self.echo } else { 0 }));
        let Stack { ttl, dont_fragment, mss, wscale, .. } = self.stack;
        let first = syn && !acknowledges;
        let mut options = Options { timestamps, ..Options::default() };
        if syn {
            options.mss = mss;
            options.wscale = if first || self.scaled { wscale } else { None };
            options.sack_permitted = self.sack;
        } else if self.sack && acknowledges {
            for &(low, high) in self.ahead.iter().take(2) {
                options.sack[options.blocks as usize] =
                    (self.peer_isn.wrapping_add(low), self.peer_isn.wrapping_add(high));
                options.blocks += 1;
            }
        }
        let id = if syn && acknowledges && self.stack.linux { 0 } else { self.next_id(true) };
        if len > u32::from(mss) && self.stack.ids != Ids::Random {
            // The NIC numbers what it cuts.
            self.id = self.id.wrapping_add((len / u32::from(mss)) as u16);
        }
        if acknowledges {
            self.acknowledge_at = 0;
            self.unacknowledged = 0;
        }
        Segment {
            from: self.side,
            flags,
            seq: self.isn.wrapping_add(at),
            ack: if acknowledges { self.peer_isn.wrapping_add(self.rcv) } else { 0 },
            len,
            win: (self.window() >> shift).min(0xffff) as u16,
            ttl,
            id,
            label: self.label,
            dont_fragment,
            options,
        }
    }
}
