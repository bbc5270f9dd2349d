//! Captures of the wild: whatever is in them, the engine keeps its books.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
};

use sensor::{capture::Reader, host::Host};
use sensor_common::{
    config::Config,
    counters::Counter,
    engine::Seen,
    event::{Event, Hook},
    wire::Slice,
};
use zerocopy::IntoBytes;

/// The captures, which are not part of the repository; none where they are not there.
fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/pcaps");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no captures in ../shared/pcaps beside the workspace");
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.filter(|path| path.extension().is_some_and(|ext| ext == "pcap" || ext == "pcapng")).collect()
}

fn replay(path: &Path) -> (Host, Vec<Event>, u64) {
    let mut host = Host::new(Config::replay(4095));
    let mut frames = 0;
    let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
    while let Ok(Some(frame)) = reader.next_frame() {
        let seen = Seen { ifindex: 0, tag: 0, hook: Hook::Observer };
        host.observe(frame.time, &Slice::new(frame.bytes, frame.wire_len as usize), seen);
        frames += 1;
    }
    let events = host.drain().collect();
    (host, events, frames)
}

#[test]
fn books_are_kept_and_findings_repeat() {
    for path in captures() {
        let (host, events, frames) = replay(&path);
        let cpu = host.cpu();
        assert_eq!(cpu.get(Counter::Packets), frames, "{path:?}");
        assert_eq!(cpu.matched_total(), cpu.accounted_total(), "{path:?}");
        assert_eq!(cpu.get(Counter::Submitted), events.len() as u64, "{path:?}");
        let (_, again, _) = replay(&path);
        assert_eq!(events.as_bytes(), again.as_bytes(), "{path:?}");
    }
}
