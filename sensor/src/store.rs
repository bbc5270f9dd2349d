//! What was found, kept: incidents, findings with their segments, records of connections and counters, in one SQLite file.
//!
//! A finding is kept as the event that it came as, and put into words when it is read: so what is kept says as much as what was
//! told, and gains with every better wording. [`Keeper`] writes on a thread of its own, [`Reader`] reads beside it.

mod error;
mod file;
mod keeper;
mod lock;
mod prune;
mod read;
mod row;
mod sink;
mod writer;

use serde::{Deserialize, Serialize};

pub use error::StoreError;
pub use keeper::{Keeper, Manner, Shared, Source};
pub use prune::Limits;
pub use read::{Ended, Found, Reader, Run, Segments, Which};
pub use row::Row;
pub use writer::{Origin, Writer};

/// Where an agent keeps it, if no other file is named.
pub const DEFAULT_FILE: &str = "/var/lib/sensor/sensor.db";

/// What became of what was to be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Incidents written; one that grows is written again.
    pub incidents: u64,
    /// Findings written.
    pub findings: u64,
    /// Records of connections written.
    pub records: u64,
    /// Counters written, one a minute.
    pub counters: u64,
    /// Transactions.
    pub batches: u64,
    /// Not written: the queue was full, or the file could not be written.
    pub lost: u64,
    /// Deleted, for their age or for room.
    pub deleted: u64,
    /// Bytes of the file that are in use.
    pub bytes: u64,
    /// Whether the file cannot be written at present.
    pub failing: bool,
}
