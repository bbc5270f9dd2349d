//! Everything at once, for a minute, or for as long as `cargo xtask soak` says: connections, forged resets, floods, reloads, readers
//! that come and go. Nothing is lost without being counted, and nothing grows.

use std::{
    collections::BTreeMap,
    env, fs,
    net::SocketAddr,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use sensor::{
    lab::{Family, Lab, traffic::Outcome, traffic::Traffic},
    observe::BOUNDS,
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    WAN,
    aggregates::{raw, spoof},
    child::{Running, SOON, sensor},
    forge, lab,
};

/// Names the minutes that are asked for.
const MINUTES: &str = "SENSOR_SOAK_MINUTES";
/// What happens in each round happens once in so long.
const ROUND: Duration = Duration::from_secs(5);
/// Requests in others' names, in each round.
const FLOOD: u32 = 2000;
/// From here on memory is judged: before, what has a bound fills up.
const LONG: u64 = 10;
/// KiB an hour that the heap may grow.
const SLOPE: f64 = 1024.0;

/// The agent after a round.
struct Sample {
    seconds: f64,
    heap: u64,
    resident: u64,
    descriptors: BTreeMap<String, usize>,
    objects: (usize, usize),
}

fn kibibytes(status: &str, field: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect(status);
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn sample(running: &Running, begun: Instant) -> Sample {
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    let infos = fs::read_dir(format!("/proc/{}/fdinfo", running.pid())).unwrap();
    let infos: Vec<_> = infos.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).collect();
    let with = |field: &str| infos.iter().filter(|info| info.contains(field)).count();
    Sample {
        seconds: begun.elapsed().as_secs_f64(),
        heap: kibibytes(&status, "RssAnon:"),
        resident: kibibytes(&status, "VmRSS:"),
        descriptors: running.descriptors(),
        objects: (with("prog_id:"), with("map_id:")),
    }
}

/// KiB an hour, by least squares.
fn slope(samples: &[Sample]) -> f64 {
    let n = samples.len() as f64;
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(&|one| one.seconds), mean(&|one| one.heap as f64));
    let shared: f64 = samples.iter().map(|one| (one.seconds - x) * (one.heap as f64 - y)).sum();
    let spread: f64 = samples.iter().map(|one| (one.seconds - x).powi(2)).sum();
    shared / spread.max(1.0) * 3600.0
}

/// What the sensor says of itself.
pub(super) fn status(lab: &Lab) -> Value {
    let mut command = sensor(&["status", "--output", "json"]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    serde_json::from_str(&running.stdout.text()).unwrap()
}

/// The same once nothing is on its way.
pub(super) fn settled(lab: &Lab) -> Value {
    let end = Instant::now() + SOON;
    loop {
        let status = status(lab);
        let sums = status["identities"].as_array().unwrap();
        if sums.iter().all(|sum| sum["difference"] == 0) && status["events"]["waiting"] == 0 {
            return status;
        }
        assert!(Instant::now() < end, "the account does not add up: {sums:#?}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// The bound below which this share of findings was told, in milliseconds.
fn quantile(status: &Value, share: f64) -> String {
    let counts: Vec<u64> = status["latency"]["counts"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
    let wanted = counts.iter().sum::<u64>() as f64 * share;
    let mut sum = 0.0;
    let slot = counts.iter().position(|count| {
        sum += *count as f64;
        sum >= wanted
    });
    let bound = slot.and_then(|slot| BOUNDS.get(slot));
    bound.map_or("more than 5000 ms".into(), |bound| format!("<= {:.0} ms", bound * 1e3))
}

#[test]
fn everything_at_once_and_nothing_grows() {
    let Some(lab) = lab() else { return };
    let minutes: u64 = env::var(MINUTES).map_or(1, |minutes| minutes.parse().unwrap());
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file, socket, db) = (path("s.toml"), path("tail.sock"), path("s.db"));
    fs::write(&file, "min-severity = 'notice'\n").unwrap();
    let arguments = ["-i", WAN, "-o", "json", "--records", "--config", &file, "--socket", &socket, "--db", &db];
    let mut command = sensor(&[&["attach"], &arguments[..]].concat());
    command.stdout(Stdio::null());
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");

    let (begun, stop, connections, failed) =
        (Instant::now(), AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (mut samples, mut rounds, mut followed) = (Vec::new(), 0, 0);
    thread::scope(|scope| {
        let talk = || {
            while !stop.load(Relaxed) {
                let outcomes = Traffic::new(&lab).ordinary(10, Family::V4);
                connections.fetch_add(outcomes.len(), Relaxed);
                failed.fetch_add(outcomes.iter().filter(|outcome| **outcome != Outcome::Ok).count(), Relaxed);
                thread::sleep(Duration::from_millis(100));
            }
        };
        let talker = scope.spawn(talk);
        let socket_of_floods = raw(lab.client().netns());
        let nobody = SocketAddr::new(lab.server().address(Family::V4), 9);
        while begun.elapsed() < Duration::from_secs(60 * minutes) {
            let next = Instant::now() + ROUND;
            let mut follower = {
                let mut command = sensor(&["tail", "-f", "-o", "json", "--socket", &socket]);
                command.stdout(Stdio::piped());
                Running::spawn(None, command)
            };
            forge(&lab);
            lab.middlebox().clear();
            rounds += 1;
            for n in 0..FLOOD {
                spoof(&socket_of_floods, rounds * FLOOD + n, nobody);
                if n % 20 == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
            running.signal(libc::SIGHUP);
            let reloaded = || running.stderr.text().matches("was read again and holds").count() as u32;
            let end = Instant::now() + SOON;
            while reloaded() < rounds {
                assert!(Instant::now() < end, "{}", running.stderr.text());
                thread::sleep(Duration::from_millis(20));
            }
            follower.stdout.wait_for("ttl-rst-mismatch");
            followed += 1;
            // Some are gone without a word.
            follower.signal(if rounds % 2 == 0 { libc::SIGKILL } else { libc::SIGTERM });
            follower.end(SOON);
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let asked = status(&lab);
            assert_eq!(asked["alive"], true, "{asked:#}");
            samples.push(sample(&running, begun));
            // A thread that has died cannot be waited for.
            assert!(!talker.is_finished());
        }
        stop.store(true, Relaxed);
    });
    let last = settled(&lab);
    let idle = sample(&running, begun);
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(10 * SOON).code(), Some(0), "{}", running.stderr.text());

    let (first, end) = (&samples[0], &samples[samples.len() - 1]);
    let grows = slope(&samples[samples.len() / 2..]);
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let found = |kind: &str| -> u64 {
        let all = last["findings"].as_array().unwrap().iter().filter(|one| one["kind"] == kind);
        all.map(|one| number(&one["count"])).sum()
    };
    let lost: u64 = ["ring_full_low", "ring_full_high"].iter().map(|id| number(&last["counters"][*id])).sum();
    println!("soak: {minutes} min, {rounds} rounds");
    for (what, how) in [
        ("connections", format!("{}, {} of them not to their end", connections.load(Relaxed), failed.load(Relaxed))),
        ("segments", number(&last["counters"]["segments"]).to_string()),
        ("requests in others' names", (rounds * FLOOD).to_string()),
        ("forged resets", format!("{rounds}, found {}", found("ttl-rst-mismatch"))),
        (
            "findings",
            format!("{} taken out of the ring, {lost} lost for want of room", number(&last["events"]["received"])),
        ),
        ("records", number(&last["sweep"]["records"]).to_string()),
        ("reloads, readers", format!("{rounds}, {followed}")),
        ("latency", format!("p50 {}, p99 {}", quantile(&last, 0.5), quantile(&last, 0.99))),
        (
            "heap",
            format!("{} KiB, {} at half-time, {} at the end", first.heap, samples[samples.len() / 2].heap, end.heap),
        ),
        ("resident", format!("{} KiB, {} at the end: the flow table is mapped", first.resident, end.resident)),
        ("heap grows by", format!("{grows:.0} KiB/h over the second half")),
        ("descriptors", format!("{} of {} kinds", end.descriptors.values().sum::<usize>(), end.descriptors.len())),
        ("programs, maps", format!("{}, {}", end.objects.0, end.objects.1)),
        ("account", "adds up".to_owned()),
    ] {
        println!("  {what:<26}{how}");
    }
    assert_eq!(found("ttl-rst-mismatch"), u64::from(rounds), "each forged reset is found, and no other");
    for one in samples.iter().chain([&idle]) {
        assert_eq!(one.objects, first.objects, "programs or maps pile up");
    }
    assert_eq!(idle.descriptors, first.descriptors, "descriptors pile up");
    assert_eq!(number(&last["counters"]["stage_missing"]), 0);
    if minutes >= LONG {
        assert!(grows < SLOPE, "the heap grows by {grows:.0} KiB an hour");
    }
    let summary = running.stderr.text();
    for start in ["matched ", "events: submitted "] {
        let line = summary.lines().find(|line| line.starts_with(start)).expect(&summary);
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers[0], if start == "matched " { numbers[1..].iter().sum() } else { numbers[1] }, "{line}");
    }
}
