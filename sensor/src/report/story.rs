//! Findings that the hosts' own state explains, or that are about no single segment's maker: what happened, in words of their own.

use std::time::Duration;

use sensor_common::kind::Kind;

use super::{
    Finding,
    evidence::{decisive, ms},
};
use crate::catalogue::{entry, plain};

mod bare_ack;
mod doubt;
mod ecn;
mod ending;
mod handshake;
mod leak;
mod performance;
mod requests;
mod rfc5961;
mod shape;
mod silence;

/// What a kind says for itself, where it is not about who made a segment.
pub(super) struct Story {
    /// For the line.
    pub(super) line: String,
    /// What happened, and what it means.
    pub(super) what: String,
    /// What it is not, beside what the data rule out for any finding.
    pub(super) not: Vec<String>,
    /// What to check next, most useful first.
    pub(super) next: Vec<String>,
}

impl Story {
    /// With what the catalogue says of the kind, and its next steps.
    fn of(kind: Kind, line: impl Into<String>) -> Self {
        let entry = entry(kind);
        let next = entry.next.iter().map(|step| plain(step)).collect();
        Self { line: line.into(), what: plain(entry.meaning), not: Vec::new(), next }
    }

    /// With words of its own instead.
    fn what(mut self, what: impl Into<String>) -> Self {
        self.what = what.into();
        self
    }

    fn not(mut self, negative: impl Into<String>) -> Self {
        self.not.push(negative.into());
        self
    }

    /// With steps of its own instead.
    fn next<const N: usize>(mut self, steps: [String; N]) -> Self {
        self.next = steps.into();
        self
    }
}

/// The story of a finding, if its kind has one.
pub(super) fn of(finding: &Finding<'_>) -> Option<Story> {
    let stories = [
        ending::story,
        bare_ack::story,
        doubt::story,
        ecn::story,
        handshake::story,
        leak::story,
        performance::story,
        requests::story,
        rfc5961::story,
        shape::story,
        silence::story,
    ];
    stories.iter().find_map(|story| story(finding))
}

/// A finding in a few words, and whether they accuse somebody.
pub(super) fn line(finding: &Finding<'_>) -> (String, bool) {
    of(finding).map_or_else(|| (decisive(finding), true), |story| (story.line, false))
}

/// Milliseconds for people.
fn after(millis: u32) -> String {
    ms(Duration::from_millis(millis.into()))
}

/// The silence that a finding is about, in seconds, as timeouts are told.
fn gap(finding: &Finding<'_>) -> String {
    match finding.event.detail[0] {
        millis @ ..120_000 => after(millis),
        millis => format!("{} s", millis / 1_000),
    }
}

/// How long the previous connection of the same ports has been over, where that is known.
fn since_close(millis: u32) -> String {
    if millis == 0 { String::new() } else { format!(" {} after its previous connection", after(millis)) }
}
