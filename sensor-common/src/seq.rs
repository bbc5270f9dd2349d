//! Sequence numbers and their wrapping order.

use core::ops::{Add, Sub};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A TCP sequence or acknowledgment number, ordered modulo 2^32 (RFC 9293 §3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SeqNumber(pub u32);

impl SeqNumber {
    /// Signed distance from `other` to `self`, in bytes of sequence space.
    #[inline(always)]
    pub const fn since(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0) as i32
    }

    /// Whether `self` lies strictly after `other`.
    #[inline(always)]
    pub const fn after(self, other: Self) -> bool {
        self.since(other) > 0
    }

    /// Whether `self` lies strictly before `other`.
    #[inline(always)]
    pub const fn before(self, other: Self) -> bool {
        self.since(other) < 0
    }
}

impl Add<u32> for SeqNumber {
    type Output = Self;

    #[inline(always)]
    fn add(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }
}

impl Sub<u32> for SeqNumber {
    type Output = Self;

    #[inline(always)]
    fn sub(self, bytes: u32) -> Self {
        Self(self.0.wrapping_sub(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::SeqNumber;

    #[test]
    fn order_survives_the_wrap() {
        let before = SeqNumber(u32::MAX - 9);
        let after = before + 20;
        assert_eq!(after, SeqNumber(10));
        assert!(after.after(before) && before.before(after));
        assert_eq!(after.since(before), 20);
        assert_eq!(before.since(after), -20);
        assert!(!before.after(before) && !before.before(before));
    }
}
