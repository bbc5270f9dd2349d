//! The file: how it is opened, and what is in it.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::{DEFAULT_FILE, StoreError};

/// Whose file it is: "sens".
const APPLICATION: i64 = 0x73_65_6e_73;

/// The layout below.
const LAYOUT: i64 = 2;

/// What makes the second layout of the first.
const SECOND: &str = "ALTER TABLE finding ADD COLUMN beside TEXT";

/// The first layout in which a finding has what was known beside its event.
pub(super) const WITH_BESIDE: i64 = 2;

/// Addresses are nobody's business but the operator's.
pub(super) const MODE: u32 = 0o640;

/// How long another connection is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Times are nanoseconds since the epoch. What is filtered by has a column, the rest is in `view`, `event`, `beside` and `told`.
const TABLES: &str = "
    CREATE TABLE run (
        id INTEGER PRIMARY KEY, live INTEGER NOT NULL, source TEXT NOT NULL, version TEXT NOT NULL,
        started INTEGER NOT NULL, last INTEGER NOT NULL, ended INTEGER, lost INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE incident (
        id TEXT PRIMARY KEY, run INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, severity INTEGER NOT NULL,
        view TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX incident_last ON incident (last);
    CREATE TABLE finding (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, time INTEGER NOT NULL, severity INTEGER NOT NULL, kind TEXT NOT NULL,
        src TEXT NOT NULL, dst TEXT NOT NULL, interface TEXT, frame INTEGER, incident TEXT, event BLOB NOT NULL,
        beside TEXT
    ) STRICT;
    CREATE INDEX finding_time ON finding (severity, time);
    CREATE INDEX finding_incident ON finding (incident, time) WHERE incident IS NOT NULL;
    CREATE TABLE record (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, time INTEGER NOT NULL, client TEXT NOT NULL, server TEXT NOT NULL,
        told TEXT NOT NULL
    ) STRICT;
    CREATE INDEX record_time ON record (time);
    CREATE TABLE counters (
        id INTEGER PRIMARY KEY, run INTEGER NOT NULL, time INTEGER NOT NULL, counted TEXT NOT NULL
    ) STRICT;
    CREATE INDEX counters_time ON counters (time);
";

/// Opens a database to write to; makes it where there is none.
pub(super) fn writable(file: &Path) -> Result<Connection, StoreError> {
    plain(file)?;
    create(file).map_err(|cause| StoreError::Create { file: file.display().to_string(), cause })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(file, flags).map_err(|error| StoreError::of(file, &error))?;
    let layout = check(&connection, file)?;
    prepare(&mut connection, layout).map_err(|error| StoreError::of(file, &error))?;
    Ok(connection)
}

/// Opens a database to read from, also beside one who writes; the number is its layout.
pub(super) fn readable(file: &Path) -> Result<(Connection, i64), StoreError> {
    if !file.exists() {
        return Err(StoreError::Missing { file: file.display().to_string() });
    }
    plain(file)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(|error| StoreError::of(file, &error))?;
    let (connection, layout) = match check(&connection, file) {
        // Whoever may not write there cannot look at what others write; where nobody does, no look is needed.
        Err(StoreError::Open { .. } | StoreError::ReadOnly { .. }) if journal(file) == 0 => {
            let alone = format!("file:{}?immutable=1", escaped(file));
            let connection = Connection::open_with_flags(alone, flags | OpenFlags::SQLITE_OPEN_URI)
                .map_err(|error| StoreError::of(file, &error))?;
            let layout = check(&connection, file)?;
            (connection, layout)
        }
        checked => (connection, checked?),
    };
    match layout {
        None => Err(StoreError::Missing { file: file.display().to_string() }),
        Some(layout) => Ok((connection, layout)),
    }
}

/// Folders are no databases, and a pipe would be waited for.
fn plain(file: &Path) -> Result<(), StoreError> {
    let other = file.exists() && !file.is_file();
    if other { Err(StoreError::Foreign { file: file.display().to_string() }) } else { Ok(()) }
}

/// Makes an empty file, and the folder of the usual one.
fn create(file: &Path) -> io::Result<()> {
    if file == Path::new(DEFAULT_FILE)
        && let Some(folder) = file.parent()
        && !folder.exists()
    {
        DirBuilder::new().mode(0o750).create(folder)?;
    }
    if file.exists() {
        return Ok(());
    }
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(file) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        _ => Ok(()),
    }
}

/// Its layout, none if it is empty; refuses what is not ours, or too new.
fn check(connection: &Connection, file: &Path) -> Result<Option<i64>, StoreError> {
    let read = || {
        connection.busy_timeout(PATIENCE)?;
        // What a file says of itself is data: nothing in it is run.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok([number("application_id")?, number("user_version")?, tables])
    };
    let name = || file.display().to_string();
    match read().map_err(|error: rusqlite::Error| StoreError::of(file, &error))? {
        [0, 0, 0] => Ok(None),
        [APPLICATION, layout @ 1..=LAYOUT, _] => Ok(Some(layout)),
        [APPLICATION, found, _] => Err(StoreError::Newer { file: name(), found, known: LAYOUT }),
        _ => Err(StoreError::Foreign { file: name() }),
    }
}

fn prepare(connection: &mut Connection, layout: Option<i64>) -> rusqlite::Result<()> {
    if layout.is_none() {
        // Before the first table, or never.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update_and_check(None, "journal_size_limit", 16 << 20, |row| row.get::<_, i64>(0))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    let change = match layout {
        None => TABLES,
        Some(layout) if layout < WITH_BESIDE => SECOND,
        Some(_) => return Ok(()),
    };
    let new = connection.transaction()?;
    new.execute_batch(change)?;
    new.pragma_update(None, "application_id", APPLICATION)?;
    new.pragma_update(None, "user_version", LAYOUT)?;
    new.commit()?;
    Ok(())
}

/// Bytes of the journal, in which what was written last waits to be taken over.
pub(super) fn journal(file: &Path) -> u64 {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(name).map_or(0, |journal| journal.len())
}

/// A path as part of a URI.
fn escaped(file: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
    let bytes = file.as_os_str().as_encoded_bytes();
    bytes.iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02x}") }).collect()
}
