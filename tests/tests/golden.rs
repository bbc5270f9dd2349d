//! Seed 1 as a capture file: written, read back, and the same findings. The file is committed, for everyone's tools.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, fs::File, io::BufReader, path::Path};

use sensor::{
    capture::{Reader, write::PcapWriter},
    host::Host,
};
use sensor_common::{config::Config, engine::Seen, event::Event, wire::Slice};
use tests::{
    catalogue::seed1_abort,
    scenario::{Scenario, Seat, Who},
};
use zerocopy::IntoBytes;

/// Headers, and little more.
const SNAP: usize = 96;

/// The capture, cut behind the headers.
fn capture(scenario: &Scenario) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for frame in scenario.frames() {
        let kept = frame.bytes.len().min(SNAP);
        writer.frame(frame.time, &frame.bytes[..kept], frame.bytes.len() as u32).unwrap();
    }
    writer.into_inner()
}

/// The findings in a capture whose local side sends from the server's port.
fn replay(path: &Path) -> Vec<Event> {
    let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let mut host = Host::new(Config::replay(255));
    while let Some(frame) = reader.next_frame().unwrap() {
        let from = if frame.bytes[34..36] == 443u16.to_be_bytes() { Who::Server } else { Who::Client };
        let hook = Seat::Server.hook(from).unwrap();
        let slice = Slice::new(frame.bytes, frame.wire_len as usize);
        host.observe(frame.time, &slice, Seen { ifindex: 0, tag: 0, hook });
    }
    host.drain().collect()
}

#[test]
fn seed_1_reads_back_from_a_file() {
    let scenario = seed1_abort(Scenario::v4());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seed1.pcap");
    fs::write(&path, capture(&scenario)).unwrap();
    let direct: Vec<_> = scenario.run().findings.into_iter().map(|(_, event)| event).collect();
    assert_eq!(direct.len(), 1);
    assert_eq!(replay(&path).as_bytes(), direct.as_bytes());
}

#[test]
fn the_committed_capture_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/seed1.pcap");
    let generated = capture(&seed1_abort(Scenario::v4()));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let same = fs::read(&path).is_ok_and(|committed| committed == generated);
    assert!(same, "golden/seed1.pcap is not what the scenario gives; UPDATE_GOLDEN=1 writes it anew");
}
