//! The observer observed: metrics and health over HTTP, `sensor status` over a local socket. A thread of its own answers; the
//! agent's work never waits for it.

mod account;
mod board;
mod exposition;
mod http;
mod metrics;
mod process;
mod snapshot;
mod socket;

use std::{
    collections::BTreeMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

use crate::{
    enrich::Directory,
    failure::Failure,
    kernel::{Account, Readings},
    seal::Layers,
    tail::Feed,
};

pub use account::Identity;
pub(crate) use board::lock;
pub use board::{BOUNDS, Board, Pinned, Swept, Watched};
pub use metrics::render;
pub use snapshot::Snapshot;
pub(crate) use snapshot::nanos;
pub use socket::{Answering, find};

/// A snapshot is taken anew after so long at the soonest, or ten times as long as the last one took: whoever asks too often
/// gets the last one again, and costs a tenth of a CPU at the most.
const FRESH: Duration = Duration::from_millis(250);

/// Where a snapshot comes from.
pub struct Source {
    /// What the agent's threads wrote down.
    pub board: Arc<Board>,
    /// The drain's account.
    pub account: Arc<Mutex<Account>>,
    /// The kernel's side.
    pub readings: Readings,
    /// What was given up.
    pub layers: Option<Layers>,
    /// Names from a cluster, if it asks one.
    pub names: Option<Directory>,
    /// What an allow-list has kept from being told, by reason.
    pub allowed: Box<dyn Fn() -> BTreeMap<String, u64> + Send + Sync>,
    /// When the agent began to watch.
    pub started: SystemTime,
    /// Whom others follow, if they may.
    pub feed: Option<Feed>,
}

/// Who asked, and what became of it.
#[derive(Default)]
struct Asked {
    /// Answered over HTTP.
    answered: AtomicU64,
    /// Too slow, or the oldest of too many.
    dropped: AtomicU64,
    /// Answered over the local socket.
    told: AtomicU64,
    /// Of another user.
    refused: AtomicU64,
}

impl Asked {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A source that is not asked too often.
struct Cached {
    source: Source,
    asked: Asked,
    last: Mutex<Option<(Instant, Duration, Arc<Snapshot>)>>,
}

impl Cached {
    fn snapshot(&self) -> Arc<Snapshot> {
        let mut last = lock(&self.last);
        if let Some((taken, took, snapshot)) = &*last
            && taken.elapsed() < FRESH.max(*took * 10)
        {
            return Arc::clone(snapshot);
        }
        let start = Instant::now();
        let snapshot = Arc::new(Snapshot::of(&self.source, &self.asked));
        *last = Some((Instant::now(), start.elapsed(), Arc::clone(&snapshot)));
        snapshot
    }
}

/// Sockets that listen, before there is anything to tell.
pub struct Observer {
    runtime: Runtime,
    http: Option<tokio::net::TcpListener>,
    local: io::Result<tokio::net::UnixListener>,
}

impl Observer {
    /// Takes the port, where one is asked for, and the local socket. Whoever asks before the agent watches, waits.
    ///
    /// # Errors
    ///
    /// Why the port cannot be had. Without the local socket it goes on, see [`Observer::deaf`].
    pub fn open(metrics: Option<SocketAddr>) -> Result<Self, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Failure::Loop)?;
        let entered = runtime.enter();
        let taken = |address: SocketAddr| {
            let listen = || {
                let listener = TcpListener::bind(address)?;
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener)
            };
            listen().map_err(|cause| Failure::Metrics { address, cause })
        };
        let http = metrics.map(taken).transpose()?;
        let local = socket::listen();
        drop(entered);
        Ok(Self { runtime, http, local })
    }

    /// Where the metrics are, with the port that the kernel chose if it was asked to.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.http.as_ref()?.local_addr().ok()
    }

    /// Why `sensor status` will not find this agent.
    pub fn deaf(&self) -> Option<&io::Error> {
        self.local.as_ref().err()
    }

    /// Answers from `source` until the result is dropped.
    ///
    /// # Errors
    ///
    /// When there can be no more threads.
    pub fn start(self, source: Source) -> io::Result<Observing> {
        let (stop, stopped) = oneshot::channel::<()>();
        let cached = Arc::new(Cached { source, asked: Asked::default(), last: Mutex::default() });
        let work = move || {
            let Self { runtime, http, local } = self;
            runtime.block_on(async {
                let http = http.map(|listener| http::serve(listener, Arc::clone(&cached)));
                let local = local.ok().map(|listener| socket::serve(listener, Arc::clone(&cached)));
                tokio::select! {
                    () = forever(http) => {}
                    () = forever(local) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("observe".into()).spawn(work)?;
        Ok(Observing { stop: Some(stop), thread: Some(thread) })
    }
}

async fn forever(work: Option<impl Future<Output = ()>>) {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

/// The thread that answers. It ends when this is dropped.
pub struct Observing {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Observing {
    fn drop(&mut self) {
        drop(self.stop.take());
        // Nothing in there waits for anybody else; a panic was printed there.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
