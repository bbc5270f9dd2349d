//! The maps, and the engine's view of them. Sizes are set when the object is loaded.

use core::{
    hint::black_box,
    intrinsics::{AtomicOrdering, atomic_xadd},
};

use aya_ebpf::{
    btf_maps::{Array, PerCpuArray, RingBuf},
    helpers::generated::bpf_ringbuf_query,
    macros::btf_map,
};
use sensor_common::{
    config::Config,
    counters::Local,
    engine::Ring,
    event::Event,
    flow::{Extra, Flow},
    service::Service,
    table::{Bucket, Services, Storage},
};

/// `BPF_F_MMAPABLE`: the agent reads these without a system call.
const MMAPABLE: usize = 1 << 10;

#[btf_map]
static BUCKETS: Array<Bucket, 16_384, MMAPABLE> = Array::new();
#[btf_map]
static FLOWS: Array<Flow, 131_072, MMAPABLE> = Array::new();
#[btf_map]
static EXTRAS: Array<Extra, 131_072, MMAPABLE> = Array::new();
#[btf_map]
static SERVICES: Array<Service, 4_096, MMAPABLE> = Array::new();
#[btf_map]
static CPUS: PerCpuArray<Local, 1, 0> = PerCpuArray::new();
#[btf_map]
static EVENTS: RingBuf<Event, 4_194_304, 0> = RingBuf::new();
/// Time for tests, in nanoseconds. No loaded program refers to it unless the configuration says so.
#[btf_map]
static TEST_CLOCK: Array<u64, 1, MMAPABLE> = Array::new();

/// Set when the object is loaded.
#[unsafe(no_mangle)]
static CONFIG: Config = Config::replay(0);

/// The configuration.
#[inline(always)]
pub(crate) fn config() -> &'static Config {
    // The compiler must not know the value: what is loaded has another.
    black_box(&CONFIG)
}

/// This CPU's counters and working memory.
#[inline(always)]
pub(crate) fn local() -> Option<&'static mut Local> {
    // SAFETY: hooks do not interrupt one another on a CPU (both run with bottom halves disabled), so nobody else has it.
    CPUS.get_ptr_mut(0).map(|local| unsafe { &mut *local })
}

/// The time that a test has set.
#[inline(always)]
pub(crate) fn test_time() -> u64 {
    // SAFETY: an aligned word that lives as long as the program; volatile because the test changes it.
    TEST_CLOCK.get_ptr(0).map_or(0, |time| unsafe { time.read_volatile() })
}

/// Buckets, flows and services in array maps.
pub(crate) struct Maps;

impl Maps {
    #[inline(always)]
    fn step(tag: &mut u32, step: u32) {
        // SAFETY: an aligned word of a map element.
        unsafe { atomic_xadd::<u32, u32, { AtomicOrdering::Relaxed }>(tag, step) };
    }
}

impl Services for Maps {
    #[inline(always)]
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool {
        // By addition, since kernels before 5.12 have no compare-and-swap: who finds the sum as hoped has won, alone, for any
        // other sum has somebody else's step in it. The others take theirs back.
        let step = new.wrapping_sub(old);
        Self::step(tag, step);
        // SAFETY: an aligned word of a map element; volatile because other CPUs write it too.
        let won = unsafe { (&raw const *tag).read_volatile() } == new;
        if !won {
            Self::step(tag, step.wrapping_neg());
        }
        won
    }

    #[inline(always)]
    fn add(counter: &mut u64, n: u64) {
        // SAFETY: an aligned word of a map element.
        unsafe { atomic_xadd::<u64, u64, { AtomicOrdering::Relaxed }>(counter, n) };
    }

    #[inline(always)]
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        // SAFETY: array elements live as long as the program. Other CPUs may write them too: tags change in [`Self::swap_tag`]
        // alone, counters by atomic addition.
        SERVICES.get_ptr_mut(index).map(|service| unsafe { &mut *service })
    }
}

impl Storage for Maps {
    #[inline(always)]
    fn bucket(&mut self, index: u32) -> Option<&mut Bucket> {
        // SAFETY: as for services, and everything but a tag is judged as what it is, one CPU's view.
        BUCKETS.get_ptr_mut(index).map(|bucket| unsafe { &mut *bucket })
    }

    #[inline(always)]
    fn flow(&mut self, index: u32) -> Option<&mut Flow> {
        // SAFETY: as for buckets; each side's line is written by the hook that sees that side.
        FLOWS.get_ptr_mut(index).map(|flow| unsafe { &mut *flow })
    }

    #[inline(always)]
    fn extra(&mut self, index: u32) -> Option<&mut Extra> {
        // SAFETY: as for flows.
        EXTRAS.get_ptr_mut(index).map(|extra| unsafe { &mut *extra })
    }

    #[inline(always)]
    fn whole(&mut self, index: u32) -> Option<(&mut Flow, &mut Extra)> {
        let (flow, extra) = (FLOWS.get_ptr_mut(index)?, EXTRAS.get_ptr_mut(index)?);
        // SAFETY: as for flows; two maps do not overlap.
        Some(unsafe { (&mut *flow, &mut *extra) })
    }
}

const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;
const AVAILABLE: u64 = 0;

/// Bytes waiting in the ring beyond which the reader is awake, or about to be.
const READER_BEHIND: u64 = 64 * 1024;

/// The ring to the agent.
pub(crate) struct Events;

impl Ring for Events {
    /// Wake-ups are dear: mild events wait for the reader's timer, severe ones wake it unless it has enough to do already.
    #[inline(always)]
    fn submit(&mut self, low: bool, quota: u32, fill: impl FnOnce(&mut Event)) -> bool {
        // SAFETY: the helper takes a ring buffer map, which this is.
        let waiting = unsafe { bpf_ringbuf_query((&raw const EVENTS).cast_mut().cast(), AVAILABLE) };
        if low && waiting > quota as u64 {
            return false;
        }
        let Some(mut entry) = EVENTS.reserve(0) else {
            return false;
        };
        // SAFETY: `fill` writes every field, and an event has no padding.
        fill(unsafe { entry.assume_init_mut() });
        entry.submit(if low || waiting > READER_BEHIND { NO_WAKEUP } else { FORCE_WAKEUP });
        true
    }
}
