//! The engine on the host: the same code as in the kernel, over vectors instead of maps.

mod ahead;
mod crew;
mod pages;
mod part;

use sensor_common::{
    config::Config,
    counters::{Cpu, Local},
    engine::{Engine, Ring, Seen},
    event::{Event, PARTED},
    flow::{Extra, Flow, Head},
    service::Service,
    table::{Bucket, Storage},
    time::Clock,
    wire::{Packet, Slice},
};
use zerocopy::FromZeros;

use crate::sweep::Slots;

pub use crew::{Crew, Told};

use part::Part;

/// The engine with its own table, its findings in a list.
pub struct Host {
    memory: Memory,
    findings: Findings,
    local: Local,
    config: Config,
}

struct Memory {
    table: Part,
    services: Box<[Service]>,
}

#[derive(Default)]
struct Findings {
    events: Vec<Event>,
    parted: Vec<Event>,
}

struct Now {
    coarse: u64,
    fine: u64,
}

impl Host {
    /// An engine with an empty table. The memory is taken as it is touched.
    pub fn new(config: Config) -> Self {
        let services = vec![Service::default(); config.service_mask as usize + 1].into_boxed_slice();
        let memory = Memory { table: Part::new(0, config.bucket_mask + 1), services };
        Self { memory, findings: Findings::default(), local: Local::default(), config }
    }

    /// Judges one Ethernet frame, seen at `time` nanoseconds.
    #[inline]
    pub fn observe(&mut self, time: u64, frame: &Slice<'_>, seen: Seen) {
        self.observe_at([time; 2], frame, seen);
    }

    /// The same with the two clocks of a live sensor: coarse, then fine.
    #[inline]
    pub fn observe_at(&mut self, [coarse, fine]: [u64; 2], frame: &Slice<'_>, seen: Seen) {
        let Self { memory, findings, local: Local { cpu, passage }, config } = self;
        Engine { storage: memory, ring: findings, clock: &Now { coarse, fine }, cpu, config }
            .observe(frame, seen, passage);
    }

    /// Has fetched from memory what the judgement of a frame is likely to need. What is found does not depend on it.
    #[inline(always)]
    pub fn expect(&self, frame: &[u8], wire_len: usize, ifindex: u32) {
        if let Some(at) = ahead::guess(frame, wire_len, ifindex, &self.config) {
            self.memory.table.expect(at);
        }
    }

    /// Takes the findings since the last call.
    #[inline]
    pub fn drain(&mut self) -> std::vec::Drain<'_, Event> {
        self.findings.events.drain(..)
    }

    /// Takes the flows that gave way since the last call, where the configuration wants them.
    #[inline]
    pub fn drain_parted(&mut self) -> std::vec::Drain<'_, Event> {
        self.findings.parted.drain(..)
    }

    /// Whether there are such flows to take.
    #[inline]
    pub fn has_parted(&self) -> bool {
        !self.findings.parted.is_empty()
    }

    /// Whether there are findings to take.
    #[inline]
    pub fn has_findings(&self) -> bool {
        !self.findings.events.is_empty()
    }

    /// The segment last judged; what it holds after a frame that was not is of no use.
    #[inline]
    pub fn packet(&self) -> &Packet {
        &self.local.passage.packet
    }

    /// Counters.
    pub fn cpu(&self) -> &Cpu {
        &self.local.cpu
    }

    /// The table's flows, used or not.
    pub fn flows(&self) -> &[Flow] {
        self.memory.table.flows()
    }

    /// The flows' cold state, used or not.
    pub fn extras(&self) -> &[Extra] {
        self.memory.table.extras()
    }

    /// The services, used or not.
    pub fn services(&self) -> &[Service] {
        &self.memory.services
    }
}

impl Slots for Host {
    fn buckets(&self) -> usize {
        self.memory.table.len()
    }

    fn bucket(&self, index: usize) -> Bucket {
        self.memory.table.copy_of_bucket(index)
    }

    fn flow(&self, index: usize) -> (Flow, Extra) {
        self.memory.table.copy_of_flow(index)
    }

    fn head(&self, index: usize) -> Head {
        self.memory.table.copy_of_head(index)
    }
}

impl Storage for Memory {
    #[inline(always)]
    fn bucket(&mut self, index: u32) -> Option<&mut Bucket> {
        self.table.bucket(index)
    }

    #[inline(always)]
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool {
        let same = *tag == old;
        if same {
            *tag = new;
        }
        same
    }

    #[inline(always)]
    fn add(counter: &mut u64, n: u64) {
        *counter += n;
    }

    #[inline(always)]
    fn flow(&mut self, index: u32) -> Option<&mut Flow> {
        self.table.flow(index)
    }

    #[inline(always)]
    fn extra(&mut self, index: u32) -> Option<&mut Extra> {
        self.table.extra(index)
    }

    #[inline(always)]
    fn whole(&mut self, index: u32) -> Option<(&mut Flow, &mut Extra)> {
        self.table.whole(index)
    }

    #[inline(always)]
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.services.get_mut(index as usize)
    }
}

impl Ring for Findings {
    fn submit(&mut self, _low: bool, _quota: u32, fill: impl FnOnce(&mut Event)) -> bool {
        let mut event = Event::new_zeroed();
        fill(&mut event);
        let list = if event.kind == PARTED { &mut self.parted } else { &mut self.events };
        list.push(event);
        true
    }
}

impl Clock for Now {
    #[inline(always)]
    fn coarse(&self) -> u64 {
        self.coarse
    }

    #[inline(always)]
    fn fine(&self) -> u64 {
        self.fine
    }
}
