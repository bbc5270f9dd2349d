//! What is kept, piece by piece.

use std::net::SocketAddr;

use sensor_common::{
    counters::{Counter, Cpu},
    detect::Severity,
    event::Event,
    kind::Kind,
};
use serde_json::{Map, Value};

use crate::{
    correlate::View,
    report::{Beside, Finding, flow::Told},
};

/// Something to keep. Times are nanoseconds since the epoch.
#[derive(Clone, Debug)]
pub enum Row {
    /// An incident as it stands; takes the place of what was kept of it before.
    Incident {
        /// Its name.
        id: String,
        /// Its first finding.
        first: u64,
        /// Its latest.
        last: u64,
        /// The most severe.
        severity: Severity,
        /// All of it, as JSON.
        view: String,
    },
    /// A finding.
    Finding {
        /// When its segment was seen.
        time: u64,
        /// Where: the interface's name.
        interface: Option<String>,
        /// The frame's number in a capture.
        frame: Option<u64>,
        /// The name of its incident.
        incident: Option<String>,
        /// Who claims to have sent the segment, and to whom.
        ends: [SocketAddr; 2],
        /// The event that it came as.
        event: Box<Event>,
        /// What else was known, as JSON; none where that was nothing.
        beside: Option<String>,
    },
    /// The record of a connection that ended.
    Record {
        /// Its last segment.
        time: u64,
        /// Client and server.
        ends: [SocketAddr; 2],
        /// All of it, as JSON.
        told: String,
    },
    /// The engine's counters since it began.
    Counters {
        /// When they were read.
        time: u64,
        /// Those that are not zero, as a JSON object.
        counted: String,
    },
}

impl Row {
    /// A finding.
    pub fn finding(finding: &Finding<'_>) -> Self {
        Self::Finding {
            time: finding.time,
            interface: finding.place.interface.map(str::to_owned),
            frame: finding.place.frame,
            incident: finding.incident.clone(),
            ends: [finding.src(), finding.dst()],
            event: Box::new(*finding.event),
            // Nothing in there cannot be written as JSON.
            beside: Some(Beside::of(finding))
                .filter(|beside| !beside.is_empty())
                .and_then(|b| serde_json::to_string(&b).ok()),
        }
    }

    /// An incident.
    pub fn incident(view: &View) -> Self {
        let View { id, first, last, severity, .. } = view;
        // Nothing in there cannot be written as JSON.
        let json = serde_json::to_string(view).unwrap_or_default();
        Self::Incident { id: id.clone(), first: *first, last: *last, severity: *severity, view: json }
    }

    /// A record.
    pub fn record(told: &Told<'_>) -> Self {
        let mut json = Vec::new();
        // Into memory, which takes everything.
        let _ = told.json(&mut json);
        let text = String::from_utf8_lossy(&json).trim_end().to_owned();
        Self::Record { time: told.last(), ends: told.ends(), told: text }
    }

    /// Counters as they were at `time`.
    pub fn counters(cpu: &Cpu, time: u64) -> Self {
        let counters = Counter::ALL.iter().map(|counter| (counter.id(), cpu.get(*counter)));
        let counted: Map<String, Value> =
            counters.filter(|(_, n)| *n > 0).map(|(id, n)| (id.to_owned(), n.into())).collect();
        Self::Counters { time, counted: Value::Object(counted).to_string() }
    }
}

/// The public name of an event's kind.
pub(super) fn kind(event: &Event) -> &'static str {
    event.kind().map_or("unknown", Kind::id)
}
