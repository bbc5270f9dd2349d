//! What is deleted: what is too old, and, for room, what is worth least.

use rusqlite::{Connection, params};

/// Rows deleted at a time: a step takes no longer than a batch.
const STEP: u64 = 4096;

/// Pages given back to the file system at a time.
const PAGES: u64 = 1024;

/// Nanoseconds.
const DAY: u64 = 86_400 * 1_000_000_000;

/// How much is kept; none is no limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Days.
    pub days: Option<u32>,
    /// Bytes of the file.
    pub bytes: Option<u64>,
    /// Bytes of the journal: more means that somebody has been reading for so long that nothing can be taken over from it.
    pub journal: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { days: None, bytes: None, journal: 256 << 20 }
    }
}

/// Rows that go together: table, column of their time, which.
type Class = (&'static str, &'static str, &'static str);

/// All rows, those that are worth least first: records of connections are most and say least; findings below warn; counters; the
/// other findings; incidents are few, and what is asked for.
const WORTH: [Class; 7] = [
    ("record", "time", "TRUE"),
    ("finding", "time", "severity = 0"),
    ("finding", "time", "severity = 1"),
    ("counters", "time", "TRUE"),
    ("finding", "time", "severity = 2"),
    ("finding", "time", "severity = 3"),
    ("incident", "last", "TRUE"),
];

/// Deletes a step of each. How many rows, and how many bytes are in use now.
pub(super) fn prune(connection: &Connection, run: i64, limits: &Limits, now: u64) -> rusqlite::Result<(u64, u64)> {
    let mut deleted = 0;
    if let Some(days) = limits.days {
        let before = now.saturating_sub(u64::from(days) * DAY) as i64;
        for class in WORTH {
            deleted += step(connection, class, before)?;
        }
        connection.prepare_cached("DELETE FROM run WHERE last < ?1 AND id <> ?2")?.execute(params![before, run])?;
    }
    let Some(most) = limits.bytes else { return Ok((deleted, Pages::of(connection)?.used())) };
    if Pages::of(connection)?.used() > most {
        for class in WORTH {
            let gone = step(connection, class, i64::MAX)?;
            deleted += gone;
            if gone > 0 {
                break;
            }
        }
    }
    let pages = Pages::of(connection)?;
    if pages.free > 0 && pages.all * pages.size > most {
        // One page a step.
        let mut vacuum = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut given = vacuum.query([])?;
        while given.next()?.is_some() {}
    }
    Ok((deleted, pages.used()))
}

/// Deletes the oldest rows of a class that are from before a time.
fn step(connection: &Connection, (table, time, which): Class, before: i64) -> rusqlite::Result<u64> {
    let oldest = format!("SELECT id FROM {table} WHERE {which} AND {time} < ?2 ORDER BY {time} LIMIT ?1");
    let delete = format!("DELETE FROM {table} WHERE id IN ({oldest})");
    Ok(connection.prepare_cached(&delete)?.execute(params![STEP as i64, before])? as u64)
}

/// What the file is made of.
struct Pages {
    all: u64,
    free: u64,
    /// Bytes of each.
    size: u64,
}

impl Pages {
    fn of(connection: &Connection) -> rusqlite::Result<Self> {
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(|n| n as u64);
        Ok(Self { all: number("page_count")?, free: number("freelist_count")?, size: number("page_size")? })
    }

    /// Bytes in use.
    fn used(&self) -> u64 {
        self.all.saturating_sub(self.free) * self.size
    }
}
