//! What aggregates need to know of a connection that ended.

use std::net::SocketAddr;

use sensor_common::record::{Ending, Record};

use super::scan::Answer;
use crate::report::{Cast, WallClock};

/// A connection that ended, or a request that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Who asked.
    pub client: SocketAddr,
    /// Who was asked.
    pub server: SocketAddr,
    /// What came of it; none if nobody was seen to ask.
    pub answer: Option<Answer>,
    /// Whose FIN came first, where both sides closed it: that side goes through TIME_WAIT.
    pub waits: Option<Waits>,
    /// Whether this host is the client, where that is known.
    pub own: bool,
    /// Nanoseconds since the epoch, of its first segment.
    pub first: u64,
    /// The same of its last.
    pub last: u64,
}

/// Which side goes through TIME_WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// The one that asked.
    Client,
    /// The one that was asked.
    Server,
}

impl Ended {
    /// From the record of a flow, whose times `clock` tells.
    pub fn of(record: &Record, clock: WallClock) -> Self {
        let cast = Cast::of_key(&record.key, record.client, record.local);
        let client = record.server.other();
        let history: String = record.history.letters().collect();
        // By who asked: capital letters are the originator's, who is guessed where the request was not seen.
        let waits = match history.chars().find(|letter| matches!(letter, 'F' | 'f')) {
            Some(letter) if record.ending == Ending::Fin && !history.contains(['R', 'r']) => {
                Some(if letter == 'F' { Waits::Client } else { Waits::Server })
            }
            _ => None,
        };
        Self {
            client: cast.end(client),
            server: cast.end(record.server),
            answer: record.client.and_then(|_| Answer::of(record.conn_state, &history)),
            waits,
            own: record.local == Some(client),
            first: clock.nanos(record.first),
            last: clock.nanos(record.last),
        }
    }
}
