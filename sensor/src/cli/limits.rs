//! How much is told and kept at the most, on a live interface.

use clap::Args;

/// How much is told and kept at the most.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limits {
    /// Findings below warn told a second, for each kind on each CPU; 0 is no limit. Severe ones have none.
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub rate: u32,
    /// Findings told of one connection before only some of them are; mild and severe ones apart.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=15))]
    pub per_connection: u32,
    /// MiB of the ring in which findings wait for the agent; rounded up to a power of two.
    #[arg(long, value_name = "MIB", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub ring: u32,
}

impl Limits {
    /// Bytes of the ring.
    pub const fn ring_bytes(self) -> u32 {
        self.ring.next_power_of_two() << 20
    }
}
