//! From findings to incidents: what is going on, since when, who does it, and to how many. Sans I/O: time comes with the findings.
//!
//! Findings that a device on the way explains are one incident, whomever it speaks for; others belong together by kind and service.
//! Mild findings open none. Memory is bounded: [`MAX_INCIDENTS`] are open at a time, and [`MAX_FLOWS`] connections are told apart;
//! what is beyond that is counted.

use std::collections::BTreeMap;

use sensor_common::detect::Severity;

use crate::report::{Finding, flow::Told};

pub mod aggregate;
mod causes;
mod facts;
mod habits;
mod pattern;
mod subject;
mod timers;
mod trend;
pub(crate) mod view;
mod words;

pub use causes::{Cause, Weighed, weigh};
pub use facts::{Constant, Facts};
pub use habits::{Habit, Habits, MAX_SERVICES};
pub use pattern::Pattern;
pub use subject::{Device, Place, Subject, Topic};
pub use timers::{Closes, Fixed};
pub use trend::{Heading, Trend};
pub use view::{About, Count, Example, Reasoned, Share, State, Type, View};
pub use words::headline;
pub(crate) use words::{conclude, line, write};

/// Incidents that are open at a time.
pub const MAX_INCIDENTS: usize = 1024;
/// Connections that all open incidents together tell apart.
pub const MAX_FLOWS: usize = 1 << 17;
/// An incident without a finding for so long is over: 10 minutes in nanoseconds.
pub const QUIET: u64 = 600 * 1_000_000_000;

/// Milder findings open no incident.
pub const LEAST: Severity = Severity::Notice;

/// What belongs together.
#[derive(Debug)]
pub struct Incident {
    /// What it is about.
    pub subject: Subject,
    /// All that is known of it.
    pub facts: Facts,
}

impl Incident {
    /// What there is to tell when it is over.
    pub fn closed(&self) -> View {
        View::of(&self.subject, &self.facts, State::Closed)
    }
}

/// Groups findings.
#[derive(Debug, Default)]
pub struct Correlator {
    open: BTreeMap<Subject, Facts>,
    habits: Habits,
    /// Connections told apart so far.
    flows: usize,
    unplaced: u64,
    /// When to look for those that are over.
    due: u64,
}

impl Correlator {
    /// Adds a finding. Its incident, where that has just begun, or grown to 2 connections, 10, 100, and so on. Mild findings
    /// open one only by their number.
    pub fn add(&mut self, finding: &Finding<'_>) -> Option<View> {
        self.habits.see(finding);
        let subject = Subject::of(finding);
        let mild = finding.severity < LEAST;
        if mild && !pattern::adds_up(subject, finding.kind) {
            return None;
        }
        if !self.has_room(&subject, mild) {
            self.unplaced += u64::from(!mild);
            return None;
        }
        let room = self.flows < MAX_FLOWS;
        let facts = self.open.entry(subject).or_default();
        if pattern::starts_anew(subject, facts, finding.time) {
            self.flows -= facts.told_apart();
            *facts = Facts::default();
        }
        let before = facts.worst;
        let grown = facts.add(finding, room);
        facts.worst = facts.worst.max(pattern::severity(subject, facts));
        self.flows += usize::from(grown);
        let state = match facts.flows() {
            _ if facts.worst < LEAST => return None,
            _ if facts.findings == 1 || before < LEAST => State::Open,
            flows if grown && (flows == 2 || flows >= 10 && flows == 10_u64.pow(flows.ilog10())) => State::Grown,
            _ => return None,
        };
        self.habits.explain(&subject, facts);
        Some(View::of(&subject, facts, state))
    }

    /// Adds a connection that ended. The incident of its service's idle timer, where that has just shown itself.
    pub fn record(&mut self, told: &Told<'_>) -> Option<View> {
        let fixed = self.habits.record(told)?;
        let [_, server] = told.ends();
        let subject = Subject::Service(server, Topic::Pattern(Pattern::FixedIdleClose));
        if !self.has_room(&subject, true) {
            return None;
        }
        let room = self.flows < MAX_FLOWS;
        let facts = self.open.entry(subject).or_default();
        let begun = facts.findings == 0;
        self.flows += usize::from(facts.add_record(told, fixed, room));
        self.habits.explain(&subject, facts);
        begun.then(|| View::of(&subject, facts, State::Open))
    }

    /// What is mild may not take the room of what is not.
    fn has_room(&self, subject: &Subject, mild: bool) -> bool {
        let room = if mild { MAX_INCIDENTS / 2 } else { MAX_INCIDENTS };
        self.open.len() < room || self.open.contains_key(subject)
    }

    /// The id of the open incident that a finding belongs to.
    pub fn incident(&self, finding: &Finding<'_>) -> Option<String> {
        let subject = Subject::of(finding);
        let facts = self.open.get(&subject).filter(|facts| facts.worst >= LEAST)?;
        Some(view::id(&subject, facts.first))
    }

    /// Ends the incidents that have been quiet for [`QUIET`] at `now`, nanoseconds since the epoch: the worst first. Looks no more
    /// than once a second; a clock that goes back begins a new one.
    pub fn close(&mut self, now: u64) -> Vec<Incident> {
        if now < self.due && self.due - now <= 1_000_000_000 {
            return Vec::new();
        }
        self.due = now + 1_000_000_000;
        let over = |facts: &mut Facts| facts.last.saturating_add(QUIET) <= now;
        self.take(|_, facts| over(facts))
    }

    /// Ends all of them: the worst first.
    pub fn finish(&mut self) -> Vec<Incident> {
        self.take(|_, _| true)
    }

    /// Findings that found no room.
    pub const fn unplaced(&self) -> u64 {
        self.unplaced
    }

    fn take(&mut self, which: impl FnMut(&Subject, &mut Facts) -> bool) -> Vec<Incident> {
        let mut over: Vec<_> =
            self.open.extract_if(.., which).map(|(subject, facts)| Incident { subject, facts }).collect();
        self.flows -= over.iter().map(|incident| incident.facts.told_apart()).sum::<usize>();
        over.retain(|incident| pattern::is_told(incident.subject, &incident.facts));
        over.iter_mut().for_each(|incident| self.habits.explain(&incident.subject, &mut incident.facts));
        over.sort_by_key(|i| std::cmp::Reverse((i.facts.worst, i.facts.flows(), i.facts.findings)));
        over
    }
}
