//! The local socket of `sensor status`: whoever may ask gets one JSON object, and nothing is ever read from them.
//!
//! It is an abstract one, in the network namespace of the agent: it needs no folder and no right, ends with the agent, and is
//! reached where the agent runs. The kernel tells each end who the other is.

use std::{
    fs,
    io::{self, Read as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::Arc,
    time::{Duration, Instant, UNIX_EPOCH},
};

use rustix::net::sockopt::socket_peercred;
use tokio::{io::AsyncWriteExt as _, time};

use super::{Cached, Snapshot};

/// What all names begin with.
const PREFIX: &str = "sensor-status/";

/// How long an answer may take, on either side.
const DEADLINE: Duration = Duration::from_secs(3);

/// The longest answer that is believed.
const LONGEST: usize = 4 << 20;

/// Listens under a name of its own.
pub(super) fn listen() -> io::Result<tokio::net::UnixListener> {
    // Processes of several containers may share a network namespace, and their ids be equal.
    let now = UNIX_EPOCH.elapsed().map_or(0, |now| now.as_nanos());
    let name = format!("{PREFIX}{}-{now}", std::process::id());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    listener.set_nonblocking(true)?;
    tokio::net::UnixListener::from_std(listener)
}

/// Answers until it is dropped, one after the other.
pub(super) async fn serve(listener: tokio::net::UnixListener, cached: Arc<Cached>) {
    let own = rustix::process::geteuid().as_raw();
    loop {
        let Ok((mut stream, _)) = listener.accept().await else {
            time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Others are told nothing, not even why.
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own) {
            continue;
        }
        let Ok(text) = serde_json::to_vec(&*cached.snapshot()) else { continue };
        let _ = time::timeout(DEADLINE, stream.write_all(&text)).await;
    }
}

/// An agent that was found.
#[derive(Debug)]
pub struct Answering {
    /// Its process, as seen from here.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// What it told; none if it told nothing, as it does to other users.
    pub snapshot: Option<Snapshot>,
}

/// Asks each agent of this network namespace, or the one that runs as process `pid`.
///
/// # Errors
///
/// If the kernel's list of sockets cannot be read.
pub fn find(pid: Option<u32>) -> io::Result<Vec<Answering>> {
    let list = fs::read_to_string("/proc/net/unix")?;
    let names = list.lines().filter_map(|line| line.split_once(" @")?.1.strip_prefix(PREFIX));
    let mut names: Vec<&str> = names.collect();
    // A connection that waits is listed under the same name.
    names.sort_unstable();
    names.dedup();
    let found = names.into_iter().filter_map(|name| ask(name, pid));
    let mut found: Vec<Answering> = found.collect();
    found.sort_by_key(|agent| agent.pid);
    Ok(found)
}

/// None where nobody answers to that name any more, or another than the one asked for.
fn ask(name: &str, pid: Option<u32>) -> Option<Answering> {
    let stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(format!("{PREFIX}{name}")).ok()?).ok()?;
    // Any program may take such a name; the kernel says which one did.
    let peer = socket_peercred(&stream).ok()?;
    let (process, uid) = (peer.pid.as_raw_nonzero().get().unsigned_abs(), peer.uid.as_raw());
    if pid.is_some_and(|wanted| wanted != process) {
        return None;
    }
    let snapshot = read(stream).ok().and_then(|text| serde_json::from_slice(&text).ok());
    Some(Answering { pid: process, uid, snapshot })
}

/// All that it says, if that is not too much and does not take too long.
fn read(mut stream: UnixStream) -> io::Result<Vec<u8>> {
    let end = Instant::now() + DEADLINE;
    let mut text = Vec::new();
    loop {
        // A limit of zero would be none.
        let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        stream.set_read_timeout(Some(left))?;
        let mut piece = [0; 16 * 1024];
        match stream.read(&mut piece)? {
            0 => return Ok(text),
            _ if text.len() > LONGEST || Instant::now() > end => return Err(io::ErrorKind::TimedOut.into()),
            read => text.extend_from_slice(&piece[..read]),
        }
    }
}
