//! The account: sums that must hold.

use sensor_common::counters::{Counter, Cpu};
use serde::{Deserialize, Serialize};

use super::snapshot::Events;

/// A sum that must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// What is whole.
    pub name: String,
    /// How much of it there is.
    pub whole: u64,
    /// Its parts.
    pub parts: Vec<(String, u64)>,
    /// Whole minus parts: what is on its way, and in the end nothing.
    pub difference: i64,
}

/// The account of losses, from the finding to the report.
pub(super) fn identities(cpu: &Cpu, events: &Events) -> Vec<Identity> {
    let submitted = cpu.get(Counter::Submitted);
    let full = cpu.get(Counter::RingFullHigh) + cpu.get(Counter::RingFullLow);
    let held = cpu.get(Counter::HeldBackFlow) + cpu.get(Counter::HeldBackRate);
    let parts = [("submitted", submitted), ("ring full", full), ("held back", held)];
    // Where nothing was taken over, nobody is told of that.
    let first = usize::from(events.before + events.parted_before == 0);
    let received = [("queued", events.queued), ("dropped", events.dropped), ("undecodable", events.undecodable)];
    [
        ("matched", cpu.matched_total(), &parts[..]),
        ("submitted", submitted, &[("taken before", events.before), ("received", events.received)][first..]),
        ("received", events.received, &received),
        (
            "records handed on",
            cpu.get(Counter::RecordsHandedOn),
            &[("taken before", events.parted_before), ("received", events.parted)][first..],
        ),
    ]
    .map(|(name, whole, parts)| Identity {
        name: name.into(),
        whole,
        parts: parts.iter().map(|(name, part)| ((*name).into(), *part)).collect(),
        difference: whole.wrapping_sub(parts.iter().map(|(_, part)| part).sum()) as i64,
    })
    .into()
}
