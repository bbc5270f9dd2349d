//! The detectors of aggregates whatever comes: bounded, deterministic, and fast enough. `cargo test --release -p tests --test
//! aggregates_bounds -- --ignored --nocapture` prints how fast.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use proptest::prelude::*;
use sensor::correlate::aggregate::{
    Aggregates, Astray, Ended, Incident, MAX_OPEN, Reading, Waits, crowd, flood, ports, probe,
    sample::{Answer as Came, Midway, Request, Sample, Settled},
    scan::{self, Answer},
};
use sensor_common::{
    counters::{Counter, Cpu},
    flow::TcpFlags,
    service::SERVICE_COUNTERS,
};

const SECOND: u64 = 1_000_000_000;

/// A small generator, so that a flood of keys costs nothing to make (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// An address of `2^bits`.
    fn address(&mut self, bits: u32) -> SocketAddr {
        let host = (self.next() & ((1 << bits) - 1)) as u32;
        (Ipv4Addr::from_bits(0x0a00_0000 | host), (self.next() & 0xffff) as u16).into()
    }

    fn ended(&mut self, time: u64, bits: u32) -> Ended {
        let answers = [None, Some(Answer::Refused), Some(Answer::Silent), Some(Answer::Open), Some(Answer::Served)];
        let waits = [None, Some(Waits::Client), Some(Waits::Server)];
        let (client, server) = (self.address(bits), self.address(bits));
        let answer = answers[self.below(5) as usize];
        let waits = waits[self.below(3) as usize];
        Ended { client, server, answer, waits, own: self.below(2) == 0, first: time, last: time }
    }

    fn request(&mut self, bits: u32) -> Request {
        Request {
            client: self.address(bits),
            server: self.address(bits),
            ttl: self.next() as u8,
            window: self.next() as u16,
            zmap: self.below(2) == 0,
            plain: self.below(2) == 0,
            repeated: self.below(4) == 0,
            went_on: self.below(4) == 0,
            answer: [Came::None, Came::Granted, Came::Refused][self.below(3) as usize],
            age: self.below(60) as u32,
            outgoing: self.below(2) == 0,
        }
    }

    /// A reading whose counters have grown by up to `most` each.
    fn reading(&mut self, time: u64, before: &mut [u64], most: u64, n: usize, bits: u32) -> Reading {
        let mut reading = Reading::new(time, &Cpu::default(), []);
        for (counter, sum) in Counter::ALL.iter().zip(before) {
            *sum += self.below(most + 1);
            reading.counters[*counter as usize] = *sum;
        }
        reading.services =
            (0..n).map(|_| (self.address(bits), [(); SERVICE_COUNTERS].map(|()| self.below(most + 1)))).collect();
        let settled =
            |r: &mut Self| Settled { client: r.address(bits).ip(), hops: r.below(40) as u8, shut: r.below(2) == 0 };
        let midway = |r: &mut Self| Midway {
            from: r.address(bits),
            to: r.address(bits),
            syn_ack: r.below(2) == 0,
            refused: r.below(2) == 0,
            age: r.below(4) as u32,
            outgoing: r.below(2) == 0,
        };
        reading.sample = Sample {
            requests: (0..n).map(|_| self.request(bits)).collect(),
            midway: (0..n / 4).map(|_| midway(self)).collect(),
            settled: (0..n / 4).map(|_| settled(self)).collect(),
            went_on: 0,
            share: 0.5,
            round: self.below(16) == 0,
        };
        let stray = |r: &mut Self| Astray {
            from: r.address(bits),
            to: r.address(bits),
            flags: TcpFlags(r.next() as u8),
            ttl: r.next() as u8,
            outgoing: r.below(2) == 0,
            stands_for: 1.0 + r.below(1000) as f64,
        };
        reading.strays = (0..n / 8).map(|_| stray(self)).collect();
        reading
    }
}

/// What a minute and a half of random readings comes to, with so much of everything a second.
fn run(seed: u64, most: u64, n: usize, bits: u32) -> (Vec<Incident>, Aggregates) {
    let (mut random, mut aggregates, mut told) = (Random(seed), Aggregates::default(), Vec::new());
    let mut counters = vec![0; Counter::ALL.len()];
    for second in 0..90 {
        let time = (1_700_000_000 + second) * SECOND;
        (0..n).for_each(|_| aggregates.ended(&random.ended(time, bits)));
        told.extend(aggregates.read(random.reading(time, &mut counters, most, n, bits)));
    }
    told.extend(aggregates.finish());
    (told, aggregates)
}

#[test]
fn memory_is_bounded_under_random_keys() {
    let (mut random, mut aggregates) = (Random(1), Aggregates::default());
    let mut counters = vec![0; Counter::ALL.len()];
    let mut took = [Duration::ZERO; 2];
    for second in 0..20 {
        let time = (1_700_000_040 + second) * SECOND;
        let ended: Vec<_> = (0..20_000).map(|_| random.ended(time, 24)).collect();
        let reading = random.reading(time, &mut counters, 1_000_000, 4000, 24);
        let begun = Instant::now();
        ended.iter().for_each(|ended| aggregates.ended(ended));
        took[0] += begun.elapsed();
        aggregates.read(reading);
        took[1] += begun.elapsed();
        let [services, suspects, probes, pairs, open] = aggregates.held();
        assert!(services <= flood::MAX_SERVICES && probes <= probe::MAX_SOURCES && open <= MAX_OPEN);
        assert!(suspects <= scan::MAX_SOURCES + scan::MAX_SCANS, "{suspects}");
        assert!(pairs <= ports::MAX_PAIRS + ports::MAX_SERVICES, "{pairs}");
    }
    let [services, suspects, _, pairs, _] = aggregates.held();
    assert_eq!(services, flood::MAX_SERVICES, "it was tried");
    assert!(suspects >= scan::MAX_SOURCES && pairs == ports::MAX_PAIRS + ports::MAX_SERVICES);
    assert!(aggregates.unplaced() > 100_000, "and what found no room is counted");
    assert_eq!(crowd::MAX_LEARNED, 8192, "beside 24 bytes each");
    // To be seen with --nocapture.
    let [ended, both] = took.map(|time| time.as_secs_f64());
    println!("{:.0} connections a second on one core; a reading takes {:.1} ms", 4e5 / ended, (both - ended) * 50.0);
}

#[test]
fn targets_of_scans_are_bounded_together() {
    let mut aggregates = Aggregates::default();
    let mut random = Random(7);
    for i in 0..(scan::MAX_TARGETS as u64 + 50_000) {
        let client = SocketAddr::new(IpAddr::from([203, 0, 113, (i % 100) as u8]), 40_000);
        let server = random.address(24);
        let ended = Ended {
            client,
            server,
            answer: Some(Answer::Refused),
            waits: None,
            own: false,
            first: SECOND,
            last: SECOND,
        };
        aggregates.ended(&ended);
    }
    let told = aggregates.read(Reading::new(2 * SECOND, &Cpu::default(), []));
    let targets: u64 = told.iter().map(|incident| incident.amount).sum();
    assert_eq!((told.len(), targets), (100, scan::MAX_TARGETS as u64));
    assert!(told.iter().any(|incident| incident.sign.headline.contains("at least")), "{told:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// The same input, the same incidents, in the same order; each begins once and ends once, and only grows in between.
    #[test]
    fn deterministic_and_in_order(seed: u64, most in 0_u64..5000, n in 0_usize..150, bits in 1_u32..20) {
        let (told, _) = run(seed, most, n, bits);
        prop_assert_eq!(&told, &run(seed, most, n, bits).0);
        let mut open = std::collections::BTreeMap::new();
        for incident in &told {
            use sensor::correlate::aggregate::Change;
            let key = (incident.sign.kind, incident.sign.about);
            prop_assert!(incident.first <= incident.last);
            match incident.change {
                Change::Opened => prop_assert!(open.insert(key, incident.amount).is_none(), "{incident:#?}"),
                Change::Grown => {
                    let before = open.insert(key, incident.amount);
                    prop_assert!(before.is_some_and(|before| before <= incident.amount), "{incident:#?}");
                }
                Change::Closed => {
                    let before = open.remove(&key);
                    prop_assert!(before.is_some_and(|before| before <= incident.amount), "{incident:#?}");
                }
            }
            let view = incident.view();
            prop_assert!(!view.what.is_empty() && !view.next.is_empty() && view.is_aggregate());
        }
        prop_assert!(open.is_empty(), "{open:?}");
    }
}
