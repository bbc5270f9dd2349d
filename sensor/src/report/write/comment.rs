//! A finding in one line, as the comment of its packet.

use sensor_common::detect::Evidence;

use crate::report::{Finding, story};

/// Kind, severity, confidence, the compact line's words, then ids of what speaks for and against it, and where to find it.
pub(super) fn of(finding: &Finding<'_>) -> String {
    let Finding { event, kind, severity, confidence, .. } = finding;
    let mut text = format!("{} {}, confidence {}", kind.id(), severity.name(), confidence.name());
    text += &format!(": {}", story::line(finding).0);
    let ids = |bits: Evidence| bits.pieces().map(|(id, _)| id).collect::<Vec<_>>().join(" ");
    let lists = [
        ("evidence", ids(Evidence(event.evidence.0 & !Evidence::AGAINST.0))),
        ("against", ids(event.evidence.only(Evidence::AGAINST))),
    ];
    for (title, ids) in lists.iter().filter(|(_, ids)| !ids.is_empty()) {
        text += &format!("; {title} {ids}");
    }
    text += &format!("; flow {:016x}", finding.flow_id());
    if let Some(frame) = finding.place.frame {
        text += &format!("; frame {frame} of the capture");
    }
    text
}
