//! What the sensor says of itself and of others, and what its table holds.

use std::{collections::HashMap, fs, process::Stdio, thread, time::Duration, time::Instant};

use sensor::{kernel::Running as Looked, lab::Lab, sweep::Slots};
use sensor_common::{
    flow::{HeadBits, Key},
    table::WAYS,
};
use serde_json::Value;

use super::super::child::{Running, SOON, sensor};

/// What the sensor says of itself.
pub(super) struct Told(Value);

impl Told {
    fn ask(lab: &Lab) -> Self {
        let mut command = sensor(&["status", "--output", "json"]);
        command.stdout(Stdio::piped());
        let mut running = Running::start(lab.server().netns(), command);
        assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
        Self(serde_json::from_str(&running.stdout.text()).unwrap())
    }

    /// Once its account adds up: what is in the ring at the moment is on its way.
    pub(super) fn settled(lab: &Lab) -> Self {
        Self::once(lab, |told| {
            let sums = told.0["identities"].as_array().unwrap();
            !sums.is_empty() && sums.iter().all(|sum| sum["difference"] == 0)
        })
    }

    /// Once it has counted so much.
    pub(super) fn counted(lab: &Lab, name: &str, n: u64) -> Self {
        Self::once(lab, |told| told.counter(name) >= n)
    }

    fn once(lab: &Lab, is: impl Fn(&Self) -> bool) -> Self {
        let end = Instant::now() + SOON;
        loop {
            let told = Self::ask(lab);
            if is(&told) {
                return told;
            }
            assert!(Instant::now() < end, "{} {}", told.0["identities"], told.0["counters"]);
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn counter(&self, name: &str) -> u64 {
        self.0["counters"][name].as_u64().unwrap()
    }

    /// How many findings of a kind there were.
    pub(super) fn matched(&self, kind: &str) -> u64 {
        self.0["matched"][kind].as_u64().unwrap()
    }

    /// Flows of that state, as the last look has found them.
    pub(super) fn flows(&self, state: &str) -> u64 {
        self.0["flows"][state].as_u64().unwrap()
    }

    /// Events that the agent had no room for.
    pub(super) fn dropped(&self) -> u64 {
        self.0["events"]["dropped"].as_u64().unwrap()
    }
}

/// Ends the sensor: all that it has told, as JSON.
pub(super) fn ended(mut running: Running) -> Vec<Value> {
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    running.stdout.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Each of these clients' ports has a forged reset that was told.
pub(super) fn all_told(told: &[Value], ports: &[u16]) {
    let resets: Vec<&Value> = told.iter().filter(|line| line["kind"] == "ttl-rst-mismatch").collect();
    let missing = ports.iter().filter(|port| !resets.iter().any(|reset| reset["src_port"] == **port)).count();
    assert_eq!(missing, 0, "of {} severe findings", ports.len());
}

/// Incidents of this kind that were opened.
pub(super) fn opened<'a>(told: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let is = |line: &&Value| {
        line["type"] == "incident" && line["state"] == "open" && line["about"]["topic"].as_str() == Some(kind)
    };
    told.iter().filter(is).collect()
}

/// The flows in the running sensor's table; whether they are established.
pub(super) fn followed(running: &Running) -> HashMap<Key, bool> {
    let sensor = Looked::find(Some(running.pid())).unwrap();
    let table = sensor.table();
    let taken = (0..table.buckets() * WAYS).filter(|index| table.bucket(index / WAYS).tags[index % WAYS] != 0);
    let heads = taken.map(|index| table.head(index));
    heads.map(|head| (head.key, head.bits.any(HeadBits::ESTABLISHED))).collect()
}

/// Ticks of CPU time that a process has had, and KiB of memory that is its own.
pub(super) fn cost(pid: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    (ticks, own.trim().trim_end_matches(" kB").parse().unwrap())
}
