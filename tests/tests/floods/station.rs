//! A sensor in virtual time: the kernel program by test-run, its real maps and ring, the agent's drain, sweep and report. What
//! came in and what is known of it must add up at each look.

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
};

use aya::programs::{SchedClassifier, TestRun, TestRunOptions, Xdp};
use bytes::Bytes;
use sensor::{
    correlate::aggregate::Lookout,
    kernel::{Drain, Kernel, Readings, Services, Table},
    report::{Output, Place, Reporter, Style, WallClock},
    sweep::{Findings, Slots, Sweeper},
};
use sensor_common::{
    config::{ClockSource, Config, FIXED_HASH_KEYS},
    counters::{Counter, Cpu},
    detect::Severity,
    event::Event,
    flow::{HeadBits, Key},
    table::WAYS,
};
use tests::{pair::pin, root};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc,
};

use super::heard::{Ear, Incident};

/// A second in nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;
/// When it begins: an ordinary date.
const START: u64 = 1_700_000_000 * SECOND;
/// The coarse clock's tick.
const TICK: u64 = 1_000_000;
/// How often the agent empties the ring.
const DRAIN: u64 = 10 * TICK;
/// Bytes of the ring, as it is by default.
const RING: u32 = 4 << 20;

/// The sensor and its virtual time.
pub(crate) struct Station {
    kernel: Kernel,
    drain: Drain,
    queue: mpsc::Receiver<Bytes>,
    parted: Receiver<Box<Event>>,
    table: Arc<Table>,
    readings: Readings,
    services: Services,
    lookout: Lookout,
    sweeper: Sweeper,
    reporter: Reporter<Ear>,
    heard: Ear,
    now: u64,
    /// When the ring is emptied next, and when somebody looks.
    due: [u64; 2],
    /// What the kernel program's clock says.
    clock: u64,
    /// Whether the report takes what is in the queue.
    pub(crate) reads: bool,
    /// Frames shown, and events reported.
    sent: u64,
    reported: u64,
    /// The drain's home; dropped last.
    _runtime: Runtime,
}

impl Station {
    /// With a table of so many flows; `None`, and a loud word, without root.
    pub(crate) fn load(flows: u32) -> Option<Self> {
        Self::seeded(flows, FIXED_HASH_KEYS)
    }

    /// The same with other multipliers in the hash.
    pub(crate) fn seeded(flows: u32, hash_keys: [u64; FIXED_HASH_KEYS.len()]) -> Option<Self> {
        if !root() {
            return None;
        }
        // Limits are by CPU.
        pin();
        let live = Config::live(hash_keys, flows / WAYS as u32 - 1, RING);
        let config = Config { clock: ClockSource::Test as u8, ..live };
        let mut kernel = Kernel::load_with(config, RING).expect("it loads");
        let table = Arc::new(kernel.table().expect("the table"));
        let readings = kernel.readings(Arc::clone(&table)).expect("the counters");
        let services = kernel.services().expect("the services");
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let within = runtime.enter();
        let (gone, parted) = sync_channel(1);
        let (drain, queue) = Drain::new(kernel.events().expect("the ring"), gone).expect("a drain");
        drop(within);
        let heard = Ear::default();
        let style =
            Style { output: Output::Json, min_severity: Severity::Info, color: false, analysis: false, dedup: false };
        let reporter = Reporter::new(heard.clone(), style, WallClock::epoch()).with_sink(Box::new(heard.clone()));
        let mut station = Self {
            sweeper: Sweeper::new(table.buckets(), &Cpu::default()),
            kernel,
            drain,
            queue,
            parted,
            table,
            readings,
            services,
            lookout: Lookout::default(),
            reporter,
            heard,
            now: START,
            due: [START + DRAIN, START + SECOND],
            clock: 0,
            reads: true,
            sent: 0,
            reported: 0,
            _runtime: runtime,
        };
        station.pass(0);
        Some(station)
    }

    /// Nanoseconds, the kernel program's and the report's alike.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// A frame comes in.
    pub(crate) fn arrive(&mut self, frame: &[u8]) {
        let program = self.kernel.ebpf().program_mut("sensor_xdp").expect("the program");
        let program: &mut Xdp = program.try_into().expect("an XDP program");
        let run = program.test_run(TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() });
        assert_eq!(run.expect("a test-run").return_value, 2, "it passes");
        self.sent += 1;
    }

    /// A frame leaves.
    pub(crate) fn leave(&mut self, frame: &[u8]) {
        let program = self.kernel.ebpf().program_mut("sensor_egress").expect("the program");
        let program: &mut SchedClassifier = program.try_into().expect("a classifier");
        let run = program.test_run(TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() });
        assert_eq!(run.expect("a test-run").return_value, u32::MAX, "it passes");
        self.sent += 1;
    }

    /// Lets time pass: each 10 ms the ring is emptied, each second somebody looks.
    pub(crate) fn pass(&mut self, nanos: u64) {
        let end = self.now + nanos;
        loop {
            let [drain, look] = self.due;
            let next = drain.min(look);
            if next > end {
                break;
            }
            self.now = next;
            self.listen();
            if next == drain {
                self.due[0] += DRAIN;
            }
            if next == look {
                self.due[1] += SECOND;
                self.look();
            }
        }
        self.now = end;
        if end - self.clock >= TICK {
            self.clock = end / TICK * TICK;
            self.kernel.set_test_time(self.clock).expect("the test clock");
        }
    }

    /// Empties the ring, and reports what was in it.
    fn listen(&mut self) {
        self.heard.at(self.now);
        self.drain.empty();
        while self.reads {
            let Ok(record) = self.queue.try_recv() else { break };
            let event = Event::decode(&record).expect("an event");
            self.reporter.event(&event, Place::default()).expect("it is reported");
            self.reported += 1;
        }
    }

    /// What the agent's sweep does once a second.
    fn look(&mut self) {
        let (mut found, mut ended) = (Findings::default(), Vec::new());
        self.sweeper.sweep(&*self.table, self.now, &mut found, &mut ended);
        found.0.iter().try_for_each(|event| self.reporter.event(event, Place::default())).expect("it is reported");
        ended.iter().try_for_each(|record| self.reporter.record(record, Place::default())).expect("it is reported");
        let cpus = self.readings.each_cpu().expect("the counters");
        let reading = self.lookout.look(self.now, &cpus, self.services.iter(), &*self.table);
        self.reporter.read(reading).expect("it is reported");
        self.add_up();
    }

    /// Whatever was sent, found, submitted and received is accounted for, to the last one.
    fn add_up(&mut self) {
        let cpu = self.counters();
        let drained = self.drain.drained();
        assert_eq!(cpu.get(Counter::Packets), self.sent);
        assert_eq!(cpu.matched_total(), cpu.accounted_total(), "matched = submitted + lost + held back");
        // It has just been emptied.
        assert_eq!(cpu.get(Counter::Submitted), drained.received, "submitted = received + in the ring");
        let handed_on = drained.queued + drained.dropped + drained.undecodable;
        assert_eq!(drained.received, handed_on, "received = queued + dropped + undecodable");
        assert_eq!(drained.undecodable, 0);
        assert_eq!(drained.queued, self.reported + self.queue.len() as u64, "queued = reported + waiting");
        assert!(self.parted.try_recv().is_err(), "nobody wants records");
        for other in [Counter::InsertRaces, Counter::StageMissing] {
            assert_eq!(cpu.get(other), 0, "{}", other.id());
        }
    }

    /// The kernel program's counters.
    pub(crate) fn counters(&self) -> Cpu {
        self.kernel.counters().expect("counters")
    }

    /// One of them.
    pub(crate) fn count(&self, counter: Counter) -> u64 {
        self.counters().get(counter)
    }

    /// Events that the drain gave up.
    pub(crate) fn dropped(&self) -> u64 {
        self.drain.drained().dropped
    }

    /// Services that have counters of their own.
    pub(crate) fn services(&self) -> usize {
        self.services.iter().filter(|service| service.tag != 0).count()
    }

    /// Slots that are taken.
    pub(crate) fn followed(&self) -> usize {
        let buckets = (0..self.table.buckets()).map(|index| self.table.bucket(index));
        buckets.map(|bucket| bucket.tags.iter().filter(|tag| **tag != 0).count()).sum()
    }

    /// Established flows: where each lies.
    pub(crate) fn established(&self) -> HashMap<Key, usize> {
        let slots = (0..self.table.buckets() * WAYS).map(|index| (self.table.head(index), index));
        slots.filter(|(head, _)| head.bits.any(HeadBits::ESTABLISHED)).map(|(head, index)| (head.key, index)).collect()
    }

    /// Incidents that were told so far.
    pub(crate) fn incidents(&self) -> Vec<Incident> {
        self.heard.incidents()
    }

    /// Findings that were told so far and are at least so severe: JSON.
    pub(crate) fn findings(&self, least: Severity) -> Vec<serde_json::Value> {
        self.heard.findings(least)
    }

    /// Bytes of all the sensor's maps.
    pub(crate) fn map_bytes(&self) -> u64 {
        self.readings.maps().iter().filter_map(|map| map.bytes).sum()
    }
}

/// This process's own memory, without the kernel's maps, in KiB.
pub(crate) fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
