//! Any number of workers finds what one engine finds: the same bytes from the same frames, the same counts, the same services.

use std::path::Path;

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use sensor::{
    capture::Frame,
    host::{Crew, Host, Told},
};
use sensor_common::{
    config::Config,
    counters::{Counter, Cpu},
    engine::Seen,
    event::{Event, Hook},
    kind::Kind,
    service::Service,
    stray::Stray,
    wire::Slice,
};
use tests::{
    captures, catalogue,
    random::{self, a_move},
    scenario::{Scenario, Who},
};
use zerocopy::IntoBytes as _;

/// Small, so that evictions are part of the comparison.
const BUCKETS: u32 = 31;

/// A frame: time, hook, bytes.
type Timed = (u64, Hook, Vec<u8>);

/// All that there is to compare.
#[derive(PartialEq)]
struct Outcome {
    /// Findings, and flows that gave way, with the numbers of their frames.
    found: Vec<(u64, Vec<u8>)>,
    parted: Vec<(u64, Vec<u8>)>,
    counters: Vec<u64>,
    matched: Vec<u64>,
    analysis: Vec<u64>,
    /// How many strays there were, and the last of them.
    strays: (u64, Vec<Stray>),
    services: Vec<u8>,
}

impl Outcome {
    fn new(found: Vec<(u64, Vec<u8>)>, parted: Vec<(u64, Vec<u8>)>, cpu: &Cpu, services: &[Service]) -> Self {
        Self {
            found,
            parted,
            counters: cpu.counters.to_vec(),
            matched: cpu.matched.to_vec(),
            analysis: cpu.analysis.to_vec(),
            strays: (cpu.strays.n, cpu.strays.since(0).copied().collect()),
            services: services.as_bytes().to_vec(),
        }
    }
}

fn seen(hook: Hook) -> Seen {
    Seen { ifindex: 1, tag: 0, hook }
}

fn one(config: Config, frames: &[Timed]) -> (Outcome, Cpu) {
    let mut host = Host::new(config);
    let (mut found, mut parted) = (Vec::new(), Vec::new());
    let numbered = |number, event: Event| (number, event.as_bytes().to_vec());
    for (number, (time, hook, bytes)) in (1..).zip(frames) {
        host.observe(*time, &Slice::new(bytes, bytes.len()), seen(*hook));
        parted.extend(host.drain_parted().map(|event| numbered(number, event)));
        found.extend(host.drain().map(|event| numbered(number, event)));
    }
    (Outcome::new(found, parted, host.cpu(), host.services()), *host.cpu())
}

/// The same with so many workers, who are asked for what they have after every `pause` frames.
fn many(config: Config, frames: &[Timed], workers: usize, pause: usize) -> Outcome {
    let mut crew = Crew::new(config, workers).expect("threads");
    let (mut found, mut parted) = (Vec::new(), Vec::new());
    let mut turn = |crew: &mut Crew| {
        let (gone, told) = crew.turn().expect("all live");
        let numbered = |told: Told| (told.number, told.event.as_bytes().to_vec());
        parted.extend(gone.into_iter().map(numbered));
        found.extend(told.into_iter().map(numbered));
    };
    for (number, (time, hook, bytes)) in (1..).zip(frames) {
        let frame = Frame { number, time: *time, bytes, wire_len: bytes.len() as u32, interface: 1 };
        crew.push(&frame, seen(*hook));
        if crew.is_full() || (number as usize).is_multiple_of(pause) {
            turn(&mut crew);
        }
    }
    while !crew.rests() {
        turn(&mut crew);
    }
    let services = crew.services();
    Outcome::new(found, parted, crew.cpu(), &services)
}

/// Compares, and returns what one engine has counted.
fn agree(config: Config, frames: &[Timed], what: &str) -> Cpu {
    let (one, cpu) = one(config, frames);
    for (workers, pause) in [(1, usize::MAX), (2, usize::MAX), (3, 101), (8, 1009)] {
        let many = many(config, frames, workers, pause);
        let first = one.found.iter().zip(&many.found).position(|(one, many)| one != many);
        assert!(many == one, "{what}: {workers} workers differ from one, first in finding {first:?}");
    }
    cpu
}

#[test]
fn every_capture() {
    for file in captures::all() {
        let name = file.file_name().map(Path::new).expect("a name").display().to_string();
        let frames = captures::frames(&file).into_iter();
        let frames: Vec<Timed> = frames.map(|(_, (time, bytes))| (time, Hook::Observer, bytes)).collect();
        agree(Config::replay(BUCKETS).with_records(u32::MAX, 0), &frames, &name);
    }
}

/// Every scenario, one after the other through the same tables, so that they also meet one another's remains.
#[test]
fn every_scenario() {
    let mut frames = Vec::new();
    for (n, case) in catalogue::all().enumerate() {
        for (_, scenario) in catalogue::beginnings() {
            for frame in (case.build)(scenario).frames() {
                let hook = if frame.from == Who::Client { Hook::Ingress } else { Hook::Egress };
                frames.push((frame.time + n as u64 * 60_000_000_000, hook, frame.bytes));
            }
        }
    }
    let cpu = agree(Config::replay(BUCKETS).with_records(u32::MAX, 0), &frames, "scenarios");
    assert!(cpu.matched_total() > 100 && cpu.get(Counter::RecordsHandedOn) > 10);
}

/// Random conversations side by side, of many clients with few servers, in a table that is too small for them.
#[test]
fn crowds_under_pressure() {
    let mut runner = TestRunner::deterministic();
    let conversation = (any::<bool>(), any::<u32>(), vec(a_move(), 0..60));
    let (mut findings, mut pressure, mut strays, mut overflow) = (0, 0, 0, 0);
    for round in 0..4 {
        let mut frames = Vec::new();
        for client in 0..=255_u8 {
            let (v6, isn, moves) = conversation.new_tree(&mut runner).expect("a conversation").current();
            let talk = random::frames(v6, isn, &moves).into_iter();
            frames.extend(talk.enumerate().map(|(nth, (time, hook, mut bytes))| {
                become_another(client, v6, hook, &mut bytes);
                ((nth, client), (time, hook, bytes))
            }));
        }
        let frames = woven(frames);
        // In some rounds one service leaves no place for the others.
        let service_mask = [4095, 0, 0, 4095][round];
        let config = Config { flow_findings: 2, service_mask, ..Config::replay([0, 3, 7, BUCKETS][round]) };
        let cpu = agree(config.with_records(u32::MAX, 0), &frames, &format!("round {round}"));
        overflow += cpu.get(Counter::ServiceOverflow);
        let evicted = [Counter::EvictedEmbryonic, Counter::EvictedClosed, Counter::EvictedExpired, Counter::TableFull];
        pressure += evicted.iter().map(|counter| cpu.get(*counter)).sum::<u64>();
        findings += cpu.matched_total();
        strays += cpu.get(Counter::Strays);
    }
    assert!(findings > 1000 && pressure > 100 && strays > 64, "{findings}, {pressure} gave way, {strays}");
    assert!(overflow > 100, "{overflow} without a service");
}

/// Handshakes that are judged by those of others with the same service, of many clients side by side: whoever judges must have
/// counted all that came before, and nothing else.
#[test]
fn crowds_that_judge_one_another() {
    let kinds = [Kind::EcnNotTheCause, Kind::EcnSynRst, Kind::EcnSynDrop];
    let cases = catalogue::all().filter(|case| kinds.contains(&case.of));
    let mut frames = Vec::new();
    for (server, case) in (1..).zip(cases) {
        for client in 0..32 {
            let ends = (([10, 0, client, 2], 40_000).into(), ([192, 0, 2, server], 443).into());
            for (nth, frame) in (case.build)(Scenario::between(ends.0, ends.1)).frames().into_iter().enumerate() {
                let hook = if frame.from == Who::Client { Hook::Ingress } else { Hook::Egress };
                frames.push(((nth, client), (frame.time, hook, frame.bytes)));
            }
        }
    }
    let cpu = agree(Config::replay(4095), &woven(frames), "ECN");
    let judged = kinds.map(|kind| cpu.matched[kind as usize]);
    assert!(judged.iter().all(|n| *n > 20), "{judged:?}");
}

/// Makes the client's address another's, where it is whole, by its last byte but one.
fn become_another(client: u8, v6: bool, hook: Hook, frame: &mut [u8]) {
    let at = match (v6, hook) {
        (false, Hook::Ingress) => 28,
        (false, _) => 32,
        (true, Hook::Ingress) => 36,
        (true, _) => 52,
    };
    if let Some(byte) = frame.get_mut(at) {
        *byte ^= client;
    }
}

/// Frames in the order of their places in their conversations.
fn woven(mut frames: Vec<((usize, u8), Timed)>) -> Vec<Timed> {
    frames.sort_by_key(|(order, _)| *order);
    frames.into_iter().map(|(_, frame)| frame).collect()
}
