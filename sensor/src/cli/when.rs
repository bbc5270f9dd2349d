//! Moments as people say them: `12h` ago, `2026-11-21T03:00`, `yesterday`. In UTC, as reports tell them, unless they say otherwise.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

/// A moment: nanoseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct When(pub u64);

/// How to say it.
const FORMS: &str = "write 12h, 3d, 2026-11-21, 2026-11-21T03:00, 03:00, today, yesterday or now";

impl When {
    /// Reads what was said.
    ///
    /// # Errors
    ///
    /// What of it makes no sense, and what does.
    pub fn parse(text: &str) -> Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| "the clock is before 1970: set it")?;
        let now = Timestamp::from_nanosecond(now.as_nanos() as i128).map_err(|error| error.to_string())?;
        Self::at(text, now)
    }

    fn at(text: &str, now: Timestamp) -> Result<Self, String> {
        let said = text.trim();
        let today = TimeZone::UTC.to_datetime(now).date();
        let moment = match said {
            "now" => Ok(now),
            "today" => utc(today.into()),
            "yesterday" => today.yesterday().and_then(|day| utc(day.into())),
            _ => return Self::figures(said, now, today),
        };
        moment.map_err(|error| error.to_string()).and_then(of)
    }

    /// What has figures in it.
    fn figures(said: &str, now: Timestamp, today: Date) -> Result<Self, String> {
        if let Some(bad) = said.char_indices().find(|(_, c)| !c.is_ascii_alphanumeric() && !" :.+-/[]".contains(*c)) {
            return Err(pointing(said, bad.0, "is no part of a time"));
        }
        if !said.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(pointing(said, 0, "is no time"));
        }
        if let Some(at) = ago(said)? {
            let then = now.checked_sub(at).map_err(|_| "that is before 1970".to_owned())?;
            return of(then);
        }
        if said.contains('T') && (said.ends_with(['Z', 'z']) || has_offset(said)) {
            return said.parse().map_err(|error| wrong(&error)).and_then(of);
        }
        let moment = if said.contains('-') {
            said.parse::<DateTime>()
        } else {
            // The last time that it was so late.
            said.parse::<Time>().map(|time| today.to_datetime(time))
        };
        let then = moment.and_then(utc).map_err(|error| wrong(&error))?;
        if then > now && !said.contains('-') {
            return of(then - SignedDuration::from_hours(24));
        }
        of(then)
    }
}

/// A time ago: numbers with units. None if it is something else.
fn ago(said: &str) -> Result<Option<SignedDuration>, String> {
    if said.contains(['-', ':']) {
        return Ok(None);
    }
    let (mut whole, mut rest) = (SignedDuration::ZERO, said);
    while !rest.is_empty() {
        let at = said.len() - rest.len();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: i64 =
            rest[..digits].parse().map_err(|_| pointing(said, at, "is no number that a time can have"))?;
        rest = rest[digits..].trim_start();
        let unit = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" | "hour" | "hours" => 3600,
            "d" | "day" | "days" => 86_400,
            "w" | "week" | "weeks" => 7 * 86_400,
            "" => return Err(pointing(said, at, "has no unit: s, m, h, d or w")),
            _ => return Err(pointing(said, said.len() - rest.len(), "is no unit: s, m, h, d or w")),
        };
        let part = number.checked_mul(seconds).map(SignedDuration::from_secs);
        whole = part.and_then(|part| whole.checked_add(part)).ok_or_else(|| pointing(said, at, "is too long"))?;
        rest = rest[unit..].trim_start();
    }
    Ok(Some(whole))
}

/// Whether a time ends with a distance from UTC.
fn has_offset(said: &str) -> bool {
    said.split_once('T').is_some_and(|(_, time)| time.contains(['+', '-']))
}

fn utc(moment: DateTime) -> Result<Timestamp, jiff::Error> {
    TimeZone::UTC.to_timestamp(moment)
}

fn of(moment: Timestamp) -> Result<When, String> {
    u64::try_from(moment.as_nanosecond()).map(When).map_err(|_| "that is before 1970".to_owned())
}

fn wrong(error: &jiff::Error) -> String {
    format!("{error}; {FORMS}")
}

/// What is wrong from a byte on.
fn pointing(said: &str, at: usize, what: &str) -> String {
    let from: String = said[at..].chars().take(20).collect();
    format!("{from:?}, at character {}, {what}; {FORMS}", said[..at].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::rfc3339;

    fn at(text: &str) -> Result<String, String> {
        let now = "2026-11-21T02:00:00Z".parse().unwrap();
        When::at(text, now).map(|When(nanos)| rfc3339(nanos).replace(".000000Z", ""))
    }

    #[test]
    fn moments_are_understood() {
        for (said, meant) in [
            ("now", "2026-11-21T02:00:00"),
            ("12h", "2026-11-20T14:00:00"),
            ("90m", "2026-11-21T00:30:00"),
            ("1d12h", "2026-11-19T14:00:00"),
            ("2 days 1 hour", "2026-11-19T01:00:00"),
            ("2w", "2026-11-07T02:00:00"),
            ("today", "2026-11-21T00:00:00"),
            ("yesterday", "2026-11-20T00:00:00"),
            ("2026-11-20", "2026-11-20T00:00:00"),
            ("2026-11-21T03:00", "2026-11-21T03:00:00"),
            ("2026-11-20 22:15:01", "2026-11-20T22:15:01"),
            ("2026-11-20T22:15:01.000000Z", "2026-11-20T22:15:01"),
            ("2026-11-20T22:15+02:00", "2026-11-20T20:15:00"),
            ("01:30", "2026-11-21T01:30:00"),
            ("03:00", "2026-11-20T03:00:00"),
        ] {
            assert_eq!(at(said).as_deref(), Ok(meant), "{said}");
        }
    }

    #[test]
    fn nonsense_is_pointed_at() {
        for (said, words) in [
            ("12x", r#""x", at character 3, is no unit"#),
            ("1h30", r#""30", at character 3, has no unit"#),
            ("last night", r#""last night", at character 1, is no time"#),
            ("2026-13-01", "month"),
            ("2026-02-30", "day"),
            ("25:00", "hour"),
            ("12h!", r#""!", at character 4, is no part of a time"#),
            ("", r#""", at character 1, is no time"#),
            ("99999999999999999999d", "at character 1, is no number"),
            ("999999999999999d", "at character 1, is too long"),
            ("100000d", "before 1970"),
        ] {
            let told = at(said).expect_err(said);
            assert!(told.contains(words), "{said}: {told}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,30}") {
            let _ = When::parse(&text);
        }

        #[test]
        fn what_was_printed_is_understood(micros in 0..4_000_000_000_000_000_u64) {
            prop_assert_eq!(When::parse(&rfc3339(micros * 1000)), Ok(When(micros * 1000)));
        }
    }
}
