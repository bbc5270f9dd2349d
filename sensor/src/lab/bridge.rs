//! Two ports and a thread that carries frames between them: a wire, or a middlebox.

use std::{
    collections::VecDeque,
    io::{self, PipeReader},
    os::fd::AsFd,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    error::{LabError, Task},
    frame::Frame,
    netns::Netns,
    packet::PacketSocket,
    tamper::{Action, Direction, Tamper},
    worker::{self, Worker},
};

/// Frames taken from one port before the other has its turn.
const BURST: usize = 64;

/// One end of a bridge.
pub(crate) struct Port {
    socket: PacketSocket,
    /// Frames are tagged with this VLAN inside the bridge and beyond its other port.
    access: Option<u16>,
}

impl Port {
    /// The port at `interface`.
    pub(crate) fn open(netns: &Netns, interface: &str, access: Option<u16>) -> Result<Self, LabError> {
        let socket = netns
            .enter(|| PacketSocket::open(interface, false))
            .flatten()
            .task(|| format!("open {interface} in {}", netns.name()))?;
        Ok(Self { socket, access })
    }

    fn receive(&mut self) -> Option<Frame> {
        // An interface that goes away is noticed by those who use it.
        let mut frame = self.socket.receive().ok()??.frame;
        if let Some(id) = self.access {
            frame.tag(id);
        }
        Some(frame)
    }

    fn send(&self, mut frame: Frame) {
        if self.access.is_some() {
            frame.untag();
        }
        // Wires lose frames.
        let _ = self.socket.send(&frame);
    }
}

/// What a bridge does besides carrying frames.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) tampers: Vec<Box<dyn Tamper>>,
    /// Latency towards the server and towards the client.
    pub(crate) delays: [Duration; 2],
}

impl Script {
    /// The first misdeed that wants the frame has it.
    fn judge(&mut self, direction: Direction, frame: &mut Frame) -> Action {
        self.tampers
            .iter_mut()
            .map(|tamper| tamper.judge(direction, frame))
            .find(|action| *action != Action::Forward)
            .unwrap_or(Action::Forward)
    }
}

/// The script, shared with whoever changes it.
pub(crate) type SharedScript = Arc<Mutex<Script>>;

/// Carries frames until the worker is dropped.
pub(crate) fn start(client: Port, server: Port, script: SharedScript) -> io::Result<Worker> {
    let mut bridge = Bridge { client, server, script, far: Default::default() };
    Worker::start(move |stopped| bridge.run(&stopped))
}

/// Latency belongs to the client's side: the bridge itself is next to the server, and what it makes up arrives at once.
struct Bridge {
    client: Port,
    server: Port,
    script: SharedScript,
    /// Frames on their way between the client and the bridge, by direction, with their time of arrival.
    far: [VecDeque<(Instant, Frame)>; 2],
}

impl Bridge {
    fn run(&mut self, stopped: &PipeReader) {
        loop {
            let next = self.far.iter().filter_map(VecDeque::front);
            let timeout = next.map(|(due, _)| due.saturating_duration_since(Instant::now())).min();
            let files = [stopped.as_fd(), self.client.socket.as_fd(), self.server.socket.as_fd()];
            match worker::wait(files, timeout) {
                Ok([false, ..]) => {}
                _ => return,
            }
            for _ in 0..BURST {
                let Some(frame) = self.client.receive() else {
                    break;
                };
                self.travel(Direction::ToServer, frame);
            }
            for _ in 0..BURST {
                let Some(frame) = self.server.receive() else {
                    break;
                };
                self.judge(Direction::ToClient, frame);
            }
            self.arrive(Instant::now());
        }
    }

    fn travel(&mut self, direction: Direction, frame: Frame) {
        let due = Instant::now() + self.script().delays[direction as usize];
        self.far[direction as usize].push_back((due, frame));
    }

    fn arrive(&mut self, now: Instant) {
        while let Some(frame) = self.due(Direction::ToServer, now) {
            self.judge(Direction::ToServer, frame);
        }
        while let Some(frame) = self.due(Direction::ToClient, now) {
            self.client.send(frame);
        }
    }

    fn due(&mut self, direction: Direction, now: Instant) -> Option<Frame> {
        self.far[direction as usize].pop_front_if(|(due, _)| *due <= now).map(|(_, frame)| frame)
    }

    fn judge(&mut self, direction: Direction, mut frame: Frame) {
        let action = self.script().judge(direction, &mut frame);
        match action {
            Action::Forward => self.leave(direction, frame),
            Action::Drop => {}
            Action::Inject { forward, frames } => {
                if forward {
                    self.leave(direction, frame);
                }
                for (direction, frame) in frames {
                    self.leave(direction, frame);
                }
            }
        }
    }

    fn leave(&mut self, direction: Direction, frame: Frame) {
        match direction {
            Direction::ToServer => self.server.send(frame),
            Direction::ToClient => self.travel(direction, frame),
        }
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        // A misdeed that panicked spoils itself only.
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
