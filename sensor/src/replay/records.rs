//! What is found of flows at rest, and records of those that ended, on the capture's time.

use std::io::{self, Write};

use sensor_common::{event::Event, record::Record};

use crate::{
    correlate::aggregate::Lookout,
    leaks::Leaks,
    report::{Place, Reporter},
    sweep::{Findings, Slots, Sweeper},
};

use super::judges::Judges;

/// Between two sweeps, in nanoseconds of the capture.
const ROUND: u64 = 1_000_000_000;

/// The sweep of a replay.
pub(super) struct Records {
    sweeper: Sweeper,
    lookout: Lookout,
    next: u64,
    latest: u64,
    rest: (Findings, Leaks),
    /// Findings at rest so far.
    found: u64,
    ended: Vec<Record>,
    /// Whether records are told.
    wanted: bool,
}

impl Records {
    pub(super) fn of(host: &Judges, wanted: bool) -> Self {
        let sweeper = Sweeper::new(host.buckets(), host.cpu());
        Self {
            sweeper,
            lookout: Lookout::default(),
            next: 0,
            latest: 0,
            rest: Default::default(),
            found: 0,
            ended: Vec::new(),
            wanted,
        }
    }

    /// Whether there is a sweep to be made before what happens at `time`: once a second. A clock that goes back begins a new second.
    #[inline]
    pub(super) fn are_due(&mut self, time: u64) -> bool {
        self.latest = time;
        let due = time >= self.next || self.next - time > 2 * ROUND;
        if due {
            self.next = time + ROUND;
        }
        due
    }

    /// Sweeps.
    pub(super) fn sweep<W: Write>(&mut self, host: &Judges, reporter: &mut Reporter<W>) -> io::Result<()> {
        let time = self.latest;
        self.sweeper.sweep(host, time, &mut self.rest, &mut self.ended);
        self.tell(host, time, reporter)?;
        self.look(host, reporter)
    }

    /// Takes over a flow that gave way.
    pub(super) fn part(&mut self, event: &Event) {
        self.ended.extend(self.sweeper.parted(event));
    }

    /// Tells of all that is left.
    pub(super) fn finish<W: Write>(&mut self, host: &Judges, reporter: &mut Reporter<W>) -> io::Result<()> {
        self.sweeper.finish(host, self.latest, &mut self.rest, &mut self.ended);
        self.tell(host, self.latest, reporter)?;
        self.look(host, reporter)
    }

    /// Reads what shows in many connections together.
    fn look<W: Write>(&mut self, host: &Judges, reporter: &mut Reporter<W>) -> io::Result<()> {
        reporter.read(self.lookout.look(self.latest, [host.cpu()], host.services(), host))
    }

    /// What was found beside the engine's account, and what is missing, if anything is.
    pub(super) fn notes(&self, host: &Judges) -> impl Iterator<Item = String> {
        let missed = self.sweeper.missed(host.cpu());
        let found = (self.found > 0).then(|| format!("at rest, beside these: {}", self.found));
        let missed = (self.wanted && missed > 0)
            .then(|| format!("records_missed: {missed} flows gave way to others before they were told of"));
        found.into_iter().chain(self.rest.1.note()).chain(missed)
    }

    fn tell<W: Write>(&mut self, host: &Judges, now: u64, reporter: &mut Reporter<W>) -> io::Result<()> {
        let (Findings(found), leaks) = &mut self.rest;
        leaks.look(host, now, found);
        self.found += found.len() as u64;
        found.drain(..).try_for_each(|event| reporter.event(&event, Place::default()))?;
        self.ended.drain(..).try_for_each(|record| reporter.record(&record, Place::default()))
    }
}
