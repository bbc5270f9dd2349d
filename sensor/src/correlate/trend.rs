//! Whether an incident grows or fades: its findings by the minute.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// In nanoseconds.
const MINUTE: u64 = 60 * 1_000_000_000;
/// Minutes that are kept.
const KEPT: usize = 30;
/// Fewer say nothing.
const LEAST: usize = 3;

/// Where it is heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Heading {
    /// Half as much again as before, at least.
    Growing,
    /// About as before.
    Steady,
    /// Two thirds of what it was, at most.
    Fading,
}

impl Heading {
    /// All.
    pub const ALL: [Self; 3] = [Self::Growing, Self::Steady, Self::Fading];

    /// The public name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Growing => "growing",
            Self::Steady => "steady",
            Self::Fading => "fading",
        }
    }
}

/// Findings by the minute, the last 30 minutes up to the latest finding.
#[derive(Clone, Debug, Default)]
pub struct Trend {
    /// The minute that the last count is of, since the epoch.
    minute: u64,
    counts: VecDeque<u32>,
}

impl Trend {
    /// Counts a finding; late ones belong to the latest minute.
    pub(super) fn add(&mut self, time: u64) {
        let minute = time / MINUTE;
        if self.counts.is_empty() {
            self.minute = minute;
        }
        let skipped = minute.saturating_sub(self.minute).min(KEPT as u64);
        self.minute = self.minute.max(minute);
        if skipped > 0 || self.counts.is_empty() {
            self.counts.extend(std::iter::repeat_n(0, skipped.max(1) as usize));
        }
        let beyond = self.counts.len().saturating_sub(KEPT);
        self.counts.drain(..beyond);
        if let Some(last) = self.counts.back_mut() {
            *last = last.saturating_add(1);
        }
    }

    /// Findings by the minute, oldest first; the first and the last one may be cut short.
    pub fn per_minute(&self) -> Vec<u32> {
        self.counts.iter().copied().collect()
    }

    /// The last third of its minutes against those before; none while it is too young to say.
    pub fn heading(&self) -> Option<Heading> {
        let n = self.counts.len();
        if n < LEAST {
            return None;
        }
        let late = n.div_ceil(3);
        let sum = |counts: &mut dyn Iterator<Item = &u32>| counts.map(|n| u64::from(*n)).sum::<u64>();
        let before = sum(&mut self.counts.iter().take(n - late)) * late as u64;
        let lately = sum(&mut self.counts.iter().skip(n - late)) * (n - late) as u64;
        Some(match () {
            () if lately * 2 >= before * 3 => Heading::Growing,
            () if lately * 3 <= before * 2 => Heading::Fading,
            () => Heading::Steady,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(per_minute: &[u32]) -> Option<Heading> {
        let mut trend = Trend::default();
        for (minute, n) in per_minute.iter().enumerate() {
            (0..*n).for_each(|_| trend.add(1_000 * MINUTE + minute as u64 * MINUTE));
        }
        assert_eq!(trend.per_minute(), per_minute[per_minute.len().saturating_sub(KEPT)..]);
        trend.heading()
    }

    #[test]
    fn the_last_third_tells() {
        assert_eq!(heading(&[1, 5, 2, 9, 14]), Some(Heading::Growing));
        assert_eq!(heading(&[9, 8, 9, 8, 9, 8]), Some(Heading::Steady));
        assert_eq!(heading(&[40, 20, 0, 0, 3]), Some(Heading::Fading));
        assert_eq!(heading(&[40, 1]), None, "too young");
        assert_eq!(heading(&[7; 100]), Some(Heading::Steady));
    }

    #[test]
    fn a_clock_that_goes_back_changes_no_minute() {
        let mut trend = Trend::default();
        [10, 11, 9, 11].iter().for_each(|minute| trend.add(minute * MINUTE));
        assert_eq!(trend.per_minute(), [1, 3]);
    }
}
