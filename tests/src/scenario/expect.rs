//! What a scenario must lead to.

use std::fmt;

use sensor_common::{
    detect::{Confidence, Severity},
    event::Event,
};

/// A finding that is expected: what is not said of it may be anything.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    kind: &'static str,
    severity: Option<Severity>,
    confidence: Option<Confidence>,
    evidence: Option<Vec<&'static str>>,
    class: Option<&'static str>,
    detail: Option<[u32; 2]>,
}

/// A finding of this kind.
pub fn finding(kind: &'static str) -> Expected {
    Expected { kind, ..Expected::default() }
}

/// Evidence that IPv6 cannot give.
const V4_ONLY: [&str; 2] = ["ipid-jump", "ipid-dup"];

impl Expected {
    /// The id of its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether it is a finding that somebody is to look at.
    pub fn is_loud(&self) -> bool {
        self.severity != Some(Severity::Info)
    }

    /// Of exactly this severity.
    pub fn severity(self, severity: Severity) -> Self {
        Self { severity: Some(severity), ..self }
    }

    /// A fact and no more.
    pub fn info(self) -> Self {
        self.severity(Severity::Info)
    }

    /// Unusual.
    pub fn notice(self) -> Self {
        self.severity(Severity::Notice)
    }

    /// Worth a look.
    pub fn warn(self) -> Self {
        self.severity(Severity::Warn)
    }

    /// Somebody interferes.
    pub fn alert(self) -> Self {
        self.severity(Severity::Alert)
    }

    /// Of exactly this confidence.
    pub fn confidence(self, confidence: Confidence) -> Self {
        Self { confidence: Some(confidence), ..self }
    }

    /// With exactly this evidence; of it, IPv6 is excused from IP-IDs.
    pub fn evidence(self, ids: &[&'static str]) -> Self {
        Self { evidence: Some(ids.to_vec()), ..self }
    }

    /// About a reset of this anatomy, by the id of the kind that it has when it is innocent.
    pub fn class(self, id: &'static str) -> Self {
        Self { class: Some(id), ..self }
    }

    /// With these numbers beside; the first, a time, may be one off.
    pub fn detail(self, detail: [u32; 2]) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Whether `event` is what is expected.
    pub(super) fn matches(&self, event: &Event, v6: bool) -> bool {
        let evidence = self.evidence.as_ref().is_none_or(|ids| {
            let mut ids: Vec<_> = ids.iter().copied().filter(|id| !v6 || !V4_ONLY.contains(id)).collect();
            let mut found: Vec<_> = event.evidence.pieces().map(|(id, _)| id).collect();
            ids.sort_unstable();
            found.sort_unstable();
            ids == found
        });
        event.kind().is_some_and(|kind| kind.id() == self.kind)
            && self.severity.is_none_or(|severity| severity == event.severity())
            && self.confidence.is_none_or(|confidence| confidence == event.confidence())
            && self.class.is_none_or(|id| event.rst_class().is_some_and(|class| class.kind().id() == id))
            && self.detail.is_none_or(|detail| event.detail[0].abs_diff(detail[0]) <= 1 && event.detail[1] == detail[1])
            && evidence
    }
}

/// A finding in a line.
pub(super) struct Line<'a>(pub(super) &'a Event);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let evidence: Vec<_> = event.evidence.pieces().map(|(id, _)| id).collect();
        write!(
            f,
            "{} {} {} [{}] class {} delay {} min_rtt {} detail {:?}",
            event.kind().map_or("?", |kind| kind.id()),
            event.severity().name(),
            event.confidence().name(),
            evidence.join(" "),
            event.rst_class().map_or("-", |class| class.kind().id()),
            event.delay,
            event.min_rtt,
            event.detail
        )
    }
}
