//! Wall-clock time: from the engine's nanoseconds to RFC 3339 in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Nanoseconds by which clocks may differ.
const APART: u128 = 10_000_000;

/// Maps the engine's time to nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    offset: i128,
}

impl WallClock {
    /// For captures, whose time is the epoch's.
    pub const fn epoch() -> Self {
        Self { offset: 0 }
    }

    /// For a live engine: `engine` and `wall` are the same moment on both clocks.
    pub fn matching(engine: u64, wall: SystemTime) -> Self {
        let wall = wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as i128);
        Self { offset: wall - i128::from(engine) }
    }

    /// The same, unless the clocks have come apart: then times are told by the wall's of now. What is read one after the other differs a
    /// little each time, and times that jitter are out of order.
    pub fn follow(self, engine: u64, wall: SystemTime) -> Self {
        let now = Self::matching(engine, wall);
        if now.offset.abs_diff(self.offset) > APART { now } else { self }
    }

    /// Nanoseconds since the epoch; clamped to what can be told.
    pub fn nanos(self, engine: u64) -> u64 {
        u64::try_from((i128::from(engine) + self.offset).max(0)).unwrap_or(u64::MAX)
    }
}

/// Writes nanoseconds since the epoch as RFC 3339, in UTC, with microseconds.
pub fn rfc3339(nanos: u64) -> String {
    // All of these are years that it knows.
    let time = Timestamp::from_nanosecond(nanos.into()).unwrap_or(Timestamp::MAX);
    format!("{time:.6}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_hold_across_leap_years() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_369_059_025, "2013-05-20T14:10:25.000000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(rfc3339(seconds * 1_000_000_000), expected);
        }
        assert!(rfc3339(1_999).ends_with("00.000001Z"));
        assert!(rfc3339(u64::MAX).starts_with("2554-"));
    }

    #[test]
    fn the_live_clock_keeps_its_distance() {
        let clock = WallClock::matching(5_000, UNIX_EPOCH + Duration::from_nanos(1_005_000));
        assert_eq!(clock.nanos(6_000), 1_006_000);
        // Read a little later, and after an hour's sleep, in which the engine's clock stood still.
        let wall = |nanos| UNIX_EPOCH + Duration::from_nanos(nanos);
        assert_eq!(clock.follow(7_000, wall(1_008_500)).nanos(7_000), 1_007_000);
        let hour = 3_600_000_000_000;
        assert_eq!(clock.follow(7_000, wall(hour + 1_007_000)).nanos(7_000), hour + 1_007_000);
        assert_eq!(WallClock::epoch().nanos(7), 7);
    }
}
