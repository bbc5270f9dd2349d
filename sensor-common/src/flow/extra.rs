//! What is kept of a flow beside its hot lines: read and written only where a segment is not routine.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{seq::SeqNumber, time::Stamp};

/// A range of sequence numbers that a side skipped: not seen, or not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Hole {
    /// The first byte that is missing.
    pub from: SeqNumber,
    /// The byte behind the last; equal to `from` where there is no hole.
    pub to: SeqNumber,
}

/// One side's cold state, 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Half {
    /// What it skipped, lower first.
    pub holes: [Hole; 2],
    /// Since when its window is closed; 0 while it is open.
    pub stalled: Stamp,
    /// Duplicate acknowledgments in a row, saturating.
    pub dup_acks: u8,
    /// What its last segment was, and what is known of its visibility.
    pub marks: u8,
    /// Segments that it repeated, saturating.
    pub repeated: u16,
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
