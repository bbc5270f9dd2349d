//! Writes rows, a transaction at a time.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use zerocopy::IntoBytes as _;

use super::{Kept, Limits, Row, StoreError, file, lock::Lock, row::kind};

/// Where what is written comes from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Interfaces, watched.
    Live(String),
    /// A capture, read.
    Capture(String),
}

impl Origin {
    /// Whether something is watched, and what it is.
    fn parts(&self) -> (bool, &str) {
        match self {
            Self::Live(source) => (true, source),
            Self::Capture(source) => (false, source),
        }
    }
}

/// A database that is written to, by this process alone.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    file: PathBuf,
    /// Which file that was when it was opened.
    identity: Option<(u64, u64)>,
    origin: Origin,
    /// How much is kept.
    pub limits: Limits,
    /// The row of this run.
    run: i64,
    /// What was there before.
    before: Option<u64>,
    _lock: Lock,
}

impl Writer {
    /// Opens a database, or makes it, and begins a run; `now` is in nanoseconds since the epoch.
    ///
    /// # Errors
    ///
    /// Why it cannot be used. A file that is not of this program, or too new, is left as it is.
    pub fn open(file: &Path, origin: Origin, now: u64) -> Result<Self, StoreError> {
        let lock = Lock::take(file)?;
        let connection = file::writable(file)?;
        let (run, before) = begin(&connection, &origin, now).map_err(|error| StoreError::of(file, &error))?;
        let identity = identity(file);
        let (file, limits) = (file.to_owned(), Limits::default());
        Ok(Self { connection, file, identity, origin, limits, run, before, _lock: lock })
    }

    /// Begins a new file where the old one is no longer in its place: somebody moved it away, or deleted it.
    fn follow(&mut self, now: u64) -> Result<(), StoreError> {
        if identity(&self.file) == self.identity {
            return Ok(());
        }
        // What is in the journal goes into the old file, and then the old one ends: the name of its journal will be the new one's.
        let _ = self.emptied();
        self.connection = Connection::open_in_memory().map_err(|error| self.failed(&error))?;
        self.connection = file::writable(&self.file)?;
        (self.run, _) = begin(&self.connection, &self.origin, now).map_err(|error| self.failed(&error))?;
        self.identity = identity(&self.file);
        Ok(())
    }

    /// When the run before wrote for the last time, if nobody ended it: nanoseconds since the epoch.
    pub const fn broken_off(&self) -> Option<u64> {
        self.before
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Says anew where what is written comes from.
    ///
    /// # Errors
    ///
    /// Why that could not be written.
    pub fn set_origin(&mut self, origin: Origin) -> Result<(), StoreError> {
        self.origin = origin;
        let update = "UPDATE run SET live = ?2, source = ?3 WHERE id = ?1";
        let (live, source) = self.origin.parts();
        let updated = self.connection.execute(update, params![self.run, live, source]);
        updated.map(drop).map_err(|error| self.failed(&error))
    }

    /// Its folder, in which there are further files while it is written.
    pub fn folder(&self) -> PathBuf {
        let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
        folder.unwrap_or(Path::new(".")).to_owned()
    }

    /// Writes rows, all or none; `lost` is what this run has lost so far. What there is now in `kept` is counted there.
    ///
    /// # Errors
    ///
    /// Why none was written.
    pub fn write(&mut self, rows: &[Row], lost: u64, now: u64, kept: &mut Kept) -> Result<(), StoreError> {
        self.follow(now)?;
        if file::journal(&self.file) > self.limits.journal && !self.emptied() {
            let by = "another program, which has been reading it for too long";
            return Err(StoreError::Locked { file: self.file.display().to_string(), by });
        }
        self.try_write(rows, lost, now).map_err(|error| self.failed(&error))?;
        for row in rows {
            *match row {
                Row::Incident { .. } => &mut kept.incidents,
                Row::Finding { .. } => &mut kept.findings,
                Row::Record { .. } => &mut kept.records,
                Row::Counters { .. } => &mut kept.counters,
            } += 1;
        }
        kept.batches += 1;
        Ok(())
    }

    /// Whether the journal could be emptied.
    fn emptied(&self) -> bool {
        let busy = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        busy.is_ok_and(|busy| !busy)
    }

    fn try_write(&mut self, rows: &[Row], lost: u64, now: u64) -> rusqlite::Result<()> {
        let batch = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows.iter().try_for_each(|row| insert(&batch, self.run, row))?;
        // An incident is told now and then; whoever asks for the last hours is to find those that go on.
        let mut goes_on = batch.prepare_cached("UPDATE incident SET last = ?2 WHERE id = ?1 AND last < ?2")?;
        for (id, last) in latest(rows) {
            goes_on.execute(params![id, last as i64])?;
        }
        drop(goes_on);
        let mut run = batch.prepare_cached("UPDATE run SET last = max(last, ?2), lost = ?3 WHERE id = ?1")?;
        run.execute(params![self.run, now as i64, lost as i64])?;
        drop(run);
        batch.commit()
    }

    /// Deletes what is too old, or too much, a step at a time; counts it in `kept`. Whether there may be more.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn prune(&mut self, now: u64, kept: &mut Kept) -> Result<bool, StoreError> {
        let pruned = super::prune::prune(&self.connection, self.run, &self.limits, now);
        let (deleted, bytes) = pruned.map_err(|error| self.failed(&error))?;
        kept.deleted += deleted;
        kept.bytes = bytes;
        Ok(deleted > 0)
    }

    /// Ends the run, so that nobody takes it for one that was broken off.
    ///
    /// # Errors
    ///
    /// Why that could not be written.
    pub fn end(self, lost: u64, now: u64) -> Result<(), StoreError> {
        let Self { connection, file, run, .. } = self;
        let end = "UPDATE run SET last = max(last, ?2), ended = ?2, lost = ?3 WHERE id = ?1";
        let ended = connection.execute(end, params![run, now as i64, lost as i64]);
        ended.map(drop).map_err(|error| StoreError::of(&file, &error))
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::of(&self.file, error)
    }
}

/// Begins a run. Its number, and when the one before wrote last, if nobody ended it.
fn begin(connection: &Connection, origin: &Origin, now: u64) -> rusqlite::Result<(i64, Option<u64>)> {
    let broken = "SELECT last FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1";
    let broken: Option<i64> = optional(connection.query_row(broken, [], |row| row.get(0)))?;
    // Told once.
    connection.execute("UPDATE run SET ended = -1 WHERE ended IS NULL", [])?;
    let (live, source) = origin.parts();
    connection.execute(
        "INSERT INTO run (live, source, version, started, last) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![live, source, env!("CARGO_PKG_VERSION"), now as i64],
    )?;
    Ok((connection.last_insert_rowid(), broken.map(|last| last as u64)))
}

/// Device and inode.
fn identity(file: &Path) -> Option<(u64, u64)> {
    fs::metadata(file).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

fn insert(batch: &Transaction<'_>, run: i64, row: &Row) -> rusqlite::Result<()> {
    match row {
        Row::Incident { id, first, last, severity, view } => batch
            .prepare_cached("INSERT OR REPLACE INTO incident VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![id, run, *first as i64, *last as i64, *severity as u8, view]),
        Row::Finding { time, interface, frame, incident, ends: [src, dst], event, beside } => batch
            .prepare_cached("INSERT INTO finding VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)")?
            .execute(params![
                run,
                *time as i64,
                event.severity,
                kind(event),
                src.to_string(),
                dst.to_string(),
                interface,
                frame.map(|frame| frame as i64),
                incident,
                event.as_bytes(),
                beside
            ]),
        Row::Record { time, ends: [client, server], told } => batch
            .prepare_cached("INSERT INTO record VALUES (NULL, ?1, ?2, ?3, ?4, ?5)")?
            .execute(params![run, *time as i64, client.to_string(), server.to_string(), told]),
        Row::Counters { time, counted } => batch
            .prepare_cached("INSERT INTO counters VALUES (NULL, ?1, ?2, ?3)")?
            .execute(params![run, *time as i64, counted]),
    }
    .map(drop)
}

/// The latest finding of each incident.
fn latest(rows: &[Row]) -> BTreeMap<&str, u64> {
    let mut latest = BTreeMap::new();
    for row in rows {
        if let Row::Finding { time, incident: Some(incident), .. } = row {
            let last = latest.entry(incident.as_str()).or_insert(*time);
            *last = (*last).max(*time);
        }
    }
    latest
}

/// None where there is no such row.
pub(super) fn optional<T>(found: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        found => found.map(Some),
    }
}
