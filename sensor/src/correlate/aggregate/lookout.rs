//! Takes readings, of maps or vectors alike.

use sensor_common::{counters::Cpu, service::Service};

use super::{Astray, Reading, Sampler};
use crate::sweep::Slots;

/// Knows what it has seen.
#[derive(Debug, Default)]
pub struct Lookout {
    sampler: Sampler,
    /// Strays so far, by CPU.
    strays: Vec<u64>,
}

impl Lookout {
    /// Looks at `now`, the engine's time in nanoseconds, which the reading has until a clock is at hand.
    pub fn look<'a>(
        &mut self,
        now: u64,
        cpus: impl IntoIterator<Item = &'a Cpu>,
        services: impl IntoIterator<Item = Service>,
        table: &impl Slots,
    ) -> Reading {
        let (mut sum, mut strays) = (Cpu::default(), Vec::new());
        for (i, cpu) in cpus.into_iter().enumerate() {
            sum.add(cpu);
            if self.strays.len() <= i {
                self.strays.push(0);
            }
            // Of many the latest are kept, and as many of each CPU, however few the other one had.
            let new = || cpu.strays.since(self.strays[i]);
            let each = cpu.strays.n.saturating_sub(self.strays[i]) as f64 / new().count().max(1) as f64;
            strays.extend(new().map(|stray| Astray::new(stray, each)));
            self.strays[i] = cpu.strays.n;
        }
        Reading { sample: self.sampler.read(table, now), strays, ..Reading::new(now, &sum, services) }
    }
}
