//! State that is gone: after a silence, or without one.

use std::time::Duration;

use sensor_common::kind::Kind;

use super::{Cause, Weighed, for_it, ruled_out};
use crate::{
    correlate::{Facts, Subject, Topic},
    report::ms,
};

/// No device forgets a connection that was active this recently.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Findings that begin with a silence.
pub(in crate::correlate) const SILENCES: [Kind; 5] =
    [Kind::IdleThenRst, Kind::IdleThenSilence, Kind::IdleOneSideRst, Kind::HalfCloseTimeout, Kind::KeepAliveRst];

pub(super) fn idle(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    let after: u64 = SILENCES.iter().map(|kind| facts.of(*kind)).sum();
    if let Some([least, most]) = facts.gaps.filter(|_| after > 0) {
        let mut reasons = vec![facts.so_many(after, &format!("came after a silence {}", range(least, most)))];
        let fits = facts
            .timeouts
            .iter()
            .filter(|(_, (_, n))| n * 2 > after)
            .map(|(seconds, (who, n))| format!("{n} of {after} fit {seconds} s, the default of {who}"));
        let fits: Vec<_> = fits.collect();
        if fits.is_empty() {
            reasons
                .push(format!("no default timer is known for that: whoever forgets does so within {}", seconds(least)));
        }
        reasons.extend(fits);
        return for_it(Cause::IdleTimeout, 5, reasons);
    }
    if matches!(subject, Subject::Service(_, Topic::Kind(_))) {
        return None;
    }
    let [_, longest] = facts.idle.filter(|[_, longest]| *longest < SHORTEST_TIMEOUT)?;
    ruled_out(Cause::IdleTimeout, format!("all connections had been active within {} before", ms(longest)))
}

/// A device that answers a live connection's own segment, and tells nobody else, behaves as one that has lost its entry.
pub(super) fn state_loss(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    if !matches!(subject, Subject::Device(_)) || facts.answers == 0 {
        return None;
    }
    let alone = facts.answers.saturating_sub(facts.told_both);
    let answered = "answered a segment of a live connection, and as far as can be seen only its sender was told, so that the other side \
        may hang: so does a box whose entry is gone, by its limits, a restart, a reused slot";
    for_it(Cause::StateLoss, u64::from(alone > 0), vec![facts.so_many(alone, answered)])
}

/// As timers are told: in seconds.
fn seconds(gap: Duration) -> String {
    match gap.as_secs() {
        0..10 => ms(gap),
        whole => format!("{whole} s"),
    }
}

fn range(least: Duration, most: Duration) -> String {
    if seconds(least) == seconds(most) {
        format!("of {}", seconds(least))
    } else {
        format!("of {} to {}", seconds(least), seconds(most))
    }
}
