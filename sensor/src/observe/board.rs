//! Where the agent's threads write down what they did, for whoever asks. Each entry is held for a copy and no longer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use sensor_common::{detect::Severity, event::Event, kind::Kind};
use serde::{Deserialize, Serialize};

use super::snapshot::nanos;
use crate::{
    kernel::{Attached, Egress, Ingress},
    report::{Written, rfc3339},
    store::{Kept, Shared},
    sweep::Known,
};

/// Upper bounds of the latency histogram, in seconds.
pub const BOUNDS: [f64; 9] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];

/// An interface that is or was watched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Its name when it was attached to.
    pub interface: String,
    /// Its index.
    pub ifindex: u32,
    /// The hook on the way in: `xdp-native`, `xdp-generic`, `tcx`, `clsact`.
    pub ingress: String,
    /// The hook on the way out: `tcx`, `clsact`, `none`.
    pub egress: String,
    /// Since when.
    pub since: String,
    /// Whether it is there.
    pub present: bool,
    /// Why no better hook was taken, and what else is not as usual.
    pub notes: Vec<String>,
}

/// What outlives the agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Where.
    pub folder: String,
    /// What became of what was there when it started: `new` if nothing was, `adopted`, or `anew` if it did not fit.
    pub state: String,
    /// Why it did not.
    pub reason: Option<String>,
}

/// What the sweep did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Swept {
    /// Findings of connections at rest.
    pub found: u64,
    /// Findings and records handed on.
    pub told: u64,
    /// Those dropped because their reader was too slow.
    pub lost: u64,
    /// Mild findings that were too many of a kind.
    pub held: u64,
    /// Rejected segments that were not compared with other connections.
    pub leaks_skipped: u64,
    /// What it knows of flows that left the table.
    pub known: Known,
}

/// How long the kernel's findings took from their segment to the report.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latency {
    /// By upper bound, the last without one; not cumulated.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All together.
    pub sum: Duration,
}

/// What the reporting thread did.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Findings by severity and kind, printed or not.
    pub findings: BTreeMap<(Severity, Kind), u64>,
    /// Records of connections.
    pub records: u64,
    /// What became of those for the file of `--write`.
    pub written: Option<Written>,
    /// From segment to report.
    pub latency: Latency,
    /// Since when it has been at its present work; none while it waits for some.
    pub busy: Option<Instant>,
}

/// The board.
#[derive(Debug, Default)]
pub struct Board {
    watched: Mutex<Vec<Watched>>,
    swept: Mutex<Swept>,
    told: Mutex<Told>,
    kept: Mutex<Option<Arc<Shared>>>,
    pinned: Mutex<Option<Pinned>>,
}

/// Interfaces that are gone and still told of.
const GONE: usize = 16;

impl Board {
    /// An interface is watched from now on.
    pub fn watch(&self, attached: &Attached) {
        let tc = |hook| match hook {
            Egress::Tcx => "tcx",
            Egress::Clsact => "clsact",
            Egress::None => "none",
        };
        let ingress = match attached.ingress {
            Ingress::XdpNative => "xdp-native",
            Ingress::XdpGeneric => "xdp-generic",
            Ingress::Tc(hook) => tc(hook),
        };
        let new = Watched {
            interface: attached.interface.clone(),
            ifindex: attached.ifindex,
            ingress: ingress.into(),
            egress: tc(attached.egress).into(),
            since: rfc3339(nanos(SystemTime::now())),
            present: true,
            notes: attached.notes.clone(),
        };
        let mut watched = lock(&self.watched);
        // One that came back under its old name takes its old place, so that names that come and go make no list.
        watched.retain(|old| old.present || old.interface != new.interface);
        watched.push(new);
    }

    /// An interface is gone.
    pub fn gone(&self, interface: &str) {
        let mut watched = lock(&self.watched);
        watched.iter_mut().filter(|one| one.interface == interface).for_each(|one| one.present = false);
        // Those of containers have a new name each time.
        if watched.iter().filter(|one| !one.present).count() > GONE
            && let Some(oldest) = watched.iter().position(|one| !one.present)
        {
            watched.remove(oldest);
        }
    }

    /// An interface has another name now.
    pub fn rename(&self, ifindex: u32, name: &str) {
        let mut watched = lock(&self.watched);
        watched
            .iter_mut()
            .filter(|one| one.present && one.ifindex == ifindex)
            .for_each(|one| one.interface = name.into());
    }

    /// The reporting thread has something to tell.
    pub fn begin(&self) {
        lock(&self.told).busy = Some(Instant::now());
    }

    /// It has told a finding, which was `age` old; one at rest is as old as its rest, and has none.
    pub fn finding(&self, event: &Event, age: Option<Duration>) {
        let Some(kind) = event.kind() else { return };
        let mut told = lock(&self.told);
        *told.findings.entry((event.severity(), kind)).or_default() += 1;
        let Some(age) = age else { return };
        let slot = BOUNDS.iter().position(|bound| age.as_secs_f64() <= *bound).unwrap_or(BOUNDS.len());
        told.latency.counts[slot] += 1;
        told.latency.sum += age;
    }

    /// It has told a record.
    pub fn record(&self) {
        lock(&self.told).records += 1;
    }

    /// It has nothing more to tell for now.
    pub fn end(&self, written: Option<Written>) {
        let mut told = lock(&self.told);
        told.busy = None;
        told.written = written;
    }

    /// The sweep has been round.
    pub fn sweep(&self, swept: Swept) {
        *lock(&self.swept) = swept;
    }

    /// The keeper of the database, if there is one.
    pub fn keep(&self, keeper: Option<Arc<Shared>>) {
        *lock(&self.kept) = keeper;
    }

    /// What became of what was to be kept.
    pub fn kept(&self) -> Option<Kept> {
        lock(&self.kept).as_ref().map(|shared| shared.kept())
    }

    /// What is pinned.
    pub fn pin(&self, pinned: Pinned) {
        *lock(&self.pinned) = Some(pinned);
    }

    /// What is pinned, if anything is.
    pub fn pinned(&self) -> Option<Pinned> {
        lock(&self.pinned).clone()
    }

    /// The interfaces.
    pub fn watched(&self) -> Vec<Watched> {
        lock(&self.watched).clone()
    }

    /// What the sweep did.
    pub fn swept(&self) -> Swept {
        *lock(&self.swept)
    }

    /// What the reporting thread did.
    pub fn told(&self) -> Told {
        lock(&self.told).clone()
    }
}

/// What is behind a lock, whatever became of those who held it: numbers do not break halfway.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
