//! Where the seeds come from: `UPDATE_CORPUS=1 cargo test -p fuzz --test seeds` writes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use sensor::capture::write::{PcapWriter, PcapngWriter};
use tests::{catalogue, scenario::Scenario};
use zerocopy::IntoBytes;

/// Scenarios that differ most in what they make the engine do.
const CHOSEN: [&str; 12] = [
    "seed1_abort",
    "refused",
    "stale_answer",
    "rebooted_client",
    "injected_data",
    "syn_proxy",
    "two_paths",
    "burst_ahead",
    "carries_on_elsewhere",
    "stale_reset",
    "forged_fin_from_elsewhere",
    "second_answer",
];

fn write(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

fn capture(scenario: &Scenario, pcapng: bool) -> Vec<u8> {
    let frames = scenario.frames();
    let kept = |bytes: &[u8]| bytes[..bytes.len().min(80)].to_vec();
    if pcapng {
        let mut writer = PcapngWriter::new(Vec::new(), None).unwrap();
        writer.interface("eth0").unwrap();
        for f in frames.iter().take(8) {
            writer.frame(0, f.time, &kept(&f.bytes), f.bytes.len() as u32, Some("seed")).unwrap();
        }
        return writer.into_inner();
    }
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    frames.iter().take(8).for_each(|f| writer.frame(f.time, &kept(&f.bytes), f.bytes.len() as u32).unwrap());
    writer.into_inner()
}

/// Recipes for [`fuzz::engine`]: a handshake and an exchange, then what the case is about. Bytes: who, flags, steps, length,
/// TTL, window, IP-ID, gap.
fn conversations() -> Vec<(&'static str, Vec<[u8; 8]>)> {
    let start = [
        [0x08, 2, 0, 0, 61, 9, 1, 2],
        [0x09, 3, 0, 0, 64, 9, 2, 2],
        [0x08, 0, 0, 0, 61, 9, 3, 4],
        [0x08, 1, 0, 40, 61, 9, 4, 2],
        [0x09, 0, 0, 0, 64, 9, 5, 2],
        [0x09, 1, 0, 80, 64, 9, 6, 2],
        [0x08, 0, 0, 0, 61, 9, 7, 4],
        [0x08, 0, 0, 0, 61, 9, 9, 2],
    ];
    let with = |end: &[[u8; 8]]| [&start[..], end].concat();
    vec![
        ("handshake", start.to_vec()),
        ("reset", with(&[[0x08, 5, 0, 0, 61, 9, 11, 2]])),
        ("forged-reset", with(&[[0x08, 5, 0x80, 0, 255, 8, 200, 2], [0x08, 1, 0, 40, 61, 9, 11, 3]])),
        ("burst", with(&[[0x08, 5, 0, 0, 61, 9, 1, 0], [0x08, 5, 5, 0, 61, 9, 1, 0], [0x08, 6, 13, 0, 61, 9, 1, 0]])),
        ("stale-reset", with(&[[0x08, 6, 0x84, 0, 61, 9, 1, 2]])),
        ("close", with(&[[0x08, 4, 0, 0, 61, 9, 11, 2], [0x09, 4, 0, 0, 64, 9, 8, 2], [0x08, 0, 0, 0, 61, 9, 13, 2]])),
        ("forged-fin", with(&[[0x08, 4, 0x80, 0, 255, 9, 1, 2], [0x08, 1, 0, 40, 61, 9, 11, 2]])),
        ("refused", vec![[0x08, 2, 0, 0, 61, 9, 1, 2], [0x09, 5, 0, 0, 64, 0, 0, 2]]),
        ("two-answers", vec![[8, 2, 0, 0, 61, 9, 1, 2], [9, 3, 0x80, 0, 64, 9, 2, 2], [9, 3, 0x85, 0, 50, 9, 2, 2]]),
        ("reuse", with(&[[0x08, 5, 0, 0, 61, 9, 1, 2], [0x08, 2, 5, 0, 61, 9, 1, 5], [0x09, 3, 0, 0, 64, 9, 1, 2]])),
        ("flap", with(&[[0x08, 1, 0, 9, 55, 9, 11, 2], [0x08, 1, 0, 9, 61, 9, 13, 2]].repeat(4))),
        (
            "v6",
            start
                .map(|mut recipe| {
                    recipe[7] |= 8;
                    recipe
                })
                .to_vec(),
        ),
        ("crowd", (0..40).flat_map(|n| [[n, 2, 0, 0, 61, 9, n, 6], [n ^ 1, 3, 0, 0, 64, 9, n, 2 | n << 3]]).collect()),
    ]
}

#[test]
fn write_the_seeds() {
    if std::env::var_os("UPDATE_CORPUS").is_none() {
        return;
    }
    for (i, name) in CHOSEN.into_iter().enumerate() {
        let case = catalogue::all().find(|case| case.name == name).unwrap();
        let (_, beginning) = catalogue::beginnings().into_iter().nth(i % 6).unwrap();
        let scenario = (case.build)(beginning);
        let outcome = scenario.run();
        let (at, event) = outcome.findings.last().unwrap();
        write("event", name, event.as_bytes());
        let frame = &scenario.frames()[*at].bytes;
        write("frame", name, &frame[..frame.len().min(120)]);
        write("capture", name, &capture(&scenario, i % 2 == 1));
    }
    for (name, recipes) in conversations() {
        write("engine", name, recipes.as_flattened());
    }
}
