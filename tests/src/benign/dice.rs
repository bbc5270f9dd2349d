//! Chance that repeats: SplitMix64 (Steele, Lea, Flood 2014).

/// A seeded source of numbers.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// The same seed, the same numbers.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub(super) const fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `n`, which is not zero.
    pub(super) const fn below(&mut self, n: u64) -> u64 {
        self.any() % n
    }

    /// A number from `low` to `high`, both included.
    pub(super) const fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number from `low` to `high`, small ones more often: its logarithm is spread evenly.
    pub(super) fn spread(&mut self, low: u64, high: u64) -> u64 {
        let part = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (low as f64 * (high as f64 / low as f64).powf(part)) as u64
    }

    /// Whether something happens that does so `n` times in a million.
    pub(super) const fn chance(&mut self, n: u32) -> bool {
        self.below(1_000_000) < n as u64
    }

    /// One of several.
    pub(super) const fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}
