//! Rates against what is usual.

/// Seconds in a row that something must last before it is told.
pub(super) const LASTING: f64 = 3.0;
/// Seconds' worth of what would be alarming that need not last, if they come at once.
const BURST: f64 = 15.0;
/// Seconds that the average looks back.
const MEMORY: f64 = 60.0;

/// A rate that is alarming once it is above a floor, and several times what was usual, for [`LASTING`] seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    floor: f64,
    factor: f64,
    /// Exponentially weighted average of the seconds that were not alarming.
    usual: f64,
    /// Seconds above the line, and what they brought.
    above: f64,
    amount: f64,
}

impl Meter {
    /// Alarming from `floor` a second on, and `factor` times the average of the last minute.
    pub(super) const fn new(floor: f64, factor: f64) -> Self {
        Self { floor, factor, usual: 0.0, above: 0.0, amount: 0.0 }
    }

    /// Adds what `seconds` brought. Whether it is alarming: then the mean rate, and for how long by now.
    pub(super) fn add(&mut self, n: f64, seconds: f64) -> Option<(f64, f64)> {
        let rate = n / seconds;
        if rate < self.floor.max(self.factor * self.usual) {
            // The average bends faster the longer the span.
            let weight = 1.0 - (-seconds / MEMORY).exp();
            self.usual += weight * (rate - self.usual);
            (self.above, self.amount) = (0.0, 0.0);
            return None;
        }
        self.above += seconds;
        self.amount += n;
        (self.above >= LASTING - 0.5).then_some((self.amount / self.above, self.above))
    }

    /// Whether what so far came above the line is too much to wait for more.
    pub(super) const fn is_burst(&self) -> bool {
        self.amount >= BURST * self.usual.max(self.floor)
    }

    /// What so far came above the line: how much, in how many seconds.
    pub(super) const fn above(&self) -> (f64, f64) {
        (self.amount, self.above)
    }

    /// What is usual, a second.
    pub(super) const fn usual(&self) -> f64 {
        self.usual
    }

    /// Whether it is above the line, however short.
    pub(super) const fn is_above(&self) -> bool {
        self.above > 0.0
    }
}

/// Seconds of one step of [`Cusum`].
const STEP: f64 = 20.0;
/// What a step may bring too much, in shares of what is usual.
const DRIFT: f64 = 0.35;
/// What may gather of it.
const LIMIT: f64 = 1.05;
/// What is usual of a service that does little: below it, shares mean nothing.
const LEAST: f64 = 100.0;

/// The non-parametric CUSUM of Wang, Zhang and Shin ("Detecting SYN flooding attacks", INFOCOM 2002): requests against connections
/// that end, in steps of 20 s. Three numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cusum {
    y: f64,
    usual: f64,
    /// Of the step so far: seconds, requests, ends.
    step: [f64; 3],
}

impl Cusum {
    /// Adds what `seconds` brought; at the end of a step whether too much has gathered.
    pub(super) fn add(&mut self, requests: f64, ends: f64, seconds: f64) -> Option<bool> {
        for (sum, n) in self.step.iter_mut().zip([seconds, requests, ends]) {
            *sum += n;
        }
        if self.step[0] < STEP - 0.5 {
            return None;
        }
        let [_, requests, ends] = std::mem::take(&mut self.step);
        self.usual = 0.9 * self.usual + 0.1 * ends;
        let excess = (requests - ends) / self.usual.max(LEAST) - DRIFT;
        self.y = (self.y + excess).clamp(0.0, 100.0);
        Some(self.y > LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lasts_is_told_and_what_is_usual_is_not() {
        let mut meter = Meter::new(200.0, 5.0);
        assert!((0..600).all(|_| meter.add(150.0, 1.0).is_none()));
        assert!((140.0..150.1).contains(&meter.usual()), "{meter:?}");
        assert!((0..60).all(|_| meter.add(700.0, 1.0).is_none()), "not five times as much");
        let mut meter = Meter::new(200.0, 5.0);
        let told: Vec<_> = (0..4).map(|_| meter.add(300.0, 1.0).is_some()).collect();
        assert_eq!(told, [false, false, true, true]);
        assert!(meter.add(10.0, 1.0).is_none() && meter.add(300.0, 1.0).is_none(), "it begins anew");
        assert!(!meter.is_burst());
        assert!(meter.add(3000.0, 1.0).is_none() && meter.is_burst(), "fifteen seconds' worth at once");
    }

    #[test]
    fn a_slow_flood_gathers_and_a_balance_does_not() {
        let steps = |requests, ends| {
            let mut cusum = Cusum::default();
            (0..600).filter_map(|_| cusum.add(requests, ends, 1.0)).filter(|over| *over).count()
        };
        assert_eq!((steps(50.0, 50.0), steps(52.0, 50.0), steps(3.0, 2.0)), (0, 0, 0));
        assert!(steps(20.0, 2.0) > 20);
    }
}
