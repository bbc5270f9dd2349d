//! Frames: connections with exact numbers, and segments that belong to none.

use std::net::Ipv4Addr;

use sensor::lab::forge::TcpPacket;
use sensor_common::{flow::TcpFlags, seq::SeqNumber};
use tests::scenario::{ACK, PSH_ACK, SYN_ACK};

use super::station::{SECOND, Station};

/// The host that the sensor is on.
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);
/// Its service.
pub(crate) const PORT: u16 = 443;
/// Where clients of connections are: 172.16.0.0/12, and others elsewhere.
const CLIENTS: u32 = 0xac10_0000;
/// A segment's payload.
const PAYLOAD: u32 = 100;

/// A frame whose numbers are changed in place. Checksums go wrong by that; the sensor does not verify them.
#[derive(Clone)]
pub(crate) struct Frame(pub(crate) Vec<u8>);

impl Frame {
    pub(crate) fn new(flags: TcpFlags, payload: u32, ttl: u8) -> Self {
        let packet = TcpPacket {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            vlan: None,
            source: (Ipv4Addr::UNSPECIFIED, 0).into(),
            destination: (SERVER, PORT).into(),
            ttl,
            id: 0,
            dont_fragment: true,
            flags,
            seq: SeqNumber(0),
            ack: SeqNumber(0),
            window: if flags.any(TcpFlags::RST) { 0 } else { 64_240 },
            options: if flags.any(TcpFlags::SYN) { vec![2, 4, 5, 180] } else { Vec::new() },
            payload: vec![b'x'; payload as usize],
        };
        Self(packet.build().0)
    }

    /// From a client to the service.
    pub(crate) fn from(&mut self, (address, port): (u32, u16), seq: u32, ack: u32) -> &[u8] {
        self.put(26, address).put(30, SERVER.to_bits()).put(34, u32::from(port) << 16 | u32::from(PORT));
        self.put(38, seq).put(42, ack);
        &self.0
    }

    /// From the service to a client.
    pub(crate) fn to(&mut self, (address, port): (u32, u16), seq: u32, ack: u32) -> &[u8] {
        self.put(26, SERVER.to_bits()).put(30, address).put(34, u32::from(PORT) << 16 | u32::from(port));
        self.put(38, seq).put(42, ack);
        &self.0
    }

    fn put(&mut self, at: usize, word: u32) -> &mut Self {
        self.0[at..at + 4].copy_from_slice(&word.to_be_bytes());
        self
    }
}

/// The `n`th made-up source; no two of 16 million are the same.
pub(crate) fn stranger(n: u32) -> (u32, u16) {
    (0x0b00_0000 | n.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff, 1024 + (n % 60_000) as u16)
}

/// The `n`th real client.
pub(crate) fn client(n: u32) -> (u32, u16) {
    (CLIENTS | n >> 4, 32_768 + (n & 15) as u16)
}

/// A connection of the service.
#[derive(Clone, Copy)]
pub(crate) struct Talk {
    client: (u32, u16),
    seq: u32,
    ack: u32,
}

/// Connections of the service, and their frames.
pub(crate) struct Live {
    pub(crate) talks: Vec<Talk>,
    /// Whose turn it is.
    next: usize,
    frames: Frames,
}

struct Frames {
    syn: Frame,
    syn_ack: Frame,
    ack: Frame,
    data: Frame,
    data_ack: Frame,
}

impl Default for Live {
    fn default() -> Self {
        let ours = |flags| Frame::new(flags, 0, 64);
        let theirs = |flags, payload| Frame::new(flags, payload, 61);
        let frames = Frames {
            syn: theirs(TcpFlags::SYN, 0),
            syn_ack: ours(SYN_ACK),
            ack: theirs(ACK, 0),
            data: theirs(PSH_ACK, PAYLOAD),
            data_ack: ours(ACK),
        };
        Self { talks: Vec::new(), next: 0, frames }
    }
}

impl Live {
    /// So many connections, made at 1000 a second, each with a request; then as long again as the sensor wants to settle.
    pub(crate) fn establish(station: &mut Station, n: u32) -> Self {
        let mut live = Self::default();
        for i in 0..n {
            live.connect(station, client(i));
            live.speak(station, i as usize);
            station.pass(SECOND / 1000);
        }
        station.pass(15 * SECOND);
        live
    }

    /// A handshake at one moment.
    pub(crate) fn connect(&mut self, station: &mut Station, client: (u32, u16)) {
        self.ask(station, client);
        self.grant(station, client);
        self.agree(station, client);
    }

    pub(crate) fn ask(&mut self, station: &mut Station, client: (u32, u16)) {
        station.arrive(self.frames.syn.from(client, isn(client), 0));
    }

    pub(crate) fn grant(&mut self, station: &mut Station, client: (u32, u16)) {
        station.leave(self.frames.syn_ack.to(client, !isn(client), isn(client).wrapping_add(1)));
    }

    pub(crate) fn agree(&mut self, station: &mut Station, client: (u32, u16)) {
        let talk = Talk { client, seq: isn(client).wrapping_add(1), ack: (!isn(client)).wrapping_add(1) };
        station.arrive(self.frames.ack.from(client, talk.seq, talk.ack));
        self.talks.push(talk);
    }

    /// The end of a handshake, and a request.
    pub(crate) fn begin(&mut self, station: &mut Station, client: (u32, u16)) {
        self.agree(station, client);
        self.speak(station, self.talks.len() - 1);
    }

    /// A connection sends 100 bytes, which are acknowledged.
    pub(crate) fn speak(&mut self, station: &mut Station, n: usize) {
        let talk = &mut self.talks[n];
        station.arrive(self.frames.data.from(talk.client, talk.seq, talk.ack));
        talk.seq = talk.seq.wrapping_add(PAYLOAD);
        station.leave(self.frames.data_ack.to(talk.client, talk.ack, talk.seq));
    }

    /// The next of the first half of them speaks; the others stay idle. Two segments.
    pub(crate) fn go_on(&mut self, station: &mut Station) {
        self.next = (self.next + 1) % (self.talks.len() / 2);
        self.speak(station, self.next);
    }

    /// A device four hops nearer than the client resets its connection, and copies the server's window.
    pub(crate) fn forge(&mut self, station: &mut Station, n: usize) {
        let talk = self.talks[n];
        let mut reset = Frame::new(TcpFlags::RST.with(TcpFlags::ACK), 0, 255);
        station.arrive(reset.from(talk.client, talk.seq, talk.ack));
    }
}

/// What a client counts from.
pub(crate) fn isn((address, port): (u32, u16)) -> u32 {
    address.wrapping_mul(0x85eb_ca6b) ^ u32::from(port) << 7
}
