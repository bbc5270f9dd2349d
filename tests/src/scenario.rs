//! A small language for conversations.
//!
//! ```
//! use sensor_common::detect::Severity;
//! use tests::scenario::{Scenario, finding};
//!
//! Scenario::v4()
//!     .client(|c| c.ttl(125))
//!     .handshake()
//!     .talk(2)
//!     .server_fin()
//!     .rst(|p| p.forged().ttl(255).win(509))
//!     .expect(finding("ttl-rst-mismatch").severity(Severity::Alert))
//!     .check();
//! ```
//!
//! Both sides keep their own numbers, so that a scenario says only what is special about it.

mod draft;
mod expect;
mod run;
mod speaker;

use std::net::SocketAddr;

use sensor::lab::forge::TcpPacket;
use sensor_common::{flow::TcpFlags, seq::SeqNumber};

pub use draft::Draft;
pub use expect::{Expected, finding};
pub use run::{Outcome, Seat, at_rest as lines};
pub use speaker::Speaker;

/// ACK alone.
pub const ACK: TcpFlags = TcpFlags::ACK;
/// RST without ACK.
pub const RST: TcpFlags = TcpFlags::RST;
/// FIN and ACK.
pub const FIN_ACK: TcpFlags = TcpFlags::FIN.with(TcpFlags::ACK);
/// RST and ACK.
pub const RST_ACK: TcpFlags = TcpFlags::RST.with(TcpFlags::ACK);
/// SYN and ACK.
pub const SYN_ACK: TcpFlags = TcpFlags::SYN.with(TcpFlags::ACK);
/// PSH and ACK.
pub const PSH_ACK: TcpFlags = TcpFlags::PSH.with(TcpFlags::ACK);

/// One of the two that talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Who {
    /// The one that connects.
    Client = 0,
    /// The one that answers.
    Server = 1,
}

impl Who {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A frame on its way, as the sensor's wire carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When the sensor sees it, in nanoseconds.
    pub time: u64,
    /// Who claims to have sent it.
    pub from: Who,
    /// The Ethernet frame.
    pub bytes: Vec<u8>,
}

/// A conversation in the making, with what is to be found in it.
#[derive(Clone, Debug)]
pub struct Scenario {
    ends: [Speaker; 2],
    vlan: Option<u16>,
    seat: Seat,
    now: u64,
    sent: Vec<Sent>,
    expected: Vec<(usize, Expected)>,
    rests: Vec<Expected>,
    unruffled: bool,
    guarded: u16,
}

/// Where the conversation begins: not at 0, so that captures of it have a plausible date.
const START: u64 = 1_700_000_000_000_000_000;
/// Between two segments where nothing else is said.
const TICK: u64 = 50_000;
const MILLISECOND: u64 = 1_000_000;

impl Scenario {
    /// Between two IPv4 hosts with Linux's habits, the client far and the server near.
    pub fn v4() -> Self {
        Self::between(([10, 0, 0, 2], 40_000).into(), ([192, 0, 2, 80], 443).into())
    }

    /// The same over IPv6.
    pub fn v6() -> Self {
        let address = |last| [0x2001, 0xdb8, 0, 0, 0, 0, 0, last];
        Self::between((address(2), 40_000).into(), (address(0x80), 443).into())
    }

    /// Between these two.
    pub fn between(client: SocketAddr, server: SocketAddr) -> Self {
        let ends =
            [Speaker::new(client, [2, 0, 0, 0, 0, 1], 61, 1_000), Speaker::new(server, [2, 0, 0, 0, 0, 2], 64, 70_000)];
        Self {
            ends,
            vlan: None,
            seat: Seat::Server,
            now: START,
            sent: Vec::new(),
            expected: Vec::new(),
            rests: Vec::new(),
            unruffled: false,
            guarded: 0,
        }
    }

    /// On a VLAN.
    pub fn vlan(mut self, id: u16) -> Self {
        self.vlan = Some(id);
        self
    }

    /// Where the sensor sits.
    pub fn seat(mut self, seat: Seat) -> Self {
        self.seat = seat;
        self
    }

    /// With a port whose peers must be one hop away (RFC 5082).
    pub fn guard(self, port: u16) -> Self {
        Self { guarded: port, ..self }
    }

    /// Where the sensor sits: [`Seat::hook`] says which hook sees a frame.
    pub fn seated(&self) -> Seat {
        self.seat
    }

    /// Whether it runs over IPv6.
    pub fn is_v6(&self) -> bool {
        self.ends[0].address.is_ipv6()
    }

    /// Says what is special about the client.
    pub fn client(self, edit: impl FnOnce(Speaker) -> Speaker) -> Self {
        self.speaker(Who::Client, edit)
    }

    /// Says what is special about the server.
    pub fn server(self, edit: impl FnOnce(Speaker) -> Speaker) -> Self {
        self.speaker(Who::Server, edit)
    }

    fn speaker(mut self, who: Who, edit: impl FnOnce(Speaker) -> Speaker) -> Self {
        let speaker = &mut self.ends[who as usize];
        *speaker = edit(speaker.clone());
        self
    }

    /// Lets milliseconds pass.
    pub fn after(mut self, milliseconds: u64) -> Self {
        self.now += milliseconds * MILLISECOND;
        self
    }

    /// Lets microseconds pass.
    pub fn after_us(mut self, microseconds: u64) -> Self {
        self.now += microseconds * 1_000;
        self
    }

    /// Sends a segment: `edit` overrides what the sender would have put into it.
    pub fn send(mut self, from: Who, flags: TcpFlags, edit: impl FnOnce(Draft) -> Draft) -> Self {
        let [sender, receiver] = [from, from.other()].map(|who| &self.ends[who as usize]);
        let acknowledges = flags.any(TcpFlags::ACK);
        let packet = TcpPacket {
            macs: [sender.mac, receiver.mac],
            vlan: self.vlan,
            source: sender.address,
            destination: receiver.address,
            ttl: sender.ttl,
            id: sender.id.unwrap_or(0),
            dont_fragment: sender.dont_fragment,
            flags,
            seq: if flags.any(TcpFlags::SYN) { sender.isn } else { sender.nxt },
            ack: if acknowledges { receiver.nxt } else { SeqNumber(0) },
            window: if flags.any(TcpFlags::SYN) { sender.syn_window } else { sender.window },
            options: sender.options(flags, receiver, self.now / MILLISECOND),
            payload: Vec::new(),
        };
        let draft = edit(Draft::new(packet, sender, receiver));
        self.now += TICK;
        if !draft.forged {
            self.ends[from as usize].said(&draft.packet);
        }
        if !draft.unseen {
            self.sent.push(Sent { time: self.now + draft.late, from, bytes: draft.build() });
        }
        self
    }

    /// Sends the last frame once more: a duplicate on the wire.
    pub fn again(mut self) -> Self {
        self.now += TICK;
        if let Some(last) = self.sent.last().cloned() {
            self.sent.push(Sent { time: self.now, ..last });
        }
        self
    }

    /// From the client.
    pub fn from_client(self, flags: TcpFlags, edit: impl FnOnce(Draft) -> Draft) -> Self {
        self.send(Who::Client, flags, edit)
    }

    /// From the server.
    pub fn from_server(self, flags: TcpFlags, edit: impl FnOnce(Draft) -> Draft) -> Self {
        self.send(Who::Server, flags, edit)
    }

    /// The client asks for a connection.
    pub fn syn(self) -> Self {
        self.from_client(TcpFlags::SYN, |p| p)
    }

    /// The server grants it.
    pub fn synack(self) -> Self {
        self.from_server(SYN_ACK, |p| p)
    }

    /// The client acknowledges.
    pub fn ack(self) -> Self {
        self.from_client(TcpFlags::ACK, |p| p)
    }

    /// The three of them.
    pub fn handshake(self) -> Self {
        self.syn().synack().ack()
    }

    /// The client sends `len` bytes.
    pub fn client_data(self, len: usize) -> Self {
        self.from_client(PSH_ACK, |p| p.len(len))
    }

    /// The server sends `len` bytes.
    pub fn server_data(self, len: usize) -> Self {
        self.from_server(PSH_ACK, |p| p.len(len))
    }

    /// The server acknowledges.
    pub fn server_ack(self) -> Self {
        self.from_server(TcpFlags::ACK, |p| p)
    }

    /// Requests and answers, `n` times: 3 segments of the client, 2 of the server each.
    pub fn talk(self, n: usize) -> Self {
        (0..n).fold(self, |s, _| s.client_data(100).server_ack().server_data(400).ack().ack())
    }

    /// The client has no more to say.
    pub fn client_fin(self) -> Self {
        self.from_client(FIN_ACK, |p| p)
    }

    /// The server has no more to say.
    pub fn server_fin(self) -> Self {
        self.from_server(FIN_ACK, |p| p)
    }

    /// A reset in the client's name, as its socket would send it.
    pub fn rst(self, edit: impl FnOnce(Draft) -> Draft) -> Self {
        self.from_client(RST_ACK, edit)
    }

    /// A reset in the server's name, as its socket would send it.
    pub fn server_rst(self, edit: impl FnOnce(Draft) -> Draft) -> Self {
        self.from_server(RST_ACK, edit)
    }

    /// The reset that Linux answers a stray segment with: no socket, no options, no window, the stray's acknowledgment.
    pub fn socketless(self, from: Who, edit: impl FnOnce(Draft) -> Draft) -> Self {
        let seq = self.ends[from.other() as usize].acked;
        self.send(from, TcpFlags::RST, |p| edit(p.raw_seq(seq.0).raw_ack(0).win(0).id(0).bare().df(true)))
    }

    /// Begins a connection of other numbers, from the same ports.
    pub fn reconnect(mut self) -> Self {
        for speaker in &mut self.ends {
            speaker.restart(3_000_000);
        }
        self
    }

    /// Begins a connection of other numbers, from another port of the client.
    pub fn port(mut self, port: u16) -> Self {
        self.ends[0].address.set_port(port);
        self.reconnect()
    }

    /// What the server's socket would put into a plain ACK: sequence and acknowledgment number.
    pub fn next_numbers(&self) -> (u32, u32) {
        (self.ends[Who::Server as usize].nxt.0, self.ends[Who::Client as usize].nxt.0)
    }

    /// What the last segment must lead to.
    pub fn expect(mut self, expected: Expected) -> Self {
        assert!(!self.sent.is_empty(), "nothing was sent that could be found");
        self.expected.push((self.sent.len() - 1, expected));
        self
    }

    /// What is expected, whatever it is about.
    pub fn expectations(&self) -> impl Iterator<Item = &Expected> {
        self.expected.iter().map(|(_, expected)| expected).chain(&self.rests)
    }

    /// What its connection must come to, once all is quiet; other findings at rest are then uncalled for.
    pub fn rest(mut self, expected: Expected) -> Self {
        self.rests.push(expected);
        self.unruffled = true;
        self
    }

    /// Its connection must come to nothing: it ended in order, or it merely rests.
    pub fn rest_in_peace(self) -> Self {
        Self { unruffled: true, ..self }
    }

    /// With another conversation of the same time beside it, of other ports. What that one expects is forgotten.
    pub fn beside(mut self, other: Self) -> Self {
        self.sent.extend(other.sent);
        self
    }

    /// The frames in the order in which they pass the sensor, both directions.
    pub fn frames(&self) -> Vec<Sent> {
        self.order().into_iter().map(|index| self.sent[index].clone()).collect()
    }

    /// Indices into what was sent, in the order of time.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.sent.len()).collect();
        order.sort_by_key(|&index| self.sent[index].time);
        order
    }
}
