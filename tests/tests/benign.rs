//! Silence on the benign: ten million frames that only look like interference raise nothing at warn or above, and hardly a notice.

use std::{
    collections::BTreeMap,
    fs::File,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use sensor::{capture::write::PcapWriter, host::Host, leaks::Leaks, sweep::AtRest as _};
use sensor_common::{config::Config, detect::Severity, engine::Seen, event::Event, wire::Slice};
use tests::benign::{Sight, Tally, World};

/// Frames of one world.
const FRAMES: u64 = 1_000_000;

/// Worlds in an ordinary run.
const WORLDS: u64 = 10;

/// Of each look-alike there are at least this many in the whole run.
const LEAST: u64 = 100;

/// Findings above info whose conversations are written to disk, one of each sort.
const SHOWN: usize = 20;

/// What one world came to.
#[derive(Default)]
struct Outcome {
    /// How many findings of each kind and severity.
    counts: BTreeMap<(&'static str, Severity), u64>,
    tally: Tally,
    /// Findings above info: seed, conversation, frame, event.
    raised: Vec<(u64, u64, u64, Event)>,
    frames: u64,
}

fn observe(host: &mut Host, sight: &Sight<'_>) {
    let seen = Seen { ifindex: 1, tag: 0, hook: sight.hook };
    host.observe_at([sight.coarse, sight.time], &Slice::new(sight.headers, sight.length), seen);
}

fn run(seed: u64, frames: u64) -> Outcome {
    let mut world = World::new(seed);
    let mut host = Host::new(Config::replay((1 << 13) - 1));
    let mut outcome = Outcome { frames, ..Outcome::default() };
    let (mut number, mut last) = (0, 0);
    world.run(frames, |sight| {
        number += 1;
        last = sight.time;
        observe(&mut host, &sight);
        for event in host.drain() {
            let id = event.kind().map_or("unknown", |kind| kind.id());
            *outcome.counts.entry((id, event.severity())).or_default() += 1;
            if event.severity() > Severity::Info {
                outcome.raised.push((seed, sight.conversation, number, event));
            }
        }
    });
    let (mut leaks, mut found) = (Leaks::default(), Vec::new());
    for (index, (flow, extra)) in host.flows().iter().zip(host.extras()).enumerate() {
        leaks.judge(index, flow, extra, last);
    }
    leaks.look(&host, last, &mut found);
    outcome.raised.extend(found.into_iter().map(|event| (seed, 0, number, event)));
    outcome.tally = *world.tally();
    outcome
}

/// Writes a conversation's frames up to `last` into a capture.
fn replay(seed: u64, conversation: u64, last: u64) -> std::io::Result<PathBuf> {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("benign-{seed}-{conversation}.pcap"));
    let mut writer = PcapWriter::new(File::create(&path)?)?;
    let mut result = Ok(());
    World::new(seed).run(last, |sight| {
        if sight.conversation == conversation && result.is_ok() {
            // The format's times end in 2106.
            result = writer.frame(sight.time % (1 << 60), sight.headers, sight.length as u32);
        }
    });
    result.map(|()| path)
}

#[test]
fn ten_million_benign_frames_alarm_nobody() {
    let wanted = |name, default| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (first, worlds) = (wanted("BENIGN_SEED", 0), wanted("BENIGN_WORLDS", WORLDS));
    let next = AtomicU64::new(first);
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + worlds {
                return outcomes;
            }
            outcomes.push(run(seed, FRAMES));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<Outcome> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });

    let (mut counts, mut tally, mut frames) = (BTreeMap::new(), Tally::default(), 0);
    for outcome in &outcomes {
        frames += outcome.frames;
        tally.add(&outcome.tally);
        for (&key, n) in &outcome.counts {
            *counts.entry(key).or_insert(0) += n;
        }
    }
    println!("{frames} frames");
    for ((id, severity), n) in &counts {
        println!("{n:>9}  {:<6} {id}", severity.name());
    }
    for (class, n) in tally.iter() {
        println!("{n:>9}  {class:?}");
    }
    let raised: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.raised).collect();
    // One of each sort first.
    let mut sorts: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in raised.iter().rev() {
        sorts.entry((one.3.kind, one.3.severity, one.3.evidence.0)).or_default().push(one);
    }
    for found in sorts.values().rev().take(SHOWN) {
        let Some((seed, conversation, frame, event)) = found.last() else { continue };
        let pieces: Vec<_> = event.evidence.pieces().map(|(id, _)| id).collect();
        let id = event.kind().map(|kind| kind.id());
        println!("{} times {id:?} {:?} {pieces:?}", found.len(), event.severity());
        println!("  the first: seed {seed}, conversation {conversation}, frame {frame}");
        match replay(*seed, *conversation, *frame) {
            Ok(path) => println!("  its frames: {}", path.display()),
            Err(error) => println!("  its frames could not be written: {error}"),
        }
        println!("  {event:?}");
    }
    let alarms = raised.iter().filter(|(.., event)| event.severity() >= Severity::Warn).count();
    assert_eq!(alarms, 0, "benign traffic raises no alarm");
    let notices = (raised.len() - alarms) as u64;
    assert!(notices * 1_000_000 <= frames, "{notices} notices in {frames} frames");
    if worlds >= WORLDS {
        for (class, n) in tally.iter() {
            assert!(n >= LEAST, "{class:?} came up {n} times only");
        }
    }
}
