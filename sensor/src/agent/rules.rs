//! What of the findings is told; changes when the configuration is read again.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use sensor_common::{detect::Severity, event::Event};

use crate::{
    cli::Attach,
    config::{AllowList, Today},
    correlate::aggregate::{Change, Incident},
    report::{Place, Reporter},
};

/// Reasons that are counted by themselves; a configuration is read again with others for ever.
const REASONS: usize = 1000;

/// The rules, shared between who reads the configuration and who reports.
#[derive(Clone, Debug)]
pub(super) struct Rules(Arc<Mutex<Held>>);

#[derive(Debug)]
struct Held {
    min_severity: Severity,
    allow: AllowList,
    /// Findings that were not told, by reason.
    allowed: BTreeMap<String, u64>,
}

impl Rules {
    /// Those that allow nothing.
    pub(super) fn telling(min_severity: Severity) -> Self {
        let held = Held { min_severity, allow: AllowList::default(), allowed: BTreeMap::new() };
        Self(Arc::new(Mutex::new(held)))
    }

    /// Takes the rules of these settings from now on, all at once; what was counted stays.
    pub(super) fn take(&self, options: &Attach) {
        let mut held = self.held();
        held.min_severity = options.report.style().min_severity;
        held.allow = options.loaded.allow.clone();
    }

    /// Tells an event, or only counts it.
    pub(super) fn tell<W: Write>(&self, reporter: &mut Reporter<W>, event: &Event, place: Place<'_>) -> io::Result<()> {
        // Let go before anything is written: a stuck reader must not stop who reads the configuration.
        let min_severity = {
            let mut held = self.held();
            if !held.allow.0.is_empty()
                && let Some(allow) = held.allow.covering(event, place.interface, &Today::now())
            {
                let reason = allow.reason.clone();
                held.count(reason);
                reporter.count(event);
                return Ok(());
            }
            held.min_severity
        };
        reporter.set_min_severity(min_severity);
        reporter.event(event, place)
    }

    /// Whether an aggregate is not to be told; it is counted when it begins.
    pub(super) fn allows(&self, incident: &Incident) -> bool {
        let mut held = self.held();
        let reason = held.allow.covering_aggregate(&incident.sign, &Today::now()).map(|allow| allow.reason.clone());
        let allowed = reason.is_some();
        if incident.change == Change::Opened {
            reason.into_iter().for_each(|reason| held.count(reason));
        }
        allowed
    }

    /// What was not told, by reason.
    pub(super) fn allowed(&self) -> BTreeMap<String, u64> {
        self.held().allowed.clone()
    }

    /// What was not told, for the summary.
    pub(super) fn account(&self) -> Option<String> {
        let held = self.held();
        let total: u64 = held.allowed.values().sum();
        // Whoever wrote the file may not write to the terminal.
        let reasons: Vec<_> = held.allowed.iter().map(|(reason, n)| format!("{n} for {reason:?}")).collect();
        let noun = if total == 1 { "finding" } else { "findings" };
        (total > 0).then(|| format!("allowed and not told: {total} {noun}, {}", reasons.join(", ")))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn count(&mut self, reason: String) {
        let full = self.allowed.len() >= REASONS && !self.allowed.contains_key(&reason);
        *self.allowed.entry(if full { "other reasons".into() } else { reason }).or_default() += 1;
    }
}

/// The allow-list in a word, and each entry that is over.
pub(super) fn announced(options: &Attach) -> Vec<String> {
    let today = Today::now();
    let (holding, over): (Vec<_>, Vec<_>) = options.loaded.allow.0.iter().partition(|allow| allow.holds(&today));
    let mut lines: Vec<_> =
        over.iter().map(|allow| format!("{}: has expired and no longer holds: {allow}", allow.place)).collect();
    if !holding.is_empty() {
        let noun = if holding.len() == 1 { "entry" } else { "entries" };
        lines.push(format!("allow-list: what {} {noun} cover is counted and not told", holding.len()));
    }
    lines
}
