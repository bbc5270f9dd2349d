//! Since when, until when.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{SignedDuration, Timestamp};

/// A moment: told as a time, or as how long ago it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When(u64);

impl When {
    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// `5m`, `1h30m`, `2026-11-21T14:00:00Z`, `2026-11-21T15:00:00+01:00`.
    ///
    /// # Errors
    ///
    /// What it may be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(text, now)
            .ok_or_else(|| "it is a time (2026-11-21T14:00:00Z) or how long ago that is (90s, 5m, 1h30m, 2d)".into())
    }

    fn at(text: &str, now: Duration) -> Option<Self> {
        let nanos = match text.parse::<Timestamp>() {
            Ok(time) => u64::try_from(time.as_nanosecond()).ok()?,
            Err(_) => u64::try_from(now.checked_sub(ago(text)?)?.as_nanos()).ok()?,
        };
        Some(Self(nanos))
    }
}

/// How long ago. Durations know no days, which need not be as long as each other; here they are 24 hours.
fn ago(text: &str) -> Option<Duration> {
    let (days, rest) = text.split_once('d').unwrap_or(("0", text));
    let days = days.trim().parse::<u32>().ok()?;
    let rest = if days > 0 && rest.is_empty() { SignedDuration::ZERO } else { rest.trim().parse().ok()? };
    Duration::from_hours(24).checked_mul(days)?.checked_add(rest.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_or_how_long_ago() {
        let now = Duration::from_secs(1_700_000_000);
        for (text, seconds) in [
            ("90s", 1_699_999_910),
            ("5m", 1_699_999_700),
            ("1h30m", 1_699_994_600),
            ("2d", 1_699_827_200),
            ("1d 1h", 1_699_910_000),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2023-11-14T23:13:20.5+01:00", 1_700_000_000),
        ] {
            assert_eq!(When::at(text, now).map(|when| when.nanos() / 1_000_000_000), Some(seconds), "{text}");
        }
        for text in ["", "soon", "5", "-5m", "99999999d", "2023-11-14", "1950-01-01T00:00:00Z", "d"] {
            assert_eq!(When::at(text, now), None, "{text}");
        }
        assert!(When::parse("yesterday").unwrap_err().contains("how long ago"));
    }
}
