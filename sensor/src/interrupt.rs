//! Ctrl-C and SIGTERM.

use tokio::{
    runtime::{Builder, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};

use crate::failure::Failure;

/// The signals that end a verb, noticed from the moment this is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Completes when one has come, also before.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A runtime and the signals that end what it runs. SIGHUP is not among them: it ends the process at once, unless `nohup`
/// says otherwise, which a handler would undo; or unless there is a configuration to read again.
///
/// # Errors
///
/// When the process may open no more files.
pub fn listen() -> Result<(Runtime, Signals), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::Loop)?;
    let entered = runtime.enter();
    let interrupt = signal(SignalKind::interrupt()).map_err(Failure::Loop)?;
    let terminate = signal(SignalKind::terminate()).map_err(Failure::Loop)?;
    drop(entered);
    Ok((runtime, Signals { interrupt, terminate }))
}
