//! The ring from outside: how much of it earlier sensors have taken out, how much waits. Positions count from the ring's making, and
//! each record is as long as the next, so they agree with the counters to the record.

use aya::maps::MapData;
use sensor_common::{
    counters::{Counter, Cpu},
    event::Event,
};

use super::super::{KernelError, error::chain, shared::Shared};

/// A record's own header: its length, two bits of which are flags, and a place.
const HEADER: usize = 8;
/// A record in the ring.
const RECORD: usize = (HEADER + size_of::<Event>()).next_multiple_of(8);
/// Being written, or thrown away.
const FLAGS: u64 = 0b11 << 30;

/// How often it is read until counters and positions agree: the programs go on writing.
const TRIES: usize = 1000;

/// Records of either sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// Findings.
    pub events: u64,
    /// Flows that gave way.
    pub parted: u64,
}

/// The ring and the counters at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The counters of all CPUs together.
    pub cpu: Cpu,
    /// What has been taken out of the ring, by whichever sensor.
    pub taken: Records,
    /// What is in it.
    pub waiting: Records,
}

/// Reads the ring's positions, and takes nothing out.
pub struct Backlog {
    consumer: Shared,
    producer: Shared,
    /// Bytes of a page, and of the ring.
    page: usize,
    size: usize,
}

impl Backlog {
    /// Of a ring.
    pub(super) fn of(ring: &MapData) -> Result<Self, KernelError> {
        // SAFETY: a plain library call that passes no memory.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) }.max(1) as usize;
        let size = ring.info().map_err(KernelError::map)?.max_entries() as usize;
        let map = |offset, bytes| {
            Shared::new(ring, offset, bytes, false)
                .map_err(|cause| KernelError::Map(format!("EVENTS: {}", chain(&cause))))
        };
        Ok(Self { consumer: map(0, page)?, producer: map(page, page + size)?, page, size })
    }

    /// How it stands, while nobody takes anything out. Exact, unless the programs write without a pause.
    pub(in super::super) fn look(&self, counters: impl Fn() -> Result<Cpu, KernelError>) -> Result<Look, KernelError> {
        let mut tries = 0;
        let (end, cpu, made) = loop {
            let end = self.producer.word(0);
            let cpu = counters()?;
            let made = [Counter::Submitted, Counter::RecordsHandedOn].map(|counter| cpu.get(counter));
            tries += 1;
            let agree = self.producer.word(0) == end && made.iter().sum::<u64>() * RECORD as u64 == end;
            if agree || tries == TRIES {
                break (end, cpu, made);
            }
        };
        let waiting = self.waiting(self.consumer.word(0), end);
        let taken =
            Records { events: made[0].saturating_sub(waiting.events), parted: made[1].saturating_sub(waiting.parted) };
        Ok(Look { cpu, taken, waiting })
    }

    /// What is in it now.
    pub(super) fn now(&self) -> Records {
        self.waiting(self.consumer.word(0), self.producer.word(0))
    }

    fn waiting(&self, from: u64, to: u64) -> Records {
        let (mut records, mut at, mut event) = (Records::default(), from, [0; size_of::<Event>()]);
        while at < to {
            let word = |i: usize| {
                let place = (at as usize).wrapping_add(i * size_of::<u64>()) & (self.size - 1);
                self.producer.word((self.page + place) / size_of::<u64>())
            };
            let length = (word(0) & 0xffff_ffff & !FLAGS) as usize;
            if length == size_of::<Event>() {
                let words = event.chunks_exact_mut(size_of::<u64>());
                words.enumerate().for_each(|(i, bytes)| bytes.copy_from_slice(&word(1 + i).to_ne_bytes()));
            }
            let parted = length == size_of::<Event>() && Event::parted(&event).is_some();
            *if parted { &mut records.parted } else { &mut records.events } += 1;
            at += (HEADER + length).next_multiple_of(8) as u64;
        }
        records
    }
}
