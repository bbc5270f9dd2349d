//! The seeds as capture files: written, read back, and the same findings. The files are committed, for everyone's tools.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, fs::File, io::BufReader, path::Path};

use sensor::{
    capture::{Reader, write::PcapWriter},
    host::Host,
};
use sensor_common::{config::Config, detect::Severity, engine::Seen, event::Event, wire::Slice};
use tests::{
    catalogue::{seed1_abort, seed2, seed3},
    scenario::{Scenario, Seat, Who},
};
use zerocopy::IntoBytes;

/// Headers, and little more.
const SNAP: usize = 96;

/// A capture with its name and the server's port.
struct Golden {
    name: &'static str,
    scenario: Scenario,
    port: u16,
}

/// The seeds, each where it was captured.
fn seeds() -> [Golden; 3] {
    let two = Scenario::between(([10, 10, 10, 10], 40_000).into(), ([20, 20, 20, 20], 443).into());
    let two = two.client(|c| c.syn_window(5840).wscale(Some(8))).seat(Seat::Client);
    let three = Scenario::between(([10, 5, 220, 26], 43_238).into(), ([10, 5, 207, 199], 44_006).into());
    [
        Golden { name: "seed1", scenario: seed1_abort(Scenario::v4()), port: 443 },
        Golden { name: "seed2", scenario: seed2(two), port: 443 },
        Golden { name: "seed3", scenario: seed3(closers(three)), port: 44_006 },
    ]
}

/// Five more connections that their client closes when ten seconds have brought no answer: its timer, with some jitter.
fn closers(s: Scenario) -> Scenario {
    [0, 21, 8, 33, 12].into_iter().zip(43_301..).fold(s, |s, (jitter, port)| {
        let s = s.port(port).handshake().client_data(900).server_ack().after(10_000 + jitter);
        s.client_fin().server_data(1200).server_fin().socketless(Who::Client, |p| p).after(100)
    })
}

/// The capture, cut behind the headers.
fn capture(scenario: &Scenario) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for frame in scenario.frames() {
        let kept = frame.bytes.len().min(SNAP);
        writer.frame(frame.time, &frame.bytes[..kept], frame.bytes.len() as u32).unwrap();
    }
    writer.into_inner()
}

/// The findings in a capture file of this scenario.
fn replay(path: &Path, seed: &Golden) -> Vec<Event> {
    let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    let mut host = Host::new(Config::replay(255));
    while let Some(frame) = reader.next_frame().unwrap() {
        let from = if frame.bytes[34..36] == seed.port.to_be_bytes() { Who::Server } else { Who::Client };
        let hook = seed.scenario.seated().hook(from).unwrap();
        let slice = Slice::new(frame.bytes, frame.wire_len as usize);
        host.observe(frame.time, &slice, Seen { ifindex: 0, tag: 0, hook });
    }
    host.drain().collect()
}

fn path(seed: &Golden) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{}.pcap", seed.name))
}

#[test]
fn seeds_read_back_from_a_file() {
    for seed in seeds() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("seed.pcap");
        fs::write(&path, capture(&seed.scenario)).unwrap();
        seed.scenario.check();
        let direct: Vec<_> = seed.scenario.run().findings.into_iter().map(|(_, event)| event).collect();
        assert_eq!(replay(&path, &seed).as_bytes(), direct.as_bytes(), "{}", seed.name);
    }
}

#[test]
fn the_committed_captures_are_the_generated_ones() {
    for seed in seeds() {
        let (path, generated) = (path(&seed), capture(&seed.scenario));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&path, &generated).unwrap();
        }
        let same = fs::read(&path).is_ok_and(|committed| committed == generated);
        assert!(same, "{path:?} is not what the scenario gives; UPDATE_GOLDEN=1 writes it anew");
    }
}

/// All that a committed capture leads to, in order: what is not listed must not be raised.
fn told(seed: usize) -> Vec<(&'static str, Severity)> {
    let seed = &seeds()[seed];
    replay(&path(seed), seed).iter().map(|event| (event.kind().unwrap().id(), event.severity())).collect()
}

#[test]
fn seed_1_is_one_alert() {
    assert_eq!(told(0), [("ttl-rst-mismatch", Severity::Alert)]);
}

#[test]
fn seed_2_tells_a_half_open_entry_and_clears_ecn() {
    let attempt = [
        ("syn-retry-profile", Severity::Info),
        ("syn-bare-ack-match", Severity::Warn),
        ("syn-bare-ack-then-rst", Severity::Warn),
        ("ecn-not-the-cause", Severity::Info),
    ];
    assert_eq!(told(1), [attempt, attempt].concat());
}

#[test]
fn seed_3_is_an_abortive_close_and_a_port_used_too_soon() {
    let expected = [
        ("response-after-fin", Severity::Info),
        ("rst-stateless", Severity::Info),
        ("rst-instead-of-lastack", Severity::Info),
        ("syn-bare-ack-stale-confirmed", Severity::Notice),
        ("rst-synsent", Severity::Info),
        ("syn-retry-profile", Severity::Info),
        ("syn-bare-ack-stale-confirmed", Severity::Warn),
        ("rst-synsent", Severity::Info),
        ("syn-retry-profile", Severity::Info),
        ("tw-reuse-ok", Severity::Info),
    ];
    let close = [expected[0], expected[1], expected[2]];
    assert_eq!(told(2), [&close.repeat(5)[..], &expected].concat());
}
