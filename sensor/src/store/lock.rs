//! One sensor a file: two that write would each take the other's last words for those of one that was killed.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::StoreError;

/// Held until it is dropped, or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] File);

impl Lock {
    /// Takes the lock of a database: a file beside it, since SQLite has locks of its own on the file itself, which go when any
    /// descriptor of it is closed.
    pub(super) fn take(file: &Path) -> Result<Self, StoreError> {
        let create = |cause| StoreError::Create { file: file.display().to_string(), cause };
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(super::file::MODE).open(path(file));
        let lock = lock.map_err(create)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self(lock)),
            Err(TryLockError::WouldBlock) => {
                Err(StoreError::Locked { file: file.display().to_string(), by: "another sensor" })
            }
            Err(TryLockError::Error(cause)) => Err(create(cause)),
        }
    }
}

fn path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-lock");
    name.into()
}
