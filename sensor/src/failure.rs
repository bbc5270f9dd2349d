//! Why a verb could not do what it was asked to, and what to do about it.

use std::{error::Error, io, net::SocketAddr};

use crate::capture::CaptureError;

/// Why a verb failed. Every message names the cause, then the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The capture could not be opened.
    #[error("{file} cannot be opened ({cause}): check the path, and that you may read it")]
    Open {
        /// As it was given.
        file: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file of `--write` could not be made.
    #[error("{file} cannot be written ({cause}): name another file, in a folder that exists and that you may write to")]
    Create {
        /// As it was given.
        file: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The capture could not be read, or not to its end.
    #[error("{file}: {cause}")]
    Capture {
        /// As it was given.
        file: String,
        /// What is wrong with it.
        cause: CaptureError,
    },
    /// The report could not be written.
    #[error("the report cannot be written ({0}): make room, or send it elsewhere; what was printed so far holds")]
    Output(#[from] io::Error),
    /// Nothing has that id.
    #[error(
        "{id:?} is no kind and no piece of evidence: the nearest is {nearest}, and `sensor explain` lists them all"
    )]
    UnknownId {
        /// As it was given.
        id: String,
        /// What may have been meant.
        nearest: &'static str,
    },
    /// The agent cannot wait for events.
    #[error(
        "cannot wait for events ({0}): if it is the number of open files, raise it (ulimit -n, or systemd LimitNOFILE)"
    )]
    Loop(#[source] io::Error),
    /// The port of the metrics cannot be had.
    #[error(
        "no metrics at {address} ({cause}): free the port, or name another address of this host (--metrics ADDR:PORT)"
    )]
    Metrics {
        /// As it was given.
        address: SocketAddr,
        /// What the operating system said.
        cause: io::Error,
    },
    /// Anything else, its message in the same form.
    #[error(transparent)]
    Other(Box<dyn Error + Send + Sync>),
}

impl Failure {
    /// Whether nobody reads the report any more, which is no error.
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
