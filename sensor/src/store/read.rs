//! Reads what was kept, also while it is written.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Row as Columns, params};

use sensor_common::{detect::Severity, event::Event};

use super::{StoreError, file};
use crate::report::Beside;

/// A database that is read. Nobody is kept from writing for longer than a question takes.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    file: PathBuf,
    layout: i64,
}

/// Which incidents are asked for. Times are nanoseconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Which {
    /// Those that were not over before.
    pub since: u64,
    /// Those that had begun by then.
    pub until: u64,
    /// Nothing milder.
    pub severity: Severity,
}

impl Default for Which {
    fn default() -> Self {
        Self { since: 0, until: i64::MAX as u64, severity: Severity::Info }
    }
}

/// An incident as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub id: String,
    /// The run that told it.
    pub run: i64,
    /// First finding.
    pub first: u64,
    /// Latest finding.
    pub last: u64,
    /// All of it, as JSON, as it stood when it was told last.
    pub view: String,
}

/// A finding as it was kept.
#[derive(Clone, Debug)]
pub struct Segments {
    /// When its segment was seen.
    pub time: u64,
    /// The name of its kind.
    pub kind: String,
    /// As a number.
    pub severity: u8,
    /// Claimed sender and receiver.
    pub ends: [String; 2],
    /// Where it was seen.
    pub interface: Option<String>,
    /// The frame's number in a capture.
    pub frame: Option<u64>,
    /// The event; none if another version wrote it.
    pub event: Option<Box<Event>>,
    /// What else was known.
    pub beside: Beside,
}

/// A sensor that watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// What it watched.
    pub source: String,
    /// When it began.
    pub started: u64,
    /// When it wrote last.
    pub last: u64,
    /// How it ended.
    pub ended: Ended,
    /// Rows that were lost.
    pub lost: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It goes on, or was broken off just now.
    Not,
    /// Broken off: nobody ended it.
    BrokenOff,
    /// In order.
    Well,
}

impl Reader {
    /// Opens a database.
    ///
    /// # Errors
    ///
    /// Why it cannot be read.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        let (connection, layout) = file::readable(file)?;
        Ok(Self { connection, file: file.to_owned(), layout })
    }

    /// The latest incidents that are `wanted`, at most `limit`, the latest one last.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub fn incidents(
        &self,
        which: &Which,
        limit: usize,
        wanted: impl Fn(&Found) -> bool,
    ) -> Result<Vec<Found>, StoreError> {
        let select = "SELECT id, run, first, last, view FROM incident WHERE last >= ?1 AND first <= ?2 AND severity >= ?3 \
                      ORDER BY last DESC, id";
        let read = || {
            let mut statement = self.connection.prepare(select)?;
            let whole = params![time(which.since), time(which.until), which.severity as u8];
            let mut rows = statement.query(whole)?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let one = incident(row)?;
                if found.len() >= limit {
                    break;
                }
                if wanted(&one) {
                    found.push(one);
                }
            }
            found.reverse();
            Ok(found)
        };
        read().map_err(|error| self.failed(&error))
    }

    /// The incidents whose names begin like this, at most `limit`.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub fn named(&self, prefix: &str, limit: usize) -> Result<Vec<Found>, StoreError> {
        let select =
            "SELECT id, run, first, last, view FROM incident WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT ?2";
        self.all(select, params![prefix, limit as i64], incident)
    }

    /// The names of the latest incidents.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub fn names(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        self.all("SELECT id FROM incident ORDER BY last DESC LIMIT ?1", params![limit as i64], |row| row.get(0))
    }

    /// The findings of an incident, oldest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub fn findings(&self, of: &Found, limit: usize) -> Result<Vec<Segments>, StoreError> {
        let beside = if self.layout < file::WITH_BESIDE { "NULL" } else { "beside" };
        let select = format!(
            "SELECT time, kind, severity, src, dst, interface, frame, event, {beside} FROM finding \
             WHERE incident = ?1 AND run = ?2 ORDER BY time, id LIMIT ?3"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(&select, params![of.id, of.run, limit], |row| {
            let event: Vec<u8> = row.get(7)?;
            let beside: Option<String> = row.get(8)?;
            Ok(Segments {
                time: row.get::<_, i64>(0)? as u64,
                kind: row.get(1)?,
                severity: row.get(2)?,
                ends: [row.get(3)?, row.get(4)?],
                interface: row.get(5)?,
                frame: row.get::<_, Option<i64>>(6)?.map(|frame| frame as u64),
                event: Event::decode(&event).map(Box::new),
                // What a newer sensor wrote in another way is not known.
                beside: beside.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default(),
            })
        })
    }

    /// The records, as JSON, of the connections that ended while an incident lasted: of this client, to this server, those that were
    /// answered first, at most `limit`.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub fn records(
        &self,
        of: &Found,
        client: Option<IpAddr>,
        server: Option<SocketAddr>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        let select = "SELECT told FROM record WHERE run = ?1 AND time BETWEEN ?2 AND ?3 \
                      AND (?4 IS NULL OR told ->> 'client_addr' = ?4) AND (?5 IS NULL OR server = ?5) \
                      ORDER BY told ->> 'conn_state' IN ('S0', 'REJ'), time, id LIMIT ?6";
        let [client, server] = [client.map(|client| client.to_string()), server.map(|server| server.to_string())];
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(select, params![of.run, time(of.first), time(of.last), client, server, limit], |row| row.get(0))
    }

    /// The runs that watched interfaces at some time between, oldest first.
    ///
    /// # Errors
    ///
    /// Why they cannot be read.
    pub fn runs(&self, since: u64, until: u64) -> Result<Vec<Run>, StoreError> {
        let select = "SELECT id, source, started, last, ended, lost FROM run WHERE live AND last >= ?1 AND started <= ?2 ORDER BY id";
        self.all(select, params![time(since), time(until)], |row| {
            Ok(Run {
                id: row.get(0)?,
                source: row.get(1)?,
                started: row.get::<_, i64>(2)? as u64,
                last: row.get::<_, i64>(3)? as u64,
                ended: match row.get::<_, Option<i64>>(4)? {
                    None => Ended::Not,
                    Some(-1) => Ended::BrokenOff,
                    Some(_) => Ended::Well,
                },
                lost: row.get::<_, i64>(5)? as u64,
            })
        })
    }

    fn all<T>(
        &self,
        select: &str,
        params: impl rusqlite::Params,
        each: impl FnMut(&Columns<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read = || self.connection.prepare(select)?.query_map(params, each)?.collect::<rusqlite::Result<_>>();
        read().map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::of(&self.file, error)
    }
}

fn incident(row: &Columns<'_>) -> rusqlite::Result<Found> {
    Ok(Found {
        id: row.get(0)?,
        run: row.get(1)?,
        first: row.get::<_, i64>(2)? as u64,
        last: row.get::<_, i64>(3)? as u64,
        view: row.get(4)?,
    })
}

/// As a column holds it.
fn time(nanos: u64) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}
