//! Parity: the same frames with the same times through the kernel and through the host engine give byte-identical events.

use sensor_common::{
    config::Config,
    counters::Counter,
    event::Hook,
    flow::Side,
    wire::{Packet, Slice, parse},
};
use tests::{captures, pair::Pair};

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

/// Each direction through its own hook, as on a host: whose side is local does not matter here.
fn hook(bytes: &[u8]) -> Hook {
    let mut packet = Packet::default();
    match parse(&Slice::new(bytes, bytes.len()), 0, 0, true, &mut packet) {
        Ok(()) if packet.side() == Side::B => Hook::Egress,
        _ => Hook::Ingress,
    }
}
