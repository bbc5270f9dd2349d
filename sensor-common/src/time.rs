//! Time as the engine keeps it: an argument, never a clock.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Where the engine gets its time. The kernel has a cheap coarse clock (one tick's resolution) and a dear fine one;
/// a capture has one time for both.
pub trait Clock {
    /// Nanoseconds; may lag behind [`Clock::fine`] by a timer tick, never ahead of it.
    fn coarse(&self) -> u64;
    /// Nanoseconds, exact.
    fn fine(&self) -> u64;
}

/// A point of time within a flow, in units of 1.024 µs (2^10 ns). Wraps after 73 minutes.
///
/// Stamps of one side of a flow are strictly increasing by construction ([`Stamp::next`]), so they also keep the order in which
/// its segments were seen when the coarse clock stands still or a capture's clock jumps back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Stamp(pub u32);

impl Stamp {
    /// The stamp of an absolute time in nanoseconds.
    #[inline(always)]
    pub const fn of(nanos: u64) -> Self {
        Self((nanos >> 10) as u32)
    }

    /// Units (1.024 µs) from `earlier` to `self`; zero where the clock went back.
    #[inline(always)]
    pub const fn since(self, earlier: Self) -> u32 {
        let units = self.0.wrapping_sub(earlier.0);
        if units > BACKWARDS { 0 } else { units }
    }

    /// Whether `self` lies strictly after `other`.
    #[inline(always)]
    pub const fn after(self, other: Self) -> bool {
        self.since(other) > 0
    }

    /// `self`, moved just past `last` where it does not already lie there.
    #[inline(always)]
    pub const fn next(self, last: Self) -> Self {
        if self.after(last) { self } else { Self(last.0.wrapping_add(1)) }
    }
}

/// Differences above this are a clock that went back, by up to 69 s; those below are time that passed, up to 72 minutes.
const BACKWARDS: u32 = u32::MAX - (1 << 26);

/// Nanoseconds in `units` of [`Stamp`].
pub const fn stamp_nanos(units: u32) -> u64 {
    (units as u64) << 10
}

/// Whole milliseconds in `units` of [`Stamp`].
#[inline(always)]
pub const fn whole_millis(units: u32) -> u32 {
    (stamp_nanos(units) / 1_000_000) as u32
}

/// Coarse seconds (2^30 ns = 1.07 s) of an absolute time, as the table's bucket lines keep them.
#[inline(always)]
pub const fn seconds(nanos: u64) -> u32 {
    (nanos >> 30) as u32
}

/// A point of time in units of 2^20 ns (1.05 ms), which wraps after 52 days: the age of a flow.
#[inline(always)]
pub const fn millis(nanos: u64) -> u32 {
    (nanos >> 20) as u32
}

/// Milliseconds from a close to `nanos`; 0 where there was none, or the clock went back. Of a close, units of [`millis`] are kept.
#[inline(always)]
pub const fn since_close(nanos: u64, closed: u32) -> u32 {
    let units = millis(nanos).wrapping_sub(closed);
    if closed == 0 || units > u32::MAX / 2 { 0 } else { (((units as u64) << 20) / 1_000_000) as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_never_stand_still() {
        let last = Stamp(100);
        assert_eq!(Stamp(90).next(last), Stamp(101));
        assert_eq!(Stamp(100).next(last), Stamp(101));
        assert_eq!(Stamp(130).next(last), Stamp(130));
    }

    #[test]
    fn differences_survive_the_wrap() {
        assert_eq!(Stamp(5).since(Stamp(u32::MAX - 4)), 10);
        assert_eq!(Stamp(5).since(Stamp(9)), 0);
        let later = Stamp(9).0.wrapping_add(3 << 30);
        assert_eq!(Stamp(later).since(Stamp(9)), 3 << 30, "an hour of idleness is not a clock that went back");
    }
}
