//! What a middlebox may do to the frames that pass, and ready-made misdeeds.
//!
//! Each is bound to one connection by the client's port; other frames pass.

use sensor_common::{flow::TcpFlags, seq::SeqNumber};

use super::{forge::TcpPacket, frame::Frame};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client's side.
    ToServer,
    /// From the server.
    ToClient,
}

/// What becomes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It passes, changed or not.
    Forward,
    /// It is swallowed.
    Drop,
    /// It passes or not, and others are made up, which follow it.
    Inject {
        /// Whether the frame itself passes.
        forward: bool,
        /// What is made up and which way each frame goes.
        frames: Vec<(Direction, Frame)>,
    },
}

/// A misdeed: sees each frame that passes and says what becomes of it. Closures will do.
pub trait Tamper: Send {
    /// Judges one frame.
    fn judge(&mut self, direction: Direction, frame: &mut Frame) -> Action;
}

impl<F: FnMut(Direction, &mut Frame) -> Action + Send> Tamper for F {
    fn judge(&mut self, direction: Direction, frame: &mut Frame) -> Action {
        self(direction, frame)
    }
}

/// What a forged reset has in its acknowledgment field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckField {
    /// What a conforming stack would have: all of the FIN.
    Conforming,
    /// A value that no stack sends there.
    Nonconforming,
}

/// A firewall that answers the server's FIN itself, in the client's name, and tells the client nothing: the FIN is
/// swallowed, the reset has TTL 255 and the window of the FIN, and the connection is dead from then on.
pub fn answer_fin(client_port: u16, ack: AckField) -> impl Tamper {
    let mut dead = false;
    on_connection(client_port, move |direction, packet| {
        if dead {
            return Action::Drop;
        }
        if direction == Direction::ToServer || !packet.flags.any(TcpFlags::FIN) {
            return Action::Forward;
        }
        dead = true;
        let mut reset = packet.answer();
        reset.flags = RST_ACK;
        reset.ttl = 255;
        reset.id = 0x5eed;
        if ack == AckField::Nonconforming {
            reset.ack = SeqNumber(0);
        }
        Action::Inject { forward: false, frames: vec![(Direction::ToServer, reset.build())] }
    })
}

/// Who receives a forged reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victims {
    /// The server only, in the client's name.
    Server,
    /// Both, each in the other's name.
    Both,
}

/// A censor: resets the connection after the `nth` data segment of the client, which still passes.
pub fn reset(client_port: u16, nth: u32, ttl: u8, victims: Victims) -> impl Tamper {
    after_data(client_port, Direction::ToServer, nth, move |request| {
        let forged = |mut packet: TcpPacket| {
            packet.ttl = ttl;
            packet.flags = RST_ACK;
            packet.build()
        };
        let mut frames = vec![(Direction::ToServer, forged(request.follow()))];
        if victims == Victims::Both {
            frames.push((Direction::ToClient, forged(request.answer())));
        }
        frames
    })
}

/// Ends the client's side in its name: a FIN to the server after the client's `nth` data segment.
pub fn finish(client_port: u16, nth: u32, ttl: u8) -> impl Tamper {
    after_data(client_port, Direction::ToServer, nth, move |request| {
        let mut fin = request.follow();
        fin.ttl = ttl;
        fin.flags = TcpFlags::FIN.with(TcpFlags::ACK);
        vec![(Direction::ToServer, fin.build())]
    })
}

/// Wins the race for the answer: the `nth` data segment of one end is answered at once with `payload`, in the other
/// end's name and with the numbers of its next data, so that the true answer comes second. `towards` is who is deceived.
pub fn inject_data(client_port: u16, towards: Direction, nth: u32, ttl: u8, payload: Vec<u8>) -> impl Tamper {
    after_data(client_port, towards.reverse(), nth, move |request| {
        let mut answer = request.answer();
        answer.ttl = ttl;
        answer.flags = TcpFlags::PSH.with(TcpFlags::ACK);
        answer.payload.clone_from(&payload);
        vec![(towards, answer.build())]
    })
}

/// A black hole for one direction.
pub fn cut(client_port: u16, direction: Direction) -> impl Tamper {
    on_connection(client_port, move |seen, _| if seen == direction { Action::Drop } else { Action::Forward })
}

const RST_ACK: TcpFlags = TcpFlags::RST.with(TcpFlags::ACK);

impl Direction {
    /// The other way.
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// Shows `judge` the packets of one connection.
fn on_connection(client_port: u16, mut judge: impl FnMut(Direction, &TcpPacket) -> Action + Send) -> impl Tamper {
    move |direction, frame: &mut Frame| {
        let Some(packet) = TcpPacket::parse(frame) else {
            return Action::Forward;
        };
        let client = match direction {
            Direction::ToServer => packet.source,
            Direction::ToClient => packet.destination,
        };
        if client.port() == client_port { judge(direction, &packet) } else { Action::Forward }
    }
}

/// Lets the `nth` data segment (from 1) that goes in `direction` pass, followed by what `forge` makes of it.
/// A repeated segment does not count.
fn after_data(
    client_port: u16,
    direction: Direction,
    nth: u32,
    mut forge: impl FnMut(&TcpPacket) -> Vec<(Direction, Frame)> + Send,
) -> impl Tamper {
    let mut seen = 0;
    let mut newest = None;
    on_connection(client_port, move |way, packet| {
        let known = newest.is_some_and(|newest| !packet.next().after(newest));
        if way != direction || packet.payload.is_empty() || known {
            return Action::Forward;
        }
        newest = Some(packet.next());
        seen += 1;
        if seen != nth {
            return Action::Forward;
        }
        Action::Inject { forward: true, frames: forge(packet) }
    })
}

#[cfg(test)]
mod tests;
