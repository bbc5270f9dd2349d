//! Many connections in virtual time, and what the detectors of aggregates make of them: the engine on the host, the sweep, a look
//! each second.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sensor::{
    correlate::aggregate::{Aggregates, Ended, HostReading, Incident, Limits, Lookout, TcpExt},
    host::Host,
    lab::forge::TcpPacket,
    report::WallClock,
    sweep::Sweeper,
};
use sensor_common::{
    config::Config, counters::Counter, engine::Seen, event::Hook, flow::TcpFlags, seq::SeqNumber, wire::Slice,
};

use crate::scenario::{ACK, FIN_ACK, PSH_ACK, RST_ACK, SYN_ACK};

/// A second.
pub const SECOND: u64 = 1_000_000_000;
/// When it begins: not at 0, so that captures of it have a plausible date.
const START: u64 = 1_700_000_000 * SECOND;
/// The host that the sensor is on.
pub const LOCAL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 80);
/// The window scale, timestamps and so on of a usual stack's SYN.
const USUAL: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7];

/// How a client looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// TTL on arrival.
    pub ttl: u8,
    /// The SYN's window.
    pub window: u16,
    /// IP identification.
    pub id: u16,
    /// Whether it has the usual options.
    pub options: bool,
}

/// Linux, three hops away.
pub const LINUX: Look = Look { ttl: 61, window: 64_240, id: 0, options: true };

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The client closes first.
    Client,
    /// The server closes first.
    Server,
    /// Not at all.
    Open,
}

/// A host, its network, and a sensor on it.
pub struct World {
    host: Host,
    sweeper: Sweeper,
    lookout: Lookout,
    aggregates: Aggregates,
    now: u64,
    due: u64,
    reading: Option<HostReading>,
    /// Added to initial sequence numbers.
    pub salt: u32,
    /// What was told so far.
    pub told: Vec<Incident>,
}

impl Default for World {
    fn default() -> Self {
        Self::of(16_384)
    }
}

impl World {
    /// With a table of so many flows.
    pub fn of(flows: u32) -> Self {
        let host = Host::new(Config::replay(flows / 8 - 1));
        let sweeper = Sweeper::new((flows / 8) as usize, host.cpu());
        Self {
            host,
            sweeper,
            lookout: Lookout::default(),
            aggregates: Aggregates::default(),
            now: START,
            due: START,
            reading: None,
            salt: 0,
            told: Vec::new(),
        }
    }

    /// With the counters and limits of a host.
    pub fn on(limits: Limits) -> Self {
        Self { reading: Some(HostReading { ext: TcpExt::default(), limits }), ..Self::default() }
    }

    /// Changes the host's counters.
    pub fn count(&mut self, edit: impl FnOnce(&mut TcpExt)) {
        if let Some(reading) = &mut self.reading {
            edit(&mut reading.ext);
        }
    }

    /// Nanoseconds since the epoch.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Lets nanoseconds pass; each second somebody looks.
    pub fn pass(&mut self, nanos: u64) {
        let end = self.now + nanos;
        while self.due <= end {
            self.now = self.due;
            self.due += SECOND;
            self.look();
        }
        self.now = end;
    }

    fn look(&mut self) {
        let mut ended = Vec::new();
        self.sweeper.sweep(&self.host, self.now, &mut (), &mut ended);
        ended.iter().for_each(|record| self.aggregates.ended(&Ended::of(record, WallClock::epoch())));
        let services = self.host.services().iter().copied();
        let mut reading = self.lookout.look(self.now, [self.host.cpu()], services, &self.host);
        reading.host = self.reading;
        self.told.extend(self.aggregates.read(reading));
    }

    /// A segment passes the sensor.
    pub fn segment(&mut self, from: SocketAddr, to: SocketAddr, flags: TcpFlags, seq: [u32; 2], look: Look) {
        let syn = flags.any(TcpFlags::SYN);
        let packet = TcpPacket {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            vlan: None,
            source: from,
            destination: to,
            ttl: if from.ip() == LOCAL { 64 } else { look.ttl },
            id: look.id,
            dont_fragment: true,
            flags,
            seq: SeqNumber(seq[0]),
            ack: SeqNumber(if flags.any(TcpFlags::ACK) { seq[1] } else { 0 }),
            window: if flags.any(TcpFlags::RST) { 0 } else { look.window },
            options: if syn && look.options { USUAL.to_vec() } else { Vec::new() },
            payload: if flags.any(TcpFlags::PSH) { vec![b'x'; 100] } else { Vec::new() },
        };
        let frame = packet.build();
        let hook = if from.ip() == LOCAL { Hook::Egress } else { Hook::Ingress };
        let seen = Seen { ifindex: 0, tag: 0, hook };
        self.host.observe(self.now, &Slice::new(&frame.0, frame.0.len()), seen);
        self.host.drain().for_each(drop);
    }

    /// A request.
    pub fn syn(&mut self, client: SocketAddr, server: SocketAddr, look: Look) {
        self.segment(client, server, TcpFlags::SYN, [self.isn(client), 0], look);
    }

    /// Its answer.
    pub fn syn_ack(&mut self, client: SocketAddr, server: SocketAddr) {
        self.segment(server, client, SYN_ACK, [self.isn(server), self.isn(client) + 1], LINUX);
    }

    /// It is rejected: the port is closed.
    pub fn refuse(&mut self, client: SocketAddr, server: SocketAddr) {
        self.segment(server, client, RST_ACK, [0, self.isn(client) + 1], LINUX);
    }

    /// A whole connection at one moment, or its beginning.
    pub fn connect(&mut self, client: SocketAddr, server: SocketAddr, end: End) {
        self.handshake(client, server);
        let [c, s] = self.numbers(client, server);
        self.segment(client, server, PSH_ACK, [c, s], LINUX);
        self.segment(server, client, PSH_ACK, [s, c + 100], LINUX);
        let (c, s) = (c + 100, s + 100);
        let ends = [(client, c), (server, s)];
        let (first, second) = match end {
            End::Client => (ends[0], ends[1]),
            End::Server => (ends[1], ends[0]),
            End::Open => return,
        };
        self.segment(first.0, second.0, FIN_ACK, [first.1, second.1], LINUX);
        self.segment(second.0, first.0, FIN_ACK, [second.1, first.1 + 1], LINUX);
        self.segment(first.0, second.0, ACK, [first.1 + 1, second.1 + 1], LINUX);
    }

    /// Its handshake.
    pub fn handshake(&mut self, client: SocketAddr, server: SocketAddr) {
        self.syn(client, server, LINUX);
        self.syn_ack(client, server);
        self.segment(client, server, ACK, self.numbers(client, server), LINUX);
    }

    /// For so many seconds, so many times a second, evenly.
    pub fn every(&mut self, seconds: u64, rate: u64, mut each: impl FnMut(&mut Self, u32)) {
        for i in 0..seconds * rate {
            each(self, i as u32);
            self.pass(SECOND / rate);
        }
    }

    /// Ends it: all that was told.
    pub fn finish(mut self) -> Vec<Incident> {
        self.pass(SECOND);
        let mut told = std::mem::take(&mut self.told);
        told.extend(self.aggregates.finish());
        told
    }

    /// Segments that found no place in the table.
    pub fn refused(&self) -> u64 {
        self.host.cpu().get(Counter::TableFull)
    }

    /// Things that the detectors remember.
    pub fn held(&self) -> [usize; 5] {
        self.aggregates.held()
    }
}

impl World {
    /// What an address counts from.
    pub fn isn(&self, of: SocketAddr) -> u32 {
        let IpAddr::V4(address) = of.ip() else { return 7 };
        ((address.to_bits() ^ u32::from(of.port()) << 8) & 0x3fff_ffff) + self.salt
    }

    /// The numbers that follow a handshake: the first one's own, and the other's.
    pub fn numbers(&self, from: SocketAddr, to: SocketAddr) -> [u32; 2] {
        [self.isn(from) + 1, self.isn(to) + 1]
    }
}

/// The `n`th of many clients.
pub fn client(n: u32) -> SocketAddr {
    // Spread over networks, as real ones are.
    let address = Ipv4Addr::from_bits(0x0b00_0000 | n.wrapping_mul(2_654_435_761) >> 8);
    (address, 32_768 + (n % 28_000) as u16).into()
}

/// A port of the host that the sensor is on.
pub fn local(port: u16) -> SocketAddr {
    (LOCAL, port).into()
}
