//! Why a database cannot be used, and what to do about it.

use std::{io, path::Path};

use rusqlite::{Error, ErrorCode};

use crate::failure::Failure;

/// Why a database cannot be used. Every message names the file, the cause, then the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is none to read.
    #[error("{file}: there is no database: name it with --db; `sensor attach --db` and `sensor replay --db` make one")]
    Missing {
        /// As it was given.
        file: String,
    },
    /// It cannot be made, or locked, there.
    #[error("{file} cannot be written ({cause}): name a file in a folder that exists and that you may write to")]
    Create {
        /// As it was given.
        file: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// It cannot be opened.
    #[error(
        "{file} cannot be opened ({cause}): check the path and your rights; what a sensor left behind unfinished can be read as its user"
    )]
    Open {
        /// As it was given.
        file: String,
        /// What SQLite said.
        cause: String,
    },
    /// It is something else.
    #[error("{file} is no database of this program, and was left as it is: name another file")]
    Foreign {
        /// As it was given.
        file: String,
    },
    /// It was written by a later version.
    #[error(
        "{file} is of a newer sensor (layout {found}, this one knows {known}): read it with that one, or name another file"
    )]
    Newer {
        /// As it was given.
        file: String,
        /// Its layout.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// Its content makes no sense.
    #[error(
        "{file} is damaged ({cause}): move it away and a new one is begun; `sqlite3 FILE .recover` saves what can be saved"
    )]
    Damaged {
        /// As it was given.
        file: String,
        /// What SQLite said.
        cause: String,
    },
    /// Somebody else has it.
    #[error("{file} is in use by {by}: end that, or name another file with --db")]
    Locked {
        /// As it was given.
        file: String,
        /// Who that is.
        by: &'static str,
    },
    /// It may be read only.
    #[error("{file} cannot be written ({cause}): make it writable, with its folder, or name another file with --db")]
    ReadOnly {
        /// As it was given.
        file: String,
        /// What SQLite said.
        cause: String,
    },
    /// There is no room.
    #[error("{file} cannot be written ({cause}): make room, or keep less (--db-size)")]
    Full {
        /// As it was given.
        file: String,
        /// What SQLite said.
        cause: String,
    },
    /// Anything else.
    #[error("{file} failed ({cause}): check the disk; nothing else depends on this file")]
    Other {
        /// As it was given.
        file: String,
        /// What SQLite said.
        cause: String,
    },
}

impl StoreError {
    /// What SQLite said of a file.
    pub(super) fn of(file: &Path, error: &Error) -> Self {
        let (file, cause) = (file.display().to_string(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign { file },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { file, cause },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { file, by: "another program, which does not let go of it" }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { file, cause },
            Some(ErrorCode::DiskFull) => Self::Full { file, cause },
            Some(ErrorCode::CannotOpen) => Self::Open { file, cause },
            _ => Self::Other { file, cause },
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Other(Box::new(error))
    }
}
