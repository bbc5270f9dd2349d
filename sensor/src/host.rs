//! The engine on the host: the same code as in the kernel, over vectors instead of maps.

mod ahead;
mod crew;
mod ledger;
mod memory;
mod pages;
mod part;
mod turns;

use sensor_common::{
    config::Config,
    counters::{Cpu, Local},
    engine::{Engine, Ring, Seen},
    event::{Event, PARTED},
    flow::{Extra, Flow, Head},
    service::Service,
    table::Bucket,
    time::Clock,
    wire::{Packet, Slice},
};
use zerocopy::FromZeros;

use crate::sweep::Slots;

pub use ahead::{AHEAD, Coming};
pub use crew::{Crew, Told};

use memory::{AtHand, Memory};
use part::Part;

/// The engine with its own table, its findings in a list.
pub struct Host {
    table: Part,
    services: Box<[Service]>,
    findings: Findings,
    local: Local,
    config: Config,
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
        let table = Part::new(0, config.bucket_mask + 1);
        Self { table, services, findings: Findings::default(), local: Local::default(), config }
    }

    /// Judges one Ethernet frame, seen at `time` nanoseconds.
    #[inline]
    pub fn observe(&mut self, time: u64, frame: &Slice<'_>, seen: Seen) {
        self.observe_at([time; 2], frame, seen);
    }

    /// The same with the two clocks of a live sensor: coarse, then fine.
    #[inline]
    pub fn observe_at(&mut self, [coarse, fine]: [u64; 2], frame: &Slice<'_>, seen: Seen) {
        let Self { table, services, findings, local: Local { cpu, passage }, config } = self;
        let storage = &mut Memory { table, services: AtHand(services) };
        Engine { storage, ring: findings, clock: &Now { coarse, fine }, cpu, config }.observe(frame, seen, passage);
    }

    /// Has fetched from memory what the judgement of a frame is likely to need, which is called for [`AHEAD`] frames later: once for
    /// each frame, as bytes, length on the wire and interface, and for nothing at the end. What is found does not depend on it.
    #[inline(always)]
    pub fn expect(&self, coming: &mut Coming, frame: Option<(&[u8], u32, u32)>) {
        let place =
            frame.and_then(|(bytes, wire_len, ifindex)| ahead::guess(bytes, wire_len as usize, ifindex, &self.config));
        if let Some(at) = place {
            self.table.expect_bucket(at);
        }
        if let Some(at) = coming.push(place) {
            self.table.expect_flow(at);
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
        self.table.flows()
    }

    /// The flows' cold state, used or not.
    pub fn extras(&self) -> &[Extra] {
        self.table.extras()
    }

    /// The services, used or not.
    pub fn services(&self) -> &[Service] {
        &self.services
    }
}

impl Slots for Host {
    fn buckets(&self) -> usize {
        self.table.len()
    }

    fn bucket(&self, index: usize) -> Bucket {
        self.table.copy_of_bucket(index)
    }

    fn flow(&self, index: usize) -> (Flow, Extra) {
        self.table.copy_of_flow(index)
    }

    fn head(&self, index: usize) -> Head {
        self.table.copy_of_head(index)
    }

    fn fetch(&self, index: usize) {
        self.table.fetch(index);
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
