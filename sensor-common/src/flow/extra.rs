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

/// What a side was told of, a bit each: what it does with every segment would otherwise be told each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Said(pub u8);

impl Said {
    /// Odd options.
    pub const OPTIONS: u8 = 1;
    /// The urgent pointer.
    pub const URGENT: u8 = 2;
    /// Reserved bits.
    pub const RESERVED: u8 = 4;
    /// Timestamps are missing.
    pub const BARE: u8 = 8;
    /// Numbers below the first.
    pub const NUMBERS: u8 = 16;
    /// Its timestamps ran backwards: [`Extra::doubted`] says where.
    pub const BACKWARDS: u8 = 32;
    /// Its payload was rejected for it.
    pub const REJECTED: u8 = 64;
    /// Its hops.
    pub const HOPS: u8 = 128;

    /// Whether `bit` was not set before; it is now.
    #[inline(always)]
    pub const fn first(&mut self, bit: u8) -> bool {
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }
}

/// A flow's cold state, 64 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Extra {
    /// By [`super::Side`].
    pub halves: [Half; 2],
    /// What happened, in order: letters as in Zeek's `history`, 5 bits each, the last in the lowest: see [`super::history`].
    pub history: u64,
    /// The first byte of the payload whose timestamp ran backwards, see [`Said::BACKWARDS`].
    pub doubted: SeqNumber,
    /// By [`super::Side`], what it does all the time and was told of once.
    pub said: [Said; 2],
    /// Keeps the record free of padding.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Half>() == 24 && size_of::<Extra>() == 64);
