//! What is kept: that it reads back, that it stays within its bounds, and that neither a kill nor a full disk breaks it.

mod bad;
mod busy;
mod disk;
mod kill;
mod prune;
mod same;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use sensor::store::Row;
use sensor_common::{
    detect::Severity,
    event::{EVENT_VERSION, Event},
};
use tempfile::TempDir;
use zerocopy::FromZeros;

/// A day in nanoseconds.
const DAY: u64 = 86_400 * 1_000_000_000;
/// Some day long after the epoch.
const TODAY: u64 = 20_000 * DAY;

/// A database in a folder of its own, which goes with the first.
fn file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("s.db");
    (folder, file)
}

/// The `n`th finding.
fn finding(n: u64, time: u64, severity: Severity) -> Row {
    let mut event = Event::new_zeroed();
    (event.version, event.severity, event.time) = (EVENT_VERSION, severity as u8, time);
    let end = "192.0.2.1:80".parse().expect("an address");
    let event = Box::new(event);
    Row::Finding { time, interface: None, frame: Some(n), incident: None, ends: [end, end], event, beside: None }
}

/// The `n`th record.
fn record(n: u64, time: u64) -> Row {
    let end = "[2001:db8::1]:443".parse().expect("an address");
    Row::Record { time, ends: [end, end], told: format!("{{\"n\":{n},\"text\":\"{:0500}\"}}", 0) }
}

fn incident(id: &str, last: u64) -> Row {
    Row::Incident { id: id.to_owned(), first: last - 1, last, severity: Severity::Warn, view: "{}".to_owned() }
}

/// The answer to a question with one answer.
fn ask<T: rusqlite::types::FromSql>(file: &Path, question: &str) -> T {
    let connection = Connection::open(file).expect("it opens");
    connection.busy_timeout(std::time::Duration::from_secs(60)).expect("a number");
    connection.query_row(question, [], |row| row.get(0)).expect(question)
}
