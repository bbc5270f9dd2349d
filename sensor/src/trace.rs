//! The trace build: what the kernel program logs through aya-log, on stderr.

use std::io::{self, Write};

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use tokio::{io::unix::AsyncFd, task::JoinHandle};

use crate::failure::Failure;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let _ = writeln!(io::stderr(), "kernel: {}", record.args());
    }

    fn flush(&self) {}
}

/// Prints until it is dropped.
pub(crate) struct Tracing(JoinHandle<()>);

impl Drop for Tracing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Starts printing. Must be called within a tokio runtime.
pub(crate) fn start(ebpf: &mut Ebpf) -> Result<Tracing, Failure> {
    let logger =
        EbpfLogger::init_with_logger(ebpf, Stderr).map_err(|error| Failure::Other(error.to_string().into()))?;
    // SAFETY: the logger owns its descriptor and keeps it open and the same for as long as it lives.
    let mut logger = unsafe { AsyncFd::register(logger) }.map_err(|error| Failure::Loop(error.into()))?;
    Ok(Tracing(tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    })))
}
