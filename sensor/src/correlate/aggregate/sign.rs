//! What a detector has to say at a moment, and the incidents that such signs open, keep open and close.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

use sensor_common::detect::Severity;

use super::{Aggregate, Not};

/// Incidents of aggregates that are open at a time.
pub const MAX_OPEN: usize = 256;
/// Without a sign for so long, one is over: a minute in nanoseconds.
pub const QUIET: u64 = 60_000_000_000;

/// Whom it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// The host that the sensor watches, or all that passes it.
    Here,
    /// A service: address and port of the server.
    Service(SocketAddr),
    /// A source.
    Source(IpAddr),
    /// A client of a service.
    Client(IpAddr, SocketAddr),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("all that passes the sensor"),
            Self::Service(server) => server.fmt(f),
            Self::Source(source) => source.fmt(f),
            Self::Client(client, server) => write!(f, "{client} to {server}"),
        }
    }
}

/// That something goes on now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// What.
    pub kind: Aggregate,
    /// With whom.
    pub about: About,
    /// How much to care.
    pub severity: Severity,
    /// What goes on, in a line that names whom.
    pub headline: String,
    /// What speaks for it.
    pub reasons: Vec<String>,
    /// What it is not, and why.
    pub ruled_out: Vec<Not>,
    /// Other aggregates that go with it.
    pub with: Vec<Aggregate>,
    /// What is counted of it (requests, segments, targets), so far if `sum`, else since the last sign.
    pub amount: u64,
    /// Whether `amount` is the sum so far.
    pub sum: bool,
    /// Some of the other side.
    pub peers: Vec<IpAddr>,
    /// Nanoseconds since the epoch: when it began, where that is known.
    pub since: Option<u64>,
}

impl Sign {
    pub(crate) fn new(kind: Aggregate, about: About, severity: Severity, headline: String) -> Self {
        Self {
            kind,
            about,
            severity,
            headline,
            reasons: Vec::new(),
            ruled_out: Vec::new(),
            with: Vec::new(),
            amount: 0,
            sum: false,
            peers: Vec::new(),
            since: None,
        }
    }
}

/// What became of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It is new.
    Opened,
    /// It is worse, or ten times as much.
    Grown,
    /// It is over.
    Closed,
}

/// An incident: its worst sign so far, with its times and sums.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// What became of it.
    pub change: Change,
    /// Nanoseconds since the epoch.
    pub first: u64,
    /// The same of the latest sign.
    pub last: u64,
    /// All that was counted.
    pub amount: u64,
    /// What goes on, or went on at its worst.
    pub sign: Sign,
}

#[derive(Debug)]
struct Open {
    first: u64,
    last: u64,
    amount: u64,
    /// What it was when it was told last.
    told: u64,
    sign: Sign,
}

/// The incidents that are open.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    open: BTreeMap<(Aggregate, About), Open>,
    unplaced: u64,
}

impl Ledger {
    /// Enters a sign of `now`, nanoseconds since the epoch.
    pub(super) fn enter(&mut self, sign: Sign, now: u64) -> Option<Incident> {
        let key = (sign.kind, sign.about);
        let Some(open) = self.open.get_mut(&key) else {
            if self.open.len() >= MAX_OPEN {
                self.unplaced += 1;
                return None;
            }
            let first = sign.since.unwrap_or(now).min(now);
            let open = Open { first, last: now, amount: sign.amount, told: sign.amount, sign };
            let opened = open.told(Change::Opened);
            self.open.insert(key, open);
            return Some(opened);
        };
        open.last = now;
        open.amount = if sign.sum { sign.amount.max(open.amount) } else { open.amount + sign.amount };
        let worse = sign.severity > open.sign.severity;
        let more = open.told > 0 && open.amount / 10 >= open.told;
        if worse || sign.severity == open.sign.severity && (more || sign.sum || sign.amount >= open.sign.amount) {
            open.sign = sign;
        }
        (worse || more).then(|| {
            open.told = open.amount;
            open.told(Change::Grown)
        })
    }

    /// Whether one of this kind is open.
    pub(super) fn has(&self, kind: Aggregate) -> bool {
        self.open.keys().any(|(open, _)| *open == kind)
    }

    /// Whether a scan is open.
    pub(super) fn has_scan(&self) -> bool {
        self.open.keys().any(|(open, _)| open.is_scan())
    }

    /// Ends those that have been quiet for [`QUIET`] at `now`: the worst first.
    pub(super) fn close(&mut self, now: u64) -> Vec<Incident> {
        self.take(|open| open.last.saturating_add(QUIET) <= now)
    }

    /// Ends all: the worst first.
    pub(super) fn finish(&mut self) -> Vec<Incident> {
        self.take(|_| true)
    }

    /// Signs that found no room.
    pub(super) const fn unplaced(&self) -> u64 {
        self.unplaced
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    fn take(&mut self, which: impl Fn(&Open) -> bool) -> Vec<Incident> {
        let over = self.open.extract_if(.., |_, open| which(open));
        let mut over: Vec<_> = over.map(|(_, open)| open.told(Change::Closed)).collect();
        over.sort_by_key(|incident| std::cmp::Reverse((incident.sign.severity, incident.amount)));
        over
    }
}

impl Open {
    fn told(&self, change: Change) -> Incident {
        let Self { first, last, amount, .. } = *self;
        Incident { change, first, last, amount, sign: self.sign.clone() }
    }
}
