//! Findings that accuse nobody: what happened, in words of their own.

use sensor_common::kind::Kind;

use super::Finding;

mod ending;

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
    fn new(line: impl Into<String>, what: impl Into<String>) -> Self {
        Self { line: line.into(), what: what.into(), not: Vec::new(), next: Vec::new() }
    }

    fn not(mut self, negative: impl Into<String>) -> Self {
        self.not.push(negative.into());
        self
    }

    fn next(mut self, step: impl Into<String>) -> Self {
        self.next.push(step.into());
        self
    }
}

/// The story of a finding, if its kind has one.
pub(super) fn of(finding: &Finding<'_>) -> Option<Story> {
    match finding.kind {
        Kind::IdleThenRst
        | Kind::KeepAliveRst
        | Kind::RstInsteadOfLastAck
        | Kind::ResponseLostAfterClose
        | Kind::RstCloseUnread
        | Kind::ResponseAfterFin
        | Kind::AcceptQueueDrop => Some(ending::story(finding)),
        _ => None,
    }
}

/// A duration of milliseconds as people say it.
fn duration(ms: u32) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{:.1} s", f64::from(ms) / 1000.0),
        _ => format!("{} min", ms / 60_000),
    }
}
