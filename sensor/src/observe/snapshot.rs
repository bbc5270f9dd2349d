//! Everything that there is to know of a running agent at one moment: what `sensor status` tells, and the metrics are made of.

use std::{
    collections::BTreeMap,
    sync::atomic::Ordering,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sensor_common::{
    counters::{Counter, Cpu},
    detect::analysis::Rows,
    kind::Kind,
};
use serde::{Deserialize, Serialize};

use super::{
    Asked, Source,
    account::{Identity, identities},
    board::{Pinned, Told, Watched, lock},
    process::Process,
};
use crate::{
    enrich::{Directory, Standing},
    report::rfc3339,
    seal::{Layers, Threads},
};

/// Version of the object; fields may be added within one.
pub(super) const SCHEMA: u32 = 1;

/// How long the drain may be silent: it is at work a hundred times a second.
const SILENCE: Duration = Duration::from_secs(10);

/// How long the report may take over a line: longer, and whoever reads it has stopped reading.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running agent. What it does not know of itself is left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// The agent's version.
    pub version: String,
    /// Its process, as it sees itself.
    pub pid: u32,
    /// When it began to watch.
    pub started: String,
    /// Now.
    pub now: String,
    /// Seconds from then to now.
    pub uptime: f64,
    /// What keeps it from its work; empty is well.
    pub trouble: Vec<String>,
    /// Whether it drains what the kernel program finds.
    pub alive: bool,
    /// What it is attached to.
    pub watching: Vec<Watched>,
    /// What outlives it; none where nothing is to.
    pub pinned: Option<Pinned>,
    /// What it has given up; none where it was asked to give up nothing.
    pub layers: Option<Layers>,
    /// The kernel's word on that.
    pub threads: Option<Threads>,
    /// The kernel program's counters by name.
    pub counters: BTreeMap<String, u64>,
    /// Findings of the kernel program by kind, told or not; those that are not zero.
    pub matched: BTreeMap<String, u64>,
    /// Segments by row of Wireshark's `tcp.analysis`.
    pub analysis: BTreeMap<String, u64>,
    /// Findings that reached the report, printed or not.
    pub findings: Vec<Findings>,
    /// Findings and aggregates that were not told, by the reason that an allow-list gives.
    pub allowed: BTreeMap<String, u64>,
    /// The flow table.
    pub flows: Flows,
    /// What became of the events that the kernel program submitted.
    pub events: Events,
    /// What became of records and of findings at rest.
    pub sweep: Sweep,
    /// How it stands with names from a cluster, if it asks one.
    pub kubernetes: Option<Standing>,
    /// What became of findings for the file of `--write`.
    pub written: Option<crate::report::Written>,
    /// What became of what was to be kept in a database.
    pub kept: Option<crate::store::Kept>,
    /// From segment to report.
    pub latency: Latency,
    /// What must add up.
    pub identities: Vec<Identity>,
    /// The kernel's programs.
    pub programs: Vec<Program>,
    /// The kernel's maps.
    pub maps: Vec<Map>,
    /// The agent's own process.
    pub process: Process,
    /// Who asked for all this before.
    pub asked: Requests,
    /// Who follows by `sensor tail`; none where there is no socket for that.
    pub tail: Option<crate::tail::Account>,
}

/// Findings of one kind and severity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// The kind's id.
    pub kind: String,
    /// The severity's name.
    pub severity: String,
    /// How many.
    pub count: u64,
}

/// Slots of the flow table that are taken.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Flows {
    /// One side only, or no complete handshake.
    pub embryonic: u64,
    /// Both sides agree.
    pub established: u64,
    /// Closed.
    pub closed: u64,
    /// All slots.
    pub capacity: u64,
}

/// Events on their way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Events {
    /// Taken out of the ring by sensors before, whose state was taken over.
    pub before: u64,
    /// Taken out of the ring.
    pub received: u64,
    /// Handed on to the report.
    pub queued: u64,
    /// Dropped because the report was too slow.
    pub dropped: u64,
    /// Not of this agent's layout.
    pub undecodable: u64,
    /// In the queue at the moment.
    pub waiting: u64,
    /// Flows that gave way, taken out of the ring for their records by sensors before.
    pub parted_before: u64,
    /// The same by this one.
    pub parted: u64,
    /// Those of them that the sweep was too busy to take.
    pub parted_dropped: u64,
}

/// What the sweep found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sweep {
    /// Findings of connections at rest.
    pub found: u64,
    /// Findings and records handed on.
    pub told: u64,
    /// Those dropped.
    pub lost: u64,
    /// Mild findings that were too many of a kind (`--rate`).
    pub held: u64,
    /// Records that reached the report.
    pub records: u64,
    /// Flows that left the table before a record was made.
    pub missed: u64,
    /// Rejected segments that were not compared with other connections, as there were too many at a time.
    pub leaks_skipped: u64,
}

/// From segment to report.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// By upper bound; not cumulated.
    pub counts: Vec<u64>,
    /// Seconds in all.
    pub sum: f64,
}

/// A program of the kernel's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    /// As the object names it.
    pub name: String,
    /// The kernel's number.
    pub id: u32,
    /// How often it ran, if the kernel counts.
    pub runs: Option<u64>,
    /// For how many nanoseconds.
    pub run_nanos: Option<u64>,
}

impl Program {
    /// Whether a hook calls it; stages are reached from those, and the kernel counts their runs with them.
    pub fn is_entry(&self) -> bool {
        ["sensor_xdp", "sensor_ingress", "sensor_egress"].contains(&&*self.name)
    }
}

/// A map of the kernel's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Map {
    /// As the object names it.
    pub name: String,
    /// The kernel's number.
    pub id: u32,
    /// Memory in the kernel.
    pub bytes: Option<u64>,
}

/// Requests, and what became of them.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Answered over HTTP.
    pub answered: u64,
    /// Dropped there, for they were too slow or too many.
    pub dropped: u64,
    /// Answered over the local socket.
    pub told: u64,
    /// Refused there, as another user's.
    pub refused: u64,
}

impl Snapshot {
    /// As of now.
    pub(super) fn of(source: &Source, asked: &Asked) -> Self {
        // What comes later on an event's way is read first, so that what is still on its way never counts as lost.
        let (told, swept) = (source.board.told(), source.board.swept());
        let account = *lock(&source.account);
        let cpu = source.readings.counters();
        let watching = source.board.watched();
        let (alive, trouble) = health(&told, account.beat.map(|beat| beat.elapsed()), &watching, cpu.is_err());
        let cpu = cpu.unwrap_or_default();
        let occupied = source.readings.occupied();
        let (now, drained) = (SystemTime::now(), account.drained);
        let events = Events {
            before: drained.before.events,
            received: drained.received,
            queued: drained.queued,
            dropped: drained.dropped,
            undecodable: drained.undecodable,
            waiting: account.waiting,
            parted_before: drained.before.parted,
            parted: drained.parted,
            parted_dropped: drained.parted_dropped,
        };
        let program = |facts: crate::kernel::ProgramFacts| Program {
            name: facts.name,
            id: facts.id,
            runs: facts.runs.map(|(runs, _)| runs),
            run_nanos: facts.runs.map(|(_, nanos)| nanos),
        };
        let map = |facts: &crate::kernel::MapFacts| Map { name: facts.name.clone(), id: facts.id, bytes: facts.bytes };
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            started: rfc3339(nanos(source.started)),
            now: rfc3339(nanos(now)),
            uptime: now.duration_since(source.started).unwrap_or_default().as_secs_f64(),
            trouble,
            alive,
            watching,
            pinned: source.board.pinned(),
            layers: source.layers.clone(),
            kubernetes: source.names.as_ref().map(Directory::standing),
            threads: Threads::now(),
            counters: Counter::ALL.iter().map(|counter| (counter.id().into(), cpu.get(*counter))).collect(),
            matched: matched(&cpu),
            analysis: Rows::IDS.iter().map(|id| String::from(*id)).zip(cpu.analysis).collect(),
            findings: findings(&told),
            allowed: (source.allowed)(),
            flows: Flows {
                embryonic: occupied.embryonic,
                established: occupied.established,
                closed: occupied.closed,
                capacity: source.readings.capacity(),
            },
            identities: identities(&cpu, &events),
            events,
            sweep: Sweep {
                found: swept.found,
                told: swept.told,
                lost: swept.lost,
                held: swept.held,
                records: told.records,
                missed: swept.known.missed(&cpu),
                leaks_skipped: swept.leaks_skipped,
            },
            written: told.written,
            kept: source.board.kept(),
            tail: source.feed.as_ref().map(crate::tail::Feed::account),
            latency: Latency { counts: told.latency.counts.into(), sum: told.latency.sum.as_secs_f64() },
            programs: source.readings.programs().into_iter().map(program).collect(),
            maps: source.readings.maps().iter().map(map).collect(),
            process: Process::now(),
            asked: Requests {
                answered: asked.answered.load(Ordering::Relaxed),
                dropped: asked.dropped.load(Ordering::Relaxed),
                told: asked.told.load(Ordering::Relaxed),
                refused: asked.refused.load(Ordering::Relaxed),
            },
        }
    }

    /// A counter of the kernel program by its name.
    pub fn counter(&self, id: &str) -> u64 {
        self.counters.get(id).copied().unwrap_or_default()
    }
}

/// Whether the drain works, and what keeps the agent from its work.
fn health(told: &Told, silent: Option<Duration>, watching: &[Watched], unreadable: bool) -> (bool, Vec<String>) {
    let alive = silent.is_none_or(|silent| silent < SILENCE);
    let mut trouble = Vec::new();
    if !alive {
        trouble.push("the ring is not drained".into());
    }
    if told.busy.is_some_and(|since| since.elapsed() > PATIENCE) {
        trouble.push("whoever reads the report has stopped reading".into());
    }
    if !watching.iter().any(|one| one.present) {
        trouble.push("no interface is watched".into());
    }
    if unreadable {
        trouble.push("the kernel program's counters cannot be read".into());
    }
    (alive, trouble)
}

fn matched(cpu: &Cpu) -> BTreeMap<String, u64> {
    let all = Kind::ALL.iter().map(|kind| (kind.id().into(), cpu.matched[*kind as usize]));
    all.filter(|(_, count)| *count > 0).collect()
}

fn findings(told: &Told) -> Vec<Findings> {
    let one = |(&(severity, kind), &count): (&(_, Kind), &u64)| {
        let severity: sensor_common::detect::Severity = severity;
        Findings { kind: kind.id().into(), severity: severity.name().into(), count }
    };
    told.findings.iter().map(one).collect()
}

/// Nanoseconds since the epoch.
pub(crate) fn nanos(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
