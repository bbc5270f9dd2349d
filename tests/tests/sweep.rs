//! The sweep: each flow that ends is told once, at its time, and silence is judged once.

use std::collections::BTreeSet;

use sensor::{
    host::Host,
    sweep::{AtRest, Sweeper},
};
use sensor_common::{
    config::Config,
    counters::Counter,
    engine::Seen,
    event::{Event, Hook},
    flow::{Extra, Flow},
    record::{Ending, Record},
    wire::Slice,
};
use tests::scenario::{Scenario, Sent};

const SECOND: u64 = 1_000_000_000;

/// An engine, its sweeper, and what came of both.
struct Bench {
    host: Host,
    sweeper: Sweeper,
    told: Vec<(u64, Record)>,
    judged: Vec<(u64, u16)>,
    /// Flows that gave way, on their way to the sweep.
    handed: Vec<Event>,
    /// Whether they get there at once.
    prompt: bool,
    start: u64,
    now: u64,
}

struct Judge<'a>(&'a mut Vec<(u64, u16)>, u64);

impl AtRest for Judge<'_> {
    fn judge(&mut self, _index: usize, flow: &Flow, _extra: &Extra, now: u64) {
        self.0.push(((now - self.1) / SECOND, flow.head.key.port(flow.head.server().other())));
    }
}

impl Bench {
    fn new(buckets: u32) -> Self {
        let host = Host::new(Config::replay(buckets - 1).with_records(u32::MAX, 0));
        let sweeper = Sweeper::new(buckets as usize, host.cpu());
        let start = Scenario::v4().syn().frames()[0].time;
        Self {
            host,
            sweeper,
            told: Vec::new(),
            judged: Vec::new(),
            handed: Vec::new(),
            prompt: true,
            start,
            now: start,
        }
    }

    fn show(&mut self, frames: &[Sent]) {
        for frame in frames {
            let seen = Seen { ifindex: 0, tag: 0, hook: Hook::Observer };
            self.host.observe(frame.time, &Slice::new(&frame.bytes, frame.bytes.len()), seen);
            self.handed.extend(self.host.drain_parted());
            if self.prompt {
                self.take_over();
            }
        }
    }

    /// Shows a scenario at its own pace, sweeping meanwhile.
    fn play(&mut self, scenario: &Scenario) {
        for frame in scenario.frames() {
            let second = (frame.time - self.start) / SECOND;
            if second > (self.now - self.start) / SECOND {
                self.until(second);
                self.take_over();
            }
            self.show(&[frame]);
        }
    }

    /// Takes over what the engine has handed on so far.
    fn take_over(&mut self) {
        let since = (self.now - self.start) / SECOND;
        let records = self.handed.drain(..).filter_map(|event| self.sweeper.parted(&event));
        self.told.extend(records.map(|record| (since, record)));
    }

    /// Sweeps each second until so many have passed since the start.
    fn until(&mut self, second: u64) {
        while self.now < self.start + second * SECOND {
            self.now += SECOND;
            let mut ended = Vec::new();
            self.sweeper.sweep(&self.host, self.now, &mut Judge(&mut self.judged, self.start), &mut ended);
            let since = (self.now - self.start) / SECOND;
            self.told.extend(ended.into_iter().map(|record| (since, record)));
        }
    }

    /// When and why flows ended, by the client's port.
    fn ends(&self) -> Vec<(u64, u16, Ending)> {
        self.told.iter().map(|(when, r)| (*when, r.key.port(r.server.other()), r.ending)).collect()
    }

    fn missed(&self) -> u64 {
        self.sweeper.missed(self.host.cpu())
    }
}

/// Whenever another sweeper goes on for the first, all is told as if it were the same.
#[test]
fn who_goes_on_tells_what_is_left_and_nothing_again() {
    let told = |handover: Option<u64>| {
        let mut bench = Bench::new(256);
        let port = |port| Scenario::v4().port(port);
        for scenario in [
            port(1001).handshake().talk(1).client_fin().server_fin().ack(),
            port(1003).syn(),
            port(1004).handshake().talk(1),
            port(1006).handshake().client_fin().server_ack(),
        ] {
            bench.show(&scenario.frames());
        }
        if let Some(second) = handover {
            bench.until(second);
            bench.sweeper = Sweeper::new(256, bench.host.cpu());
            bench.sweeper.resume(&bench.host, bench.now, bench.now + SECOND / 2);
        }
        bench.until(700);
        (bench.ends(), bench.judged)
    };
    let expected = told(None);
    assert_eq!(expected.0.len(), 4);
    for second in (0..12).chain(58..70).chain(598..612) {
        assert_eq!(told(Some(second)), expected, "after {second} s");
    }
}

#[test]
fn each_end_is_told_once_and_at_its_time() {
    let mut bench = Bench::new(256);
    let port = |port| Scenario::v4().port(port);
    for scenario in [
        port(1001).handshake().talk(1).client_fin().server_fin().ack(),
        port(1002).handshake().talk(1).rst(|p| p),
        port(1003).syn(),
        port(1004).handshake().talk(1),
        port(1005).syn().server_rst(|p| p),
        port(1006).handshake().client_fin().server_ack(),
    ] {
        bench.show(&scenario.frames());
    }
    bench.until(2_000);
    let mut ends = bench.ends();
    ends.sort_by_key(|(when, port, _)| (*when, *port));
    let expected = [
        (6, 1001, Ending::Fin),
        (6, 1002, Ending::Rst),
        (6, 1005, Ending::Rst),
        (60, 1003, Ending::Silence),
        (601, 1004, Ending::Silence),
        (601, 1006, Ending::Silence),
    ];
    assert_eq!(ends, expected);
    assert_eq!(bench.missed(), 0);
    bench.judged.sort_by_key(|(_, port)| *port);
    assert!(bench.judged.iter().all(|(when, _)| (3..=4).contains(when)), "{:?}", bench.judged);
    assert!(bench.judged.iter().map(|(_, port)| *port).eq(1001..=1006), "{:?}", bench.judged);
    let silent = &bench.told.iter().find(|(_, record)| record.ending == Ending::Silence).unwrap().1;
    assert_eq!(silent.conn_state, "S0");
    assert!(silent.duration() < 2 << 20, "one segment, and a beginning that is exact to 1 ms");
}

#[test]
fn a_flow_that_lives_is_not_told() {
    let mut bench = Bench::new(256);
    let mut scenario = Scenario::v4().handshake();
    for _ in 0..20 {
        scenario = scenario.after(500_000).talk(1);
    }
    for frame in scenario.frames() {
        bench.until((frame.time - bench.start) / SECOND);
        bench.show(&[frame]);
    }
    assert!(bench.told.is_empty(), "{:?}", bench.ends());
    // Once after the handshake, and in each silence until it was no longer short.
    assert_eq!(bench.judged.len(), 13, "{:?}", bench.judged);
    bench.until(11_000);
    assert_eq!(bench.told.len(), 1);
}

#[test]
fn a_new_connection_of_the_same_ports_is_another() {
    let mut bench = Bench::new(256);
    let first = || Scenario::v4().handshake().talk(1).client_fin().server_fin().ack();
    let both = |pause| first().after(pause).reconnect().handshake().talk(1).rst(|p| p).frames();
    for frame in both(8_000) {
        bench.until((frame.time - bench.start) / SECOND);
        bench.show(&[frame]);
    }
    bench.until(100);
    assert_eq!(bench.ends().iter().map(|end| end.2).collect::<Vec<_>>(), [Ending::Fin, Ending::Rst]);
    assert_eq!(bench.missed(), 0);

    // It came before the first was told, and after a sweep had seen it.
    let mut bench = Bench::new(256);
    for frame in both(3_000) {
        bench.until((frame.time - bench.start) / SECOND);
        bench.show(&[frame]);
    }
    bench.until(100);
    assert_eq!(bench.ends().iter().map(|end| end.2).collect::<Vec<_>>(), [Ending::Fin, Ending::Rst]);
    assert_eq!(bench.missed(), 0);

    // The same where nobody wants it to be handed on.
    let mut bench = Bench::new(256);
    bench.host = Host::new(Config::replay(255));
    for frame in both(3_000) {
        bench.until((frame.time - bench.start) / SECOND);
        bench.show(&[frame]);
    }
    bench.until(100);
    assert_eq!(bench.ends().iter().map(|end| end.2).collect::<Vec<_>>(), [Ending::Rst]);
    assert_eq!(bench.missed(), 1);
}

/// Short connections that crowd one another out of 16 slots: each is told once, whether what the engine hands on gets to the sweep
/// at once or late.
#[test]
fn connections_that_gave_way_are_told_too() {
    for (prompt, pause) in [(true, 300), (false, 300), (true, 40), (false, 40), (false, 2_000)] {
        let mut bench = Bench::new(2);
        bench.prompt = prompt;
        for port in 0..400 {
            let start = Scenario::v4().port(2000 + port).after(u64::from(port) * pause);
            let scenario = start.handshake().talk(1).client_fin().server_fin().ack();
            bench.play(&scenario);
        }
        bench.until(2_000);
        bench.take_over();
        let ends = bench.ends();
        let ports: BTreeSet<u16> = ends.iter().map(|(_, port, _)| *port).collect();
        assert!(ends.iter().all(|(.., ending)| *ending == Ending::Fin), "{prompt} {pause}");
        assert_eq!((ends.len(), ports.len(), bench.missed()), (400, 400, 0), "{prompt} {pause}");
    }
}

/// A port that is used again within a second: a sweep sees none of the connections before the last.
#[test]
fn connections_of_one_port_are_told_one_by_one() {
    for prompt in [true, false] {
        let mut bench = Bench::new(256);
        bench.prompt = prompt;
        let once = |s: Scenario| s.reconnect().handshake().talk(1).client_fin().server_fin().ack().after(120);
        bench.play(&(0..50).fold(Scenario::v4(), |s, _| once(s)));
        bench.until(100);
        bench.take_over();
        let ends = bench.ends();
        assert!(ends.iter().all(|(.., ending)| *ending == Ending::Fin), "{ends:?}");
        let handed = bench.host.cpu().get(Counter::RecordsHandedOn);
        assert_eq!((ends.len(), bench.missed()), (50, 0), "{prompt}: {handed} handed on");
    }
}

/// What is not worth a record is not handed on, and what has been told is not told again.
#[test]
fn requests_that_crowd_out_requests_are_not_handed_on() {
    let mut bench = Bench::new(1);
    for port in 0..200 {
        bench.show(&Scenario::v4().port(2000 + port).after(u64::from(port)).syn().frames());
    }
    assert_eq!(bench.host.cpu().get(Counter::RecordsHandedOn), 0);
    assert_eq!(bench.missed(), 192);
}

#[test]
fn told_and_missed_are_all_there_were() {
    // 64 slots, 1000 requests: most are replaced.
    let mut bench = Bench::new(8);
    for port in 0..1000 {
        let scenario = Scenario::v4().port(2000 + port).after(u64::from(port) * 200).syn();
        for frame in scenario.frames() {
            bench.until((frame.time - bench.start) / SECOND);
            bench.show(&[frame]);
        }
    }
    bench.until(400);
    let told = bench.told.len() as u64;
    assert!(told >= 64 && bench.missed() > 500, "{told} {}", bench.missed());
    assert_eq!(told + bench.missed(), 1000);
}

#[test]
fn what_is_left_ends_with_the_capture() {
    let mut bench = Bench::new(256);
    bench.show(&Scenario::v4().handshake().talk(1).frames());
    bench.show(&Scenario::v4().port(1001).handshake().client_fin().server_fin().ack().frames());
    let mut ended = Vec::new();
    bench.sweeper.finish(&bench.host, bench.start + SECOND, &mut (), &mut ended);
    bench.sweeper.finish(&bench.host, bench.start + SECOND, &mut (), &mut ended);
    let mut endings: Vec<_> = ended.iter().map(|record| record.ending).collect();
    endings.sort_unstable();
    assert_eq!(endings, [Ending::Fin, Ending::CaptureEnd]);
}
