//! A flow's state: 384 bytes, six cache lines.
//!
//! | line | what | written by |
//! |---|---|---|
//! | 0 | [`Head`]: key, roles, tombstone | handshake, close |
//! | 1, 2 | [`End`]: each side's numbers | the hook that sees that side |
//! | 3–5 | [`Tail`]: each side's last reset and recorder | the hook that sees that side |
//!
//! A segment of an established flow reads line 0, writes its own side's line and one recorder entry, and reads the other
//! side's line: nothing that two CPUs write.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Key, RECORDED, Segment, Side, TcpFlags};
use crate::{seq::SeqNumber, time::Stamp};

macro_rules! bit_set {
    ($(#[$meta:meta])* $name:ident: $repr:ty { $($(#[$doc:meta])* $flag:ident = $bit:expr;)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
        #[repr(transparent)]
        pub struct $name(pub $repr);

        impl $name {
            $($(#[$doc])* pub const $flag: Self = Self($bit);)*

            /// Whether any of `bits` is set.
            #[inline(always)]
            pub const fn any(self, bits: Self) -> bool {
                self.0 & bits.0 != 0
            }

            /// Sets `bits`.
            #[inline(always)]
            pub const fn set(&mut self, bits: Self) {
                self.0 |= bits.0;
            }

            /// Clears `bits`.
            #[inline(always)]
            pub const fn clear(&mut self, bits: Self) {
                self.0 &= !bits.0;
            }
        }
    };
}

bit_set! {
    /// What is known of a flow as a whole.
    HeadBits: u8 {
        /// The connection request was seen, so roles and initial sequence numbers are known.
        HANDSHAKE = 1;
        /// The client, the sender of the SYN, is end B. Meaningful with [`HeadBits::HANDSHAKE`].
        CLIENT_B = 2;
        /// Both sides' numbers agree: each acknowledged what the other sent.
        ESTABLISHED = 4;
        /// End A, or B, is this host: it was seen leaving through the egress hook.
        LOCAL_A = 8;
        /// See [`HeadBits::LOCAL_A`].
        LOCAL_B = 16;
        /// An earlier connection of the same addresses and ports left its final numbers here.
        TOMBSTONE = 32;
        /// Counted by its service as established.
        COUNTED = 64;
        /// Counted by its service as touched by somebody else.
        FLAGGED = 128;
    }
}

bit_set! {
    /// Why a flow's segments take the long way. Zero on a quiet, established flow.
    Watch: u8 {
        /// Not yet established.
        EMBRYONIC = 1;
        /// A reset was seen in A's, or B's, name: what that side does next is the best evidence there is.
        RESET_A = 2;
        /// See [`Watch::RESET_A`].
        RESET_B = 4;
        /// A's, or B's, last segment came with an unexpected TTL.
        STRANGER_A = 8;
        /// See [`Watch::STRANGER_A`].
        STRANGER_B = 16;
        /// A FIN was seen.
        CLOSING = 32;
        /// A SYN was seen and nothing else. What lies in the other side's memory is an earlier flow's.
        ALONE = 64;
        /// Something passed that its receiver must doubt, or that is not answered: see [`super::Doubt`].
        DOUBTED = 128;
    }
}

impl Watch {
    /// The reset bit of an end.
    #[inline(always)]
    pub const fn reset(end: usize) -> Self {
        Self(2 << (end & 1))
    }

    /// The stranger bit of an end.
    #[inline(always)]
    pub const fn stranger(end: usize) -> Self {
        Self(8 << (end & 1))
    }
}

bit_set! {
    /// What is known of one side.
    Bits: u8 {
        /// Window scaling was offered in this side's SYN ([`End::wscale`]).
        WSCALE = 1;
        /// Timestamps were offered in this side's SYN.
        TIMESTAMPS = 2;
        /// Both sides offered window scaling: it is in force.
        SCALED = 4;
        /// Its SYN asked for ECN, or its SYN-ACK granted it (RFC 3168 §6.1.1).
        ECN = 8;
        /// This side sent a FIN; [`End::nxt`] lies behind it.
        FIN = 16;
        /// The baseline TTL moved: [`End::ttl_alt`] is a known path too.
        REROUTED = 32;
        /// Its packets carry DF (IPv4).
        DF = 64;
        /// The initial sequence number is known.
        ISN = 128;
    }
}

/// Line 0: identity, roles, and what an earlier connection left behind.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Head {
    /// Who talks to whom.
    pub key: Key,
    /// Tombstone: the sequence number after the last byte that A, and B, sent in the previous connection of this key.
    pub tomb_nxt: [SeqNumber; 2],
    /// First segment, in units of 2^20 ns ([`crate::time::millis`]).
    pub first: u32,
    /// When this connection, or the one before it, was closed; same unit; 0 if not.
    pub closed: u32,
    /// Roles and progress.
    pub bits: HeadBits,
    /// Why segments take the long way.
    pub watch: Watch,
    /// How it was closed: flags of A's closing segment in the low, of B's in the high half (FIN, RST, and 8 = closed first).
    pub how: u8,
    /// Findings so far, mild ones in the low, severe ones in the high half: drives the back-off.
    pub told: u8,
}

impl Head {
    /// The sender of the SYN, where it was seen.
    pub const fn client(&self) -> Option<Side> {
        if !self.bits.any(HeadBits::HANDSHAKE) {
            None
        } else if self.bits.any(HeadBits::CLIENT_B) {
            Some(Side::B)
        } else {
            Some(Side::A)
        }
    }

    /// The end that is this host, where that is known.
    pub const fn local(&self) -> Option<Side> {
        match (self.bits.any(HeadBits::LOCAL_A), self.bits.any(HeadBits::LOCAL_B)) {
            (true, false) => Some(Side::A),
            (false, true) => Some(Side::B),
            _ => None,
        }
    }

    /// The end that answers connection requests: known from the handshake, else the one with the lower port.
    #[inline(always)]
    pub const fn server(&self) -> Side {
        match self.client() {
            Some(client) => client.other(),
            None if self.key.port(Side::A) <= self.key.port(Side::B) => Side::A,
            None => Side::B,
        }
    }
}

/// One side's numbers: a cache line.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct End {
    /// The last four distinct raw windows it sent, newest in the low 16 bits.
    pub windows: u64,
    /// Its last segment.
    pub last: Stamp,
    /// Initial sequence number, or the first seen ([`Bits::ISN`]).
    pub isn: SeqNumber,
    /// Highest sequence number seen, plus one: SYN and FIN count.
    pub nxt: SeqNumber,
    /// Highest acknowledgment it sent: the other side's bytes below it have arrived.
    pub ack: SeqNumber,
    /// When `nxt` moved last.
    pub nxt_at: Stamp,
    /// When `ack` moved last.
    pub ack_at: Stamp,
    /// Largest window it ever offered, in bytes, scaled.
    pub max_window: u32,
    /// Last timestamp value (RFC 7323), 0 if none.
    pub tsval: u32,
    /// Least time between this sensor and that side and back, in units of 1.024 µs; 0 if unknown.
    pub min_rtt: u32,
    /// Segments it sent, resets included.
    pub segments: u32,
    /// IPv4 identification of its last segment; IPv6: folded flow label.
    pub ipid: u16,
    /// Segments with payload it sent, saturating.
    pub data: u16,
    /// Baseline TTL.
    pub ttl: u8,
    /// Segments that agreed with `ttl`, saturating.
    pub ttl_n: u8,
    /// The last TTL that was not the baseline; 0 if none.
    pub ttl_alt: u8,
    /// Consecutive segments with `ttl_alt`.
    pub alt_n: u8,
    /// IP-ID steps of 1..=64 in a row, saturating: a counter.
    pub ipid_steps: u8,
    /// IP-ID steps of any other size, saturating: not a counter.
    pub ipid_jumps: u8,
    /// TOS or traffic class; in place of the ECN bits [`End::MARKS`].
    pub tos: u8,
    /// Window scale shift (RFC 7323 §2), as offered, in the low 4 bits; above them [`End::ZMAP`] and its like.
    pub wscale: u8,
    /// What is known of this side.
    pub bits: Bits,
    /// All flags it ever set, resets excluded: their bit is [`super::history::PURE_ACK`].
    pub flags: TcpFlags,
    /// Source MAC address folded to a byte.
    pub mac: u8,
    /// Flips between two TTLs, saturating.
    pub flaps: u8,
}

impl End {
    /// Of [`End::wscale`], whose shift needs 4 bits only: it sent payload at more than one sequence number.
    pub const SEVERAL: u8 = 1 << 6;
    /// Of [`End::tos`]: the ECN bits of all its segments with payload; before its SYN is answered, the SYN's rare options
    /// ([`crate::wire::OptionList::rare`]).
    pub const MARKS: u8 = 3;
    /// Of [`End::wscale`]: its SYN had the IP-ID that ZMap gives every probe.
    pub const ZMAP: u8 = 1 << 5;
    /// Of [`End::wscale`]: the other side acknowledged bytes of it that were not seen, so that gaps in its numbers say nothing.
    pub const LOSSY: u8 = 1 << 4;
    /// Of [`End::wscale`]: the next segment must be seen by [`crate::detect::analysis`], plain or not.
    pub const LOOK: u8 = 1 << 7;

    /// Whether this side's cold state holds something that the next segment must see.
    #[inline(always)]
    pub const fn is_looked_at(&self) -> bool {
        self.wscale & Self::LOOK != 0
    }

    /// Says whether it does.
    #[inline(always)]
    pub const fn look(&mut self, pending: bool) {
        self.wscale = (self.wscale & !Self::LOOK) | (Self::LOOK * pending as u8);
    }

    /// Whether the sensor is known to see a part of this side's segments only.
    #[inline(always)]
    pub const fn is_lossy(&self) -> bool {
        self.wscale & Self::LOSSY != 0
    }
}

/// What is remembered of the resets in one side's name. Nothing else learns from them.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Reset {
    /// Sequence number of the last one.
    pub seq: SeqNumber,
    /// Acknowledgment of the last one; 0 if it made none. As long as none of them had the ACK flag: the bare field.
    pub ack: SeqNumber,
    /// When it was seen.
    pub at: Stamp,
    /// How many, saturating.
    pub n: u8,
    /// TTL of the last one.
    pub ttl: u8,
    /// Highest score so far, in half points.
    pub score: i8,
    /// Anatomy of the last one, see [`Reset::class`], and what is known of all of them.
    pub marks: u8,
}

impl Reset {
    /// One came without the ACK flag.
    pub const BARE: u8 = 8;
    /// One came with the ACK flag.
    pub const ACKED: u8 = 16;
    /// The acknowledgment fields of two in a row differed. Says nothing where some were BARE and some ACKED.
    pub const DIFFER: u8 = 32;
    /// An acknowledgment field was 0.
    pub const ZERO: u8 = 64;
    /// When the first one came there was little left to cut off: a side had closed, or this one had sent ten segments.
    pub const MOOT: u8 = 128;

    /// Anatomy of the last one, [`crate::detect::RstClass`] as a number.
    #[inline(always)]
    pub const fn class(&self) -> u8 {
        self.marks & 7
    }

    /// Whether any of `marks` is set.
    #[inline(always)]
    pub const fn any(&self, marks: u8) -> bool {
        self.marks & marks != 0
    }
}

/// One side's last reset and its recorded segments.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Tail {
    /// Resets in this side's name.
    pub reset: Reset,
    /// Its last segments, a ring: entry `segments % 4` is the next to be written.
    pub recorder: [Segment; RECORDED],
}

/// All that is kept of a connection.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Flow {
    /// Identity and roles.
    pub head: Head,
    /// Each side's numbers, by [`Side`].
    pub ends: [End; 2],
    /// Each side's reset and recorder, by [`Side`].
    pub tails: [Tail; 2],
}

const _: () = assert!(size_of::<Head>() == 64 && size_of::<End>() == 64 && size_of::<Tail>() == 96);
const _: () = assert!(size_of::<Flow>() == 384);
