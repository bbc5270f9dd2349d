//! Parity: the same frames with the same times through the kernel and through the host engine give byte-identical events.

use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};
use sensor_common::{
    config::Config,
    counters::Counter,
    event::Hook,
    flow::Side,
    wire::{Packet, Slice, parse},
};
use tests::{
    captures, catalogue,
    pair::Pair,
    random::{self, a_move},
    scenario::Who,
};

/// Small, so that evictions are part of the comparison.
const BUCKETS: u32 = 255;

#[test]
fn every_capture() {
    for file in captures::all() {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(mut pair) = Pair::load(Config::replay(BUCKETS)) else { return };
        let mut findings = 0;
        let frames = captures::frames(&file);
        for (number, (time, bytes)) in &frames {
            let hook = hook(bytes);
            findings += pair.agree(*time, hook, bytes, format_args!("{name} frame {number}"));
        }
        let counters = pair.counters_agree(&name);
        println!("{name}: {} frames, {} segments, {findings} findings", frames.len(), counters.get(Counter::Segments));
    }
}

/// Every scenario, one after the other through the same tables, so that they also meet one another's remains.
#[test]
fn every_scenario() {
    let Some(mut pair) = Pair::load(Config::replay(BUCKETS)) else { return };
    for (n, case) in catalogue::all().enumerate() {
        for (beginning, scenario) in catalogue::beginnings() {
            for frame in (case.build)(scenario).frames() {
                let hook = if frame.from == Who::Client { Hook::Ingress } else { Hook::Egress };
                // An hour apart, so that each finds the last one's flows idle.
                let time = frame.time + n as u64 * 3_600_000_000_000;
                pair.agree(time, hook, &frame.bytes, format_args!("{} ({beginning})", case.name));
            }
        }
    }
    let counters = pair.counters_agree("scenarios");
    assert!(counters.matched_total() > 100 && counters.get(Counter::RecordsHandedOn) > 10);
}

/// Random conversations and random damage, with limits and back-off at work.
#[test]
fn random_conversations() {
    let config = Config { rates: [3; 4], flow_findings: 2, ..Config::replay(1) };
    let Some(mut pair) = Pair::load(config) else { return };
    // A fixed seed: what differs can be looked at again.
    let mut runner = TestRunner::deterministic();
    let conversation = (any::<bool>(), any::<u32>(), vec(a_move(), 0..60));
    for n in 0..1500 {
        let (v6, isn, moves) = conversation.new_tree(&mut runner).expect("a conversation").current();
        for (time, hook, bytes) in random::frames(v6, isn, &moves) {
            pair.agree(time + n * 1_000_000_000, hook, &bytes, format_args!("conversation {n}"));
        }
    }
    let counters = pair.counters_agree("random conversations");
    println!("{} segments, {} findings", counters.get(Counter::Segments), counters.matched_total());
    assert!(counters.matched_total() > 1000);
}

/// Each direction through its own hook, as on a host: whose side is local does not matter here.
fn hook(bytes: &[u8]) -> Hook {
    let mut packet = Packet::default();
    match parse(&Slice::new(bytes, bytes.len()), 0, 0, true, &mut packet) {
        Ok(()) if packet.side() == Side::B => Hook::Egress,
        _ => Hook::Ingress,
    }
}
