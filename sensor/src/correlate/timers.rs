//! Idle timers, found in the silences before connections were closed.

use std::{collections::VecDeque, time::Duration};

use crate::report::ms;

/// Closes that are remembered of a service.
const KEPT: usize = 64;
/// Closes that must agree.
const LEAST: usize = 5;
/// A shorter silence is none.
const SHORTEST: u64 = 1_000_000_000;
/// How far from the timer a silence may be, in nanoseconds, where 2 % are less.
const SLACK: u64 = 50_000_000;

/// The last closes of a service.
#[derive(Clone, Debug, Default)]
pub struct Closes(VecDeque<Closed>);

/// How one was closed.
#[derive(Clone, Copy, Debug)]
struct Closed {
    /// Whether the client was first.
    client: bool,
    /// Nanoseconds of silence before.
    idle: u64,
    /// Nanoseconds since the epoch.
    time: u64,
}

/// A timer that most closes keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// Whether it is the client's.
    pub client: bool,
    /// How long it waits.
    pub idle: Duration,
    /// Closes that keep to it.
    pub kept: usize,
    /// Of how many.
    pub of: usize,
}

impl Closes {
    pub(super) fn add(&mut self, client: bool, idle: u64, time: u64) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        self.0.push_back(Closed { client, idle, time });
    }

    /// The timer that half of the closes, and five at least, keep to within 2 % or 50 ms. They are further apart than that: of
    /// connections that fell silent together and are closed together, the silences are as alike, and no timer's.
    pub fn fixed(&self) -> Option<Fixed> {
        let of = self.0.len();
        let best = [true, false].into_iter().filter_map(|client| {
            let waited: Vec<_> =
                self.0.iter().filter(|close| close.client == client && close.idle >= SHORTEST).collect();
            let around = |middle: u64| {
                let near = || waited.iter().filter(move |close| close.idle.abs_diff(middle) <= slack(middle));
                let times = || near().map(|close| close.time);
                let spread = times().max().unwrap_or(0) - times().min().unwrap_or(0);
                (spread > 2 * slack(middle)).then_some((near().count(), middle))
            };
            let (kept, idle) = waited.iter().filter_map(|close| around(close.idle)).max_by_key(|(kept, _)| *kept)?;
            Some(Fixed { client, idle: Duration::from_nanos(idle), kept, of })
        });
        best.max_by_key(|fixed| fixed.kept).filter(|fixed| fixed.kept >= LEAST && fixed.kept * 2 >= of)
    }
}

fn slack(idle: u64) -> u64 {
    SLACK.max(idle / 50)
}

impl Fixed {
    /// Whether a close kept to it.
    pub(super) fn fits(&self, client: bool, idle: u64) -> bool {
        let middle = self.idle.as_nanos() as u64;
        client == self.client && idle.abs_diff(middle) <= slack(middle)
    }

    /// In a sentence.
    pub fn sentence(&self) -> String {
        let who = if self.client { "client" } else { "server" };
        let percent = self.kept * 100 / self.of;
        format!(
            "{percent} % of {} closes come {} after the last byte, by the {who}: its idle timer, no loss.",
            self.of,
            ms(self.idle)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn fixed(closes: impl IntoIterator<Item = (bool, u64)>) -> Option<(bool, u64, usize, usize)> {
        let mut all = Closes::default();
        closes.into_iter().zip(1..).for_each(|((client, ms), n)| all.add(client, ms * MS, n * 20_000 * MS));
        all.fixed().map(|fixed| (fixed.client, fixed.idle.as_millis() as u64, fixed.kept, fixed.of))
    }

    #[test]
    fn a_timer_with_jitter_is_found() {
        let jitter = [0, 31, 12, 47, 3, 22, 8, 40];
        assert_eq!(fixed(jitter.map(|more| (true, 10_000 + more))).map(|f| (f.0, f.2, f.3)), Some((true, 8, 8)));
        let long = [60_000, 60_900, 59_500, 60_300, 61_000];
        assert_eq!(fixed(long.map(|ms| (false, ms))).map(|f| (f.0, f.2)), Some((false, 5)));
    }

    #[test]
    fn silences_that_end_together_are_no_timer() {
        let mut all = Closes::default();
        (0..40).for_each(|n| all.add(false, (20_000 + n * 5) * MS, n * 5 * MS));
        assert_eq!(all.fixed(), None);
    }

    #[test]
    fn half_must_keep_to_it() {
        let others = (0..5).map(|i| (true, 20_000 + i * 3_000));
        assert_eq!(fixed([(true, 10_000); 5].into_iter().chain(others.clone())).map(|f| (f.2, f.3)), Some((5, 10)));
        assert_eq!(fixed([(true, 10_000); 5].into_iter().chain(others).chain([(false, 2_000)])), None);
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        assert_eq!(fixed([(true, 10_000); 4]), None, "too few");
        assert_eq!(fixed([(true, 20); 40]), None, "closed at once: nobody waits");
        assert_eq!(fixed((0..60).map(|i| (true, 1_000 + i * 700))), None, "people who read");
        assert_eq!(fixed((0..10).map(|i| (i % 2 == 0, 10_000 + i * 1_500))), None, "both sides, now and then");
    }
}
