//! Sees what passes an interface: the independent witness of what a sensor says.

use std::{
    io::PipeReader,
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    error::{LabError, Task},
    forge::TcpPacket,
    frame::Frame,
    netns::Netns,
    packet::PacketSocket,
    worker::{self, Worker},
};

/// Frames kept; a lab that sends more has lost its way.
const LIMIT: usize = 100_000;
/// How often the witness is asked again.
const PATIENCE: Duration = Duration::from_millis(5);

/// A frame that passed.
#[derive(Clone, Debug)]
pub struct Captured {
    /// When it was read.
    pub at: Instant,
    /// Whether it left the host on which the sniffer sits.
    pub outgoing: bool,
    /// The frame.
    pub frame: Frame,
}

impl Captured {
    /// Its parts, if it is a TCP packet.
    pub fn packet(&self) -> Option<TcpPacket> {
        TcpPacket::parse(&self.frame)
    }
}

/// A running capture; ends when dropped.
pub struct Sniffer {
    seen: Arc<Mutex<Vec<Captured>>>,
    _thread: Worker,
}

impl Sniffer {
    /// Sees every frame of `interface` from the moment this returns.
    pub fn start(netns: &Netns, interface: &str) -> Result<Self, LabError> {
        let task = || format!("listen on {interface} in {}", netns.name());
        let socket = netns.enter(|| PacketSocket::open(interface, true)).flatten().task(task)?;
        let seen = Arc::default();
        let thread = Worker::start({
            let seen = Arc::clone(&seen);
            move |stopped| listen(socket, &stopped, &seen)
        })
        .task(task)?;
        Ok(Self { seen, _thread: thread })
    }

    /// What was seen so far.
    pub fn captured(&self) -> Vec<Captured> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The TCP packets seen so far, with whether they went out.
    pub fn packets(&self) -> Vec<(bool, TcpPacket)> {
        self.captured().iter().filter_map(|captured| Some((captured.outgoing, captured.packet()?))).collect()
    }

    /// Waits until a TCP packet was seen that `wanted` accepts, at most for `limit`.
    pub fn wait_for(&self, wanted: impl Fn(bool, &TcpPacket) -> bool, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            let seen = self.packets();
            if seen.iter().any(|(outgoing, packet)| wanted(*outgoing, packet)) {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(PATIENCE);
        }
    }
}

fn listen(mut socket: PacketSocket, stopped: &PipeReader, seen: &Mutex<Vec<Captured>>) {
    while let Ok([false, _]) = worker::wait([stopped.as_fd(), socket.as_fd()], None) {
        let Ok(Some(received)) = socket.receive() else {
            continue;
        };
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < LIMIT {
            seen.push(Captured { at: Instant::now(), outgoing: received.outgoing, frame: received.frame });
        }
    }
}
