//! Why a lab cannot be built, with the remedy.

use std::io;

/// Why a lab cannot be built or used.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Namespaces and raw sockets are a privilege.
    #[error("a lab of network namespaces needs root: run it with sudo")]
    NotRoot,
    /// The `ip` command is missing.
    #[error("cannot find the `ip` command: install iproute2")]
    NoIproute2,
    /// The `ip` command did not do what it was told.
    #[error("`ip` (iproute2) refused: {0}")]
    Ip(String),
    /// A system call failed.
    #[error("cannot {task}: {source}")]
    Io {
        /// What was being done.
        task: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Names the task in an I/O error.
pub(crate) trait Task<T> {
    /// Wraps the error with `task`, read as "cannot …".
    fn task(self, task: impl FnOnce() -> String) -> Result<T, LabError>;
}

impl<T> Task<T> for io::Result<T> {
    fn task(self, task: impl FnOnce() -> String) -> Result<T, LabError> {
        self.map_err(|source| LabError::Io { task: task(), source })
    }
}
