//! What is kept of a flow beside its hot lines: read and written only where a segment is not routine.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{seq::SeqNumber, time::Stamp};

/// One side's cold state, 24 bytes. Plain segments do not write it: [`super::End::is_looked_at`] says when it holds anything that
/// the next segment must see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Half {
    /// Behind the last byte before the first one missing: Wireshark's highest sequence number to be acknowledged.
    pub front: SeqNumber,
    /// Since when its window is closed; meaningful with [`Half::STALLED`].
    pub stalled: Stamp,
    /// Bytes that it skipped, whether or not they came later, saturating.
    pub skipped: u32,
    /// Segments that it repeated, saturating. Copies on the wire are none.
    pub repeated: u16,
    /// Gaps that were filled within a round trip, saturating: segments that were overtaken.
    pub reordered: u16,
    /// Times that the other side acknowledged bytes of it that were not seen, saturating.
    pub unseen: u16,
    /// [`Half::STALLED`] and its like.
    pub marks: u16,
    /// Duplicate acknowledgments in a row, saturating.
    pub dup_acks: u8,
    /// Times that it asked for missing bytes by three duplicate acknowledgments, saturating.
    pub asked: u8,
    /// Probes of its closed window, saturating.
    pub probes: u8,
    /// Times that it closed its window in the lower half, that it filled the other side's in the upper; each saturating at 15.
    pub windows: u8,
}

impl Half {
    /// Of `marks`: its last segment was a keep-alive.
    pub const KEPT_ALIVE: u16 = 1;
    /// Of `marks`: its last segment probed a closed window.
    pub const PROBED: u16 = 1 << 1;
    /// Of `marks`: the last byte before `nxt` is a probe's, which does not count as sent.
    pub const PROBE_BYTE: u16 = 1 << 2;
    /// Of `marks`: bytes of it beyond all that was seen were acknowledged, and it has sent no more since.
    pub const UNSEEN: u16 = 1 << 3;
    /// Of `marks`: its window is closed.
    pub const STALLED: u16 = 1 << 4;
    /// Of `marks`: this stall was told.
    pub const TOLD_STALL: u16 = 1 << 5;
    /// Of `marks`: told once, as the next ones: that it closes its window again and again.
    pub const TOLD_CLOSED: u16 = 1 << 6;
    /// Of `marks`: that it fills the other side's window again and again.
    pub const TOLD_FULL: u16 = 1 << 7;
    /// Of `marks`: that it repeats much.
    pub const TOLD_REPEATED: u16 = 1 << 8;
    /// Of `marks`: that it waited long before it repeated.
    pub const TOLD_WAITED: u16 = 1 << 9;
    /// Of `marks`: that much of it comes out of order.
    pub const TOLD_REORDERED: u16 = 1 << 10;
    /// Of `marks`: that it asks for missing bytes again and again.
    pub const TOLD_ASKED: u16 = 1 << 11;
    /// Of `marks`: that it skipped bytes.
    pub const TOLD_SKIPPED: u16 = 1 << 12;
    /// Of `marks`: that bytes of it were acknowledged which were not seen.
    pub const TOLD_UNSEEN: u16 = 1 << 13;
    /// Of `marks`: that this goes on.
    pub const TOLD_BLIND: u16 = 1 << 14;
    /// Of `marks`: that it repeats very much.
    pub const TOLD_LOSSES: u16 = 1 << 15;

    /// Whether any of `marks` is set.
    #[inline(always)]
    pub const fn any(&self, marks: u16) -> bool {
        self.marks & marks != 0
    }

    /// Times that it closed its window, at most 15.
    #[inline(always)]
    pub const fn closed(&self) -> u8 {
        self.windows & 15
    }

    /// Times that it filled the other side's window, at most 15.
    #[inline(always)]
    pub const fn filled(&self) -> u8 {
        self.windows >> 4
    }

    /// Counts a closed window where `once`.
    #[inline(always)]
    pub(crate) const fn count_closed(&mut self, once: bool) {
        self.windows += (once && self.closed() < 15) as u8;
    }

    /// Counts a window filled where `once`.
    #[inline(always)]
    pub(crate) const fn count_filled(&mut self, once: bool) {
        self.windows += ((once && self.filled() < 15) as u8) << 4;
    }
}

/// What is kept while a flow is watched for what its hosts must doubt, 8 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Doubt {
    /// When the challenge ACKs began that are counted.
    pub since: Stamp,
    /// Challenge ACKs since then.
    pub challenges: u8,
    /// ACKs that say the same again and again, from either side in turn.
    pub acks: u8,
    /// Segments to watch on for.
    pub left: u8,
    /// See the constants.
    pub marks: u8,
}

impl Doubt {
    /// A's, or B's (the next bit), last segment acknowledged what is out of range, and was not learnt from.
    pub const OUT: u8 = 1;
    /// The port was used again, by a number that is not above the last connection's.
    pub const BELOW: u8 = 4;
    /// Neither is its timestamp, or it has none.
    pub const OLDER: u8 = 8;
    /// The request was repeated without what was rare in it.
    pub const PLAIN: u8 = 16;
    /// It was repeated with what is rare in it.
    pub const AGAIN: u8 = 32;
    /// A side repeats itself and is not answered, after a long silence; or its keep-alives are not.
    pub const SILENT: u8 = 64;
}

/// A flow's cold state, 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Extra {
    /// By [`super::Side`].
    pub halves: [Half; 2],
    /// What happened, in order: letters as in Zeek's `history`, 5 bits each, the last in the lowest: see [`super::history`].
    pub history: u64,
    /// What its hosts must doubt.
    pub doubt: Doubt,
}

const _: () = assert!(size_of::<Half>() == 24 && size_of::<Doubt>() == 8 && size_of::<Extra>() == 64);
