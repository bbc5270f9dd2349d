//! What the fuzzers call, and the tests that run the corpora: four ways to hand over bytes that nobody vouches for.
//!
//! Each panics if the engine breaks a promise, and only then.

mod recipe;

use std::hint::black_box;

use sensor::{
    capture::{CaptureError, Reader},
    host::Host,
};
use sensor_common::{
    config::Config,
    counters::Counter,
    engine::Seen,
    event::{Event, Hook},
    flow::merged,
    record::Record,
    wire::Slice,
};

use recipe::Kitchen;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; its corpus has its name.
pub const TARGETS: [Target; 4] = [("frame", frame), ("capture", capture), ("event", event), ("engine", engine)];

/// The engine's table has 16 flows: small, so that flows push each other out.
fn host() -> Host {
    Host::new(Config { service_mask: 7, ..Config::replay(1) }.with_records(u32::MAX, 3))
}

/// Ends a run: the books must be right, and what was found must read back.
fn finish(mut host: Host) {
    let cpu = *host.cpu();
    assert_eq!(cpu.matched_total(), cpu.accounted_total(), "a finding is unaccounted for");
    let refused = [
        Counter::NotTcp,
        Counter::Truncated,
        Counter::BadIpHeader,
        Counter::BadTcpHeader,
        Counter::Fragments,
        Counter::ExtensionLimit,
        Counter::VlanLimit,
    ];
    let refused: u64 = refused.into_iter().map(|reason| cpu.get(reason)).sum();
    assert_eq!(cpu.get(Counter::Packets), cpu.get(Counter::Segments) + refused, "a frame is unaccounted for");
    for event in host.drain() {
        assert!(event.kind().is_some(), "a finding of no kind");
        read(&event);
    }
}

/// One frame, seen at each hook.
pub fn frame(data: &[u8]) {
    let mut host = host();
    for (time, hook) in [Hook::Ingress, Hook::Egress, Hook::Observer].into_iter().enumerate() {
        host.observe(time as u64, &Slice::new(data, data.len()), Seen { ifindex: 1, tag: 0, hook });
    }
    // Cut on the way, and with a tag that the NIC has taken out.
    let cut = &data[..data.len() / 2];
    host.observe(3, &Slice::new(cut, data.len()), Seen { ifindex: 1, tag: 7, hook: Hook::Ingress });
    finish(host);
}

/// A capture file.
pub fn capture(data: &[u8]) {
    let Ok(mut reader) = Reader::new(data) else { return };
    let mut host = host();
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                let seen = Seen { ifindex: frame.interface, tag: 0, hook: Hook::Observer };
                host.observe(frame.time, &Slice::new(frame.bytes, frame.wire_len as usize), seen);
                let interface = frame.interface;
                black_box(reader.interface_name(interface));
            }
            Ok(None) => break,
            Err(CaptureError::UnsupportedLink { .. }) => {}
            Err(error) => {
                black_box(error.to_string());
                assert!(matches!(reader.next_frame(), Ok(None)), "the first error is the last");
                break;
            }
        }
    }
    finish(host);
}

/// A record of the ring: as it is, and filled up to its size.
pub fn event(data: &[u8]) {
    if let Some(event) = Event::decode(data) {
        read(&event);
    }
    let mut bytes = [0; size_of::<Event>()];
    let len = data.len().min(bytes.len());
    bytes[..len].copy_from_slice(&data[..len]);
    if let Some(event) = Event::decode(&bytes) {
        read(&event);
    }
    if let Some(flow) = Event::parted(&bytes) {
        let record = Record::parted(&flow);
        black_box((record.duration(), record.history.to_string()));
    }
}

/// A conversation, eight bytes a segment.
pub fn engine(data: &[u8]) {
    let mut host = host();
    let mut kitchen = Kitchen::default();
    for recipe in data.as_chunks().0 {
        let (time, seen, bytes) = kitchen.cook(recipe);
        host.observe(time, &Slice::new(&bytes, bytes.len()), seen);
    }
    finish(host);
}

/// Reads all that an event tells.
fn read(event: &Event) {
    black_box((event.kind(), event.severity(), event.confidence(), event.side(), event.hook(), event.rst_class()));
    let trigger = event.trigger();
    assert!(event.is_reset() || trigger.is_none(), "only resets answer");
    black_box((trigger, event.evidence.pieces().count(), event.evidence.score(), event.segment.end()));
    let recorded = merged(&event.flow);
    assert!(recorded.iter().skip_while(|entry| entry.is_some()).all(Option::is_none), "gaps in the recorder");
    black_box((event.flow.head.client(), event.flow.head.server(), event.flow.head.local()));
}
