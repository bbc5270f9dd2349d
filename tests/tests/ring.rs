//! A ring that fills up and is drained again: nothing is lost without being counted, and nobody is forgotten for it.

use sensor_common::{
    config::Config,
    counters::{Counter, Local},
    engine::{Engine, Ring, Seen},
    event::{Event, PARTED},
    flow::{Extra, Flow},
    kind::Kind,
    service::Service,
    table::{Bucket, Services, Storage, WAYS},
    time::Clock,
    wire::Slice,
};
use tests::scenario::{RST, Scenario, Seat, Sent};
use zerocopy::FromZeros;

/// A table of one bucket.
struct Table(Bucket, [Flow; WAYS], [Service; 8], [Extra; WAYS]);

impl Services for Table {
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool {
        let same = *tag == old;
        *tag = if same { new } else { *tag };
        same
    }

    fn add(counter: &mut u64, n: u64) {
        *counter += n;
    }

    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.2.get_mut(index as usize)
    }
}

impl Storage for Table {
    fn bucket(&mut self, index: u32) -> Option<&mut Bucket> {
        (index == 0).then_some(&mut self.0)
    }

    fn flow(&mut self, index: u32) -> Option<&mut Flow> {
        self.1.get_mut(index as usize)
    }

    fn extra(&mut self, index: u32) -> Option<&mut Extra> {
        self.3.get_mut(index as usize)
    }

    fn whole(&mut self, index: u32) -> Option<(&mut Flow, &mut Extra)> {
        Some((self.1.get_mut(index as usize)?, self.3.get_mut(index as usize)?))
    }
}

/// Room for so many events, of which mild ones may take so many.
struct Full {
    events: Vec<Event>,
    room: usize,
}

impl Ring for Full {
    fn submit(&mut self, low: bool, quota: u32, fill: impl FnOnce(&mut Event)) -> bool {
        let room = if low { self.room.min(quota as usize / size_of::<Event>()) } else { self.room };
        if self.events.len() >= room {
            return false;
        }
        let mut event = Event::new_zeroed();
        fill(&mut event);
        self.events.push(event);
        true
    }
}

struct At(u64);

impl Clock for At {
    fn coarse(&self) -> u64 {
        self.0
    }

    fn fine(&self) -> u64 {
        self.0
    }
}

struct Sensor {
    table: Table,
    ring: Full,
    local: Local,
    config: Config,
}

impl Sensor {
    fn new(room: usize, config: Config) -> Self {
        let table =
            Table(Bucket::default(), [Flow::default(); WAYS], [Service::default(); 8], [Extra::default(); WAYS]);
        let config = Config { service_mask: 7, ..config };
        Self { table, ring: Full { events: Vec::new(), room }, local: Local::default(), config }
    }

    fn observe(&mut self, frames: &[Sent]) {
        for frame in frames {
            let Some(hook) = Seat::Server.hook(frame.from) else { continue };
            let Local { cpu, passage } = &mut self.local;
            let (storage, ring, config) = (&mut self.table, &mut self.ring, &self.config);
            Engine { storage, ring, clock: &At(frame.time), cpu, config }.observe(
                &Slice::new(&frame.bytes, frame.bytes.len()),
                Seen { ifindex: 0, tag: 0, hook },
                passage,
            );
        }
        assert_eq!(self.local.cpu.matched_total(), self.local.cpu.accounted_total());
    }

    fn count(&self, counter: Counter) -> u64 {
        self.local.cpu.get(counter)
    }
}

/// A handshake, and `n` resets of which every other is severe.
fn resets(n: usize) -> Vec<Sent> {
    let start = Scenario::v4().handshake().talk(2);
    let near = |s: Scenario| s.rst(|p| p.forged());
    let far = |s: Scenario| s.after(3000).rst(|p| p.forged().ttl(255));
    (0..n).fold(start, |s, i| if i % 2 == 0 { near(s) } else { far(s) }).frames()
}

#[test]
fn a_full_ring_is_counted_by_severity() {
    let mut sensor = Sensor::new(0, Config { flow_findings: 99, ..Config::replay(0) });
    sensor.observe(&resets(6));
    assert_eq!((sensor.count(Counter::RingFullLow), sensor.count(Counter::RingFullHigh)), (3, 3));
    assert_eq!((sensor.count(Counter::Submitted), sensor.local.cpu.matched_total()), (0, 6));
    assert_eq!(sensor.local.cpu.matched[Kind::TtlRstMismatch as usize], 3);
}

/// A mark set before a failed submit would hide the flow for good.
#[test]
fn what_found_the_ring_full_is_told_once_it_is_drained() {
    let mut sensor = Sensor::new(0, Config { flow_findings: 1, ..Config::replay(0) });
    let frames = resets(40);
    let (early, late) = frames.split_at(frames.len() - 1);
    sensor.observe(early);
    assert!(sensor.ring.events.is_empty());
    sensor.ring.room = 1;
    sensor.observe(late);
    assert_eq!(sensor.ring.events.len(), 1);
    assert_eq!((sensor.count(Counter::Submitted), sensor.count(Counter::HeldBackFlow)), (1, 0));
}

#[test]
fn mild_findings_leave_room_for_severe_ones() {
    let quota = 2 * size_of::<Event>() as u32;
    let mut sensor = Sensor::new(100, Config { flow_findings: 99, low_quota: quota, ..Config::replay(0) });
    sensor.observe(&resets(20));
    assert_eq!(sensor.count(Counter::RingFullHigh), 0);
    assert_eq!(sensor.count(Counter::RingFullLow), 9);
    assert_eq!(sensor.ring.events.len(), 11);
}

#[test]
fn a_flow_that_has_told_enough_is_held_back_and_says_so() {
    let mut sensor = Sensor::new(100, Config { flow_findings: 2, ..Config::replay(0) });
    sensor.observe(&resets(16));
    let held: Vec<_> = sensor.ring.events.iter().map(|event| event.held_back).collect();
    // Mild and severe in turn, each with its own back-off.
    assert_eq!(held, [0, 0, 0, 0, 1, 1, 3, 3]);
    assert_eq!(sensor.count(Counter::HeldBackFlow), 8);
}

/// The bucket is the kind's, and is filled once a second.
#[test]
fn a_kind_that_has_told_enough_this_second_is_held_back() {
    let mut sensor = Sensor::new(100, Config { flow_findings: 99, rates: [2, 2, 0, 0], ..Config::replay(0) });
    let start = Scenario::v4().handshake().talk(2).after(2000);
    let many = (0..10).fold(start, |s, _| s.from_client(RST, |p| p.forged())).after(2000);
    let again = (0..10).fold(many, |s, _| s.from_client(RST, |p| p.forged()));
    sensor.observe(&again.frames());
    assert_eq!((sensor.count(Counter::Submitted), sensor.count(Counter::HeldBackRate)), (4, 16));
}

/// Connections that end and crowd one another out of a table of eight.
fn crowd(n: u16) -> Vec<Sent> {
    let one = |port| {
        Scenario::v4().port(port).after(u64::from(port) * 20).handshake().talk(1).client_fin().server_fin().ack()
    };
    (1000..1000 + n).flat_map(|port| one(port).frames()).collect()
}

#[test]
fn flows_that_gave_way_have_their_own_share_and_budget() {
    let handed = |config: Config, room| {
        let mut sensor = Sensor::new(room, config);
        sensor.observe(&crowd(40));
        let parted = sensor.ring.events.iter().filter(|event| event.kind == PARTED).count() as u64;
        assert_eq!(sensor.count(Counter::RecordsHandedOn), parted);
        (parted, sensor.count(Counter::RecordsSkipped))
    };
    let records = Config::replay(0).with_records(u32::MAX, 0);
    assert_eq!(handed(Config::replay(0), 100), (0, 0), "nobody wants them");
    assert_eq!(handed(records, 100), (32, 0));
    let quota = 5 * size_of::<Event>() as u32;
    assert_eq!(handed(Config { record_quota: quota, ..records }, 100), (5, 27));
    // The 640 ms in which they give way are one coarse second or two.
    let (parted, skipped) = handed(Config { record_rate: 4, ..records }, 100);
    assert!((4..=8).contains(&parted) && parted + skipped == 32, "{parted} + {skipped}");
}
