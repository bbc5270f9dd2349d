//! What the report said, to those who read it and to a sink beside it.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use sensor::{
    correlate::View,
    report::{Finding, Sink, flow::Told},
};
use sensor_common::detect::Severity;

/// An incident as it was told, and when.
#[derive(Clone, Debug)]
pub(crate) struct Incident {
    pub(crate) at: u64,
    pub(crate) view: View,
}

impl Incident {
    /// Which kind it is.
    pub(crate) fn kind(&self) -> &str {
        self.view.kinds.first().map_or("", |count| &count.kind)
    }
}

/// What the report said: lines for findings, and incidents.
#[derive(Default)]
struct Heard {
    lines: Vec<u8>,
    incidents: Vec<Incident>,
    now: u64,
}

/// Listens to both.
#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Mutex<Heard>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Ear {
    fn finding(&mut self, _: &Finding<'_>) {}

    fn record(&mut self, _: &Told<'_>) {}

    fn incident(&mut self, view: &View) {
        let mut heard = self.0.lock().unwrap();
        let at = heard.now;
        heard.incidents.push(Incident { at, view: view.clone() });
    }

    fn account(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Ear {
    /// What it hears from here on is told at `now`.
    pub(crate) fn at(&self, now: u64) {
        self.0.lock().unwrap().now = now;
    }

    /// Incidents that were told so far.
    pub(crate) fn incidents(&self) -> Vec<Incident> {
        self.0.lock().unwrap().incidents.clone()
    }

    /// Findings that were told so far and are at least so severe: JSON.
    pub(crate) fn findings(&self, least: Severity) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().lines.clone()).unwrap();
        let severe = &["info", "notice", "warn", "alert"][least as usize..];
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        // Incidents have a type.
        let is_severe = |line: &serde_json::Value| {
            line["type"].is_null() && line["severity"].as_str().is_some_and(|severity| severe.contains(&severity))
        };
        lines.filter(is_severe).collect()
    }
}
