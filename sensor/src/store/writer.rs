//! Writes rows, a transaction at a time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use zerocopy::IntoBytes as _;

use super::{Kept, Limits, Row, StoreError, file, lock::Lock, row::kind};

/// More than this in the journal means that somebody has been reading for so long that nothing can be taken over from it.
const JOURNAL: u64 = 256 << 20;

/// A database that is written to, by this process alone.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    file: PathBuf,
    /// The row of this run.
    run: i64,
    /// What was there before.
    before: Option<u64>,
    _lock: Lock,
}

impl Writer {
    /// Opens a database, or makes it, and begins a run: `source` is what is watched, or the capture's name, `now` nanoseconds since
    /// the epoch.
    ///
    /// # Errors
    ///
    /// Why it cannot be used. A file that is not of this program, or too new, is left as it is.
    pub fn open(file: &Path, source: &str, now: u64) -> Result<Self, StoreError> {
        let lock = Lock::take(file)?;
        let connection = file::writable(file)?;
        let begin = || {
            let broken = "SELECT last FROM run WHERE ended IS NULL ORDER BY id DESC LIMIT 1";
            let broken: Option<i64> = optional(connection.query_row(broken, [], |row| row.get(0)))?;
            // Told once.
            connection.execute("UPDATE run SET ended = -1 WHERE ended IS NULL", [])?;
            connection.execute(
                "INSERT INTO run (source, version, started, last) VALUES (?1, ?2, ?3, ?3)",
                params![source, env!("CARGO_PKG_VERSION"), now as i64],
            )?;
            Ok((broken, connection.last_insert_rowid()))
        };
        let (broken, run) = begin().map_err(|error: rusqlite::Error| StoreError::of(file, &error))?;
        let before = broken.map(|last| last as u64);
        Ok(Self { connection, file: file.to_owned(), run, before, _lock: lock })
    }

    /// When the run before wrote for the last time, if nobody ended it: nanoseconds since the epoch.
    pub const fn broken_off(&self) -> Option<u64> {
        self.before
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Writes rows, all or none; `lost` is what this run has lost so far. What there is now in `kept` is counted there.
    ///
    /// # Errors
    ///
    /// Why none was written.
    pub fn write(&mut self, rows: &[Row], lost: u64, now: u64, kept: &mut Kept) -> Result<(), StoreError> {
        if fs::metadata(file::wal(&self.file)).is_ok_and(|wal| wal.len() > JOURNAL) {
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

    fn try_write(&mut self, rows: &[Row], lost: u64, now: u64) -> rusqlite::Result<()> {
        let batch = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        rows.iter().try_for_each(|row| insert(&batch, self.run, row))?;
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
    pub fn prune(&mut self, limits: &Limits, now: u64, kept: &mut Kept) -> Result<bool, StoreError> {
        let pruned = super::prune::prune(&mut self.connection, self.run, limits, now);
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

fn insert(batch: &Transaction<'_>, run: i64, row: &Row) -> rusqlite::Result<()> {
    match row {
        Row::Incident { id, first, last, severity, view } => batch
            .prepare_cached("INSERT OR REPLACE INTO incident VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![id, run, *first as i64, *last as i64, *severity as u8, view]),
        Row::Finding { time, interface, frame, seen, ends: [src, dst], event } => batch
            .prepare_cached("INSERT INTO finding VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(params![
                run,
                *time as i64,
                event.severity,
                kind(event),
                src.to_string(),
                dst.to_string(),
                interface,
                frame.map(|frame| frame as i64),
                seen,
                event.as_bytes()
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

/// None where there is no such row.
pub(super) fn optional<T>(found: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match found {
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        found => found.map(Some),
    }
}
