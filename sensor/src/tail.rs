//! `sensor tail`: what a running sensor found, and finds, over its socket.
//!
//! The agent hands everybody the same frames, and whoever reads filters and words them: by the same code as the agent itself.

mod feed;
mod record;
mod serve;
mod show;
mod socket;
mod wire;

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub use feed::{Account, Feed};
pub use serve::{Server, Serving};
pub use socket::{DEFAULT, SocketError};

use crate::{cli, failure::Failure, interrupt};

/// How long the last lines may take once it is interrupted.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks at whether all has been told.
const ROUND: Duration = Duration::from_millis(20);

/// Why there is nothing, or nothing more, to tell.
#[derive(Debug, thiserror::Error)]
enum TailError {
    #[error(
        "this reader was too slow, and the sensor let it go: {0}; start it again, which tells what is remembered, or send it to a file, which waits for nobody"
    )]
    Slow(String),
    #[error("{most} others follow this sensor, which is all it serves: end one of them")]
    Full { most: u32 },
    #[error("{path} is no sensor's, or one of another version ({why}): use the sensor tail that belongs to it")]
    Strange { path: String, why: String },
    #[error("--analysis counts what the sensor alone has seen: ask it with sensor status --output json")]
    Analysis,
}

impl From<TailError> for Failure {
    fn from(error: TailError) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Tells what is remembered and, where it is to follow, what comes, until it is interrupted or the sensor ends.
///
/// # Errors
///
/// If no sensor answers there, or it lets this reader go; or the output cannot be written.
pub fn run(options: &cli::Tail) -> Result<(), Failure> {
    if options.report.analysis {
        return Err(TailError::Analysis.into());
    }
    let stream = socket::connect(&options.socket).map_err(|error| Failure::Other(Box::new(error)))?;
    let packets = options.report.packets(None)?;
    let (runtime, mut signals) = interrupt::listen()?;
    let stopped = Arc::new(AtomicBool::new(false));
    let reading = stream.try_clone().map_err(Failure::Loop)?;
    let (options, stop) = (options.clone(), Arc::clone(&stopped));
    // A thread of its own, for whoever reads stdout may stop reading.
    let work = move || show::all(reading, &options, packets, &stop);
    let telling = std::thread::Builder::new().name("tail".into()).spawn(work).map_err(Failure::Loop)?;
    runtime.block_on(async {
        let done = async {
            while !telling.is_finished() && !nobody_reads() {
                tokio::time::sleep(ROUND).await;
            }
        };
        tokio::select! {
            () = signals.wait() => {}
            () = done => {}
        }
    });
    stopped.store(true, Ordering::Relaxed);
    // Ends what it waits for; it may have gone.
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let end = Instant::now() + PATIENCE;
    while !telling.is_finished() {
        if Instant::now() > end {
            return Ok(());
        }
        std::thread::sleep(ROUND);
    }
    telling.join().map_err(|_| io::Error::other("the telling thread has died"))?
}

/// Whether stdout is a pipe that nobody reads any more: then there may be nothing to write for long, which would say so.
fn nobody_reads() -> bool {
    let mut stdout = libc::pollfd { fd: libc::STDOUT_FILENO, events: 0, revents: 0 };
    // SAFETY: one valid entry, and no waiting.
    unsafe { libc::poll(&raw mut stdout, 1, 0) > 0 && stdout.revents & libc::POLLERR != 0 }
}

/// Says something beside the report.
fn warn(text: &str) {
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "{text}");
}
