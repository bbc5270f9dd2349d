//! Connections between real TCP stacks, both ends in one hand: an orderly client, an orderly server, a victim.
//!
//! Every wait is bounded, so that a lab whose middlebox swallows frames ends all the same.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::fd::AsRawFd,
    thread,
    time::Duration,
};

use super::{Family, Lab};

/// How long an end waits for the other.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the victim's client waits for a FIN that does not come.
const VICTIM_PATIENCE: Duration = Duration::from_millis(300);
/// Request and answer of one exchange.
const EXCHANGE: [&[u8]; 2] = [b"what is the time?\n", b"later than you think\n"];

/// How an end fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As agreed.
    Ok,
    /// Reset by the other end, or in its name.
    Reset,
    /// Nothing came, or nothing could be sent.
    TimedOut,
    /// The other end, or somebody in its name, ended the connection early.
    Ended,
    /// Other bytes came than the other end sent.
    Corrupted,
    /// Anything else that the system says.
    Failed(ErrorKind),
}

impl From<io::Error> for Outcome {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::UnexpectedEof => Self::Ended,
            kind => Self::Failed(kind),
        }
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Who asked for the connection.
    Client,
    /// Who granted it.
    Server,
}

/// Both ends of an established connection.
#[derive(Debug)]
pub struct Pair {
    /// The client's end.
    pub client: TcpStream,
    /// The server's end.
    pub server: TcpStream,
}

impl Pair {
    pub(crate) fn new(client: TcpStream, server: TcpStream) -> io::Result<Self> {
        for end in [&client, &server] {
            end.set_read_timeout(Some(PATIENCE))?;
            end.set_write_timeout(Some(PATIENCE))?;
            end.set_nodelay(true)?;
        }
        Ok(Self { client, server })
    }

    /// The client's port, by which misdeeds know a connection.
    pub fn client_port(&self) -> io::Result<u16> {
        Ok(self.client.local_addr()?.port())
    }

    /// One request and its answer.
    pub fn exchange(&mut self) -> Result<(), Outcome> {
        let [request, answer] = EXCHANGE;
        tell(&mut self.client, &mut self.server, request)?;
        tell(&mut self.server, &mut self.client, answer)
    }

    /// Closes both directions in order, `first` before the other.
    pub fn close(mut self, first: End) -> Result<(), Outcome> {
        let (one, other) = match first {
            End::Client => (&mut self.client, &mut self.server),
            End::Server => (&mut self.server, &mut self.client),
        };
        one.shutdown(Shutdown::Write)?;
        read_end(other)?;
        other.shutdown(Shutdown::Write)?;
        read_end(one)
    }

    /// Makes the client's end disappear without a packet, as if its power had failed; the server's end is left, and knows nothing.
    pub fn vanish_client(self) -> io::Result<TcpStream> {
        let on: libc::c_int = 1;
        // A socket under repair sends nothing, not even when it is closed.
        // SAFETY: `on` is of the stated length and outlives the call.
        let result = unsafe {
            libc::setsockopt(
                self.client.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_REPAIR,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        match result {
            0 => Ok(self.server),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn tell(from: &mut TcpStream, to: &mut TcpStream, line: &[u8]) -> Result<(), Outcome> {
    from.write_all(line)?;
    let mut heard = vec![0; line.len()];
    to.read_exact(&mut heard)?;
    if heard == line { Ok(()) } else { Err(Outcome::Corrupted) }
}

fn read_end(stream: &mut TcpStream) -> Result<(), Outcome> {
    match stream.read(&mut [0; 64])? {
        0 => Ok(()),
        _ => Err(Outcome::Corrupted),
    }
}

fn outcome(result: Result<(), Outcome>) -> Outcome {
    result.err().unwrap_or(Outcome::Ok)
}

/// The pace of a victim's conversation.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Requests and answers.
    pub exchanges: u32,
    /// Silence after each.
    pub pause: Duration,
}

impl Default for Pace {
    /// About 2 seconds, as in the thread that this lab retells.
    fn default() -> Self {
        Self { exchanges: 8, pause: Duration::from_millis(250) }
    }
}

/// What a victim's two ends saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The client's end.
    pub client: Outcome,
    /// The server's end.
    pub server: Outcome,
}

/// Conversations in a lab.
#[derive(Clone, Copy)]
pub struct Traffic<'a> {
    lab: &'a Lab,
}

impl<'a> Traffic<'a> {
    /// Traffic of `lab`.
    pub fn new(lab: &'a Lab) -> Self {
        Self { lab }
    }

    /// `count` ordinary connections, one after the other: a few exchanges and an orderly end, by either side in turn.
    pub fn ordinary(self, count: usize, family: Family) -> Vec<Outcome> {
        (0..count)
            .map(|number| {
                let first = [End::Client, End::Server][number % 2];
                outcome(self.conversation(family, 1 + number % 3, first))
            })
            .collect()
    }

    fn conversation(self, family: Family, exchanges: usize, first: End) -> Result<(), Outcome> {
        let mut pair = self.lab.connect(family)?;
        (0..exchanges).try_for_each(|_| pair.exchange())?;
        pair.close(first)
    }

    /// A conversation that the server ends, while somebody may swallow its FIN: a client left without one hangs for
    /// a moment and then disappears silently.
    pub fn victim(self, mut pair: Pair, pace: Pace) -> Result<Fate, Outcome> {
        for _ in 0..pace.exchanges {
            pair.exchange()?;
            thread::sleep(pace.pause);
        }
        pair.client.set_read_timeout(Some(VICTIM_PATIENCE))?;
        pair.server.shutdown(Shutdown::Write)?;
        let client = outcome(read_end(&mut pair.client));
        if client == Outcome::Ok {
            pair.client.shutdown(Shutdown::Write)?;
        }
        let server = outcome(read_end(&mut pair.server));
        if client == Outcome::TimedOut {
            pair.vanish_client()?;
        }
        Ok(Fate { client, server })
    }
}
