//! What only shows in many connections together: floods, scans, queues and ports that run out.
//!
//! Sans I/O: time comes with what was read ([`Reading`], about once a second) and with connections that ended ([`Ended`]). Each
//! detector turns that into [`Sign`]s of what goes on now; signs open incidents, and keep them open. The same input always yields
//! the same incidents.
//!
//! Memory is bounded: [`flood::MAX_SERVICES`] services, [`scan::MAX_SOURCES`] suspects and [`scan::MAX_TARGETS`] targets of
//! scans, [`probe::MAX_SOURCES`] sources of probes with [`probe::MAX_TARGETS`] targets each, [`ports::MAX_PAIRS`] pairs of client and
//! service, [`crowd::MAX_LEARNED`] networks, [`MAX_OPEN`] open incidents. What finds no room is counted.

mod alternative;
mod carpet;
pub mod crowd;
mod ended;
pub mod flood;
mod host;
mod kind;
mod lookout;
mod meter;
mod naptha;
pub mod ports;
pub mod probe;
mod queue;
mod reading;
pub mod sample;
pub mod scan;
mod shares;
mod sign;
mod stray;
mod view;

pub use alternative::{Alternative, Not};
pub use ended::{Ended, Waits};
pub use host::{HostReading, Limits, TcpExt};
pub use kind::Aggregate;
pub use lookout::Lookout;
pub use reading::{Astray, Reading};
pub use sample::Sampler;
pub use sign::{About, Change, Incident, MAX_OPEN, QUIET, Sign};

use reading::Span;
use sign::Ledger;

/// All detectors of aggregates, and their incidents.
#[derive(Debug, Default)]
pub struct Aggregates {
    before: Option<Reading>,
    floods: flood::Floods,
    strays: stray::Strays,
    probes: probe::Probes,
    scans: scan::Scans,
    ports: ports::Ports,
    queues: queue::Queues,
    naptha: naptha::Naptha,
    ledger: Ledger,
}

impl Aggregates {
    /// Adds a connection that ended; what follows is told with the next reading.
    pub fn ended(&mut self, ended: &Ended) {
        if let Some(answer) = ended.answer {
            self.scans.add(ended.client.ip(), ended.server, answer, ended.first, ended.own);
        }
        self.ports.add(ended);
    }

    /// Adds what was read: incidents that opened, have grown, or are over.
    pub fn read(&mut self, now: Reading) -> Vec<Incident> {
        self.scans.look(&now.sample);
        let mut signs = self.scans.signs(now.time, QUIET);
        let before = self.before.take();
        let span = before.as_ref().map(|before| Span::between(before, &now));
        signs.extend(self.probes.signs(&now, span.as_ref()));
        signs.extend(self.naptha.signs(&now.sample));
        signs.extend(self.ports.signs(now.time, now.host.map(|host| host.limits)));
        scan::hints(&mut signs, &now.sample);
        if let Some((before, span)) = before.zip(span) {
            signs.extend(self.floods.signs(&now, &before, &span));
            let flooded = self.ledger.has(Aggregate::SynFlood) || signs.iter().any(|s| s.kind == Aggregate::SynFlood);
            let scanned = signs.iter().any(|s| s.kind.is_scan()) || self.ledger.has_scan();
            signs.extend(self.strays.signs(&now, &span, flooded || scanned));
            signs.extend(self.queues.signs(&now, &span, &before, flooded));
        }
        let time = now.time;
        self.before = Some(now);
        let mut told: Vec<_> = signs.into_iter().filter_map(|sign| self.ledger.enter(sign, time)).collect();
        told.extend(self.ledger.close(time));
        told
    }

    /// Ends all incidents: the worst first.
    pub fn finish(&mut self) -> Vec<Incident> {
        self.ledger.finish()
    }

    /// What found no room: connections, requests, segments, signs.
    pub fn unplaced(&self) -> u64 {
        self.scans.unplaced() + self.ports.unplaced() + self.probes.len().1 + self.ledger.unplaced()
    }

    /// Things that are remembered, for tests of the bound: services, suspects, probes, pairs, open incidents.
    pub fn held(&self) -> [usize; 5] {
        [self.floods.len(), self.scans.len(), self.probes.len().0, self.ports.len(), self.ledger.len()]
    }
}
