//! Ten million segments of no connection beside ten thousand connections: SYNs, SYN-ACKs, ACKs, resets.

use std::collections::{HashMap, VecDeque};

use sensor::correlate::State;
use sensor_common::{
    counters::{Counter, Cpu},
    detect::Severity,
    flow::{Key, TcpFlags},
};
use tests::scenario::{ACK, SYN_ACK};

use super::{
    scaled,
    station::{SECOND, Station, memory},
    traffic::{Frame, Live, client, stranger},
};

/// Connections beside the flood.
const LIVE: u32 = 10_000;
/// Connections that are made while it goes on.
const NEW: u32 = 100;
/// What a real one's round trip takes.
const ROUND_TRIP: u64 = SECOND / 25;
/// Segments of the flood to each exchange of a connection.
const EXCHANGE: u32 = 20;

/// A flood, and what was before it.
struct Flood {
    what: &'static str,
    flags: TcpFlags,
    /// Segments, in all and a second.
    n: u32,
    rate: u64,
    station: Station,
    live: Live,
    begun: u64,
    before: Cpu,
    flows: HashMap<Key, usize>,
}

/// Floods with segments like these, `phase` after the agent's last look. It is told as this, at the first look after so many.
/// Returns the sensor, for what else there is to say.
fn flood(what: &'static str, flags: TcpFlags, phase: u64, enough: u64) -> Option<Station> {
    let mut flood = Flood::prepare(what, flags, phase)?;
    let (maps, held) = (flood.station.map_bytes(), memory());
    flood.send();
    let ended = flood.station.now();
    flood.counts_are_exact();
    flood.nobody_lost_its_place();
    assert_eq!(flood.station.map_bytes(), maps, "tables do not grow");
    eprintln!("{what}: {} KiB of maps, {held} KiB of its own before, {} KiB after", maps / 1024, memory());
    flood.is_told_once(enough);
    flood.recovers();
    flood.is_over(ended, enough);
    Some(flood.station)
}

impl Flood {
    fn prepare(what: &'static str, flags: TcpFlags, phase: u64) -> Option<Self> {
        let (n, rate) = scaled((160_000, 40_000), (10_000_000, 1_000_000));
        let mut station = Station::load(131_072)?;
        let live = Live::establish(&mut station, LIVE);
        station.pass(phase);
        let (begun, before, flows) = (station.now(), station.counters(), station.established());
        assert!(flows.len() as u32 == LIVE && station.incidents().is_empty(), "{:#?}", station.incidents());
        Some(Self { what, flags, n, rate, station, live, begun, before, flows })
    }

    fn send(&mut self) {
        let Self { flags, n, rate, station, live, .. } = self;
        let mut frame = Frame::new(*flags, 0, 52);
        let ack = if flags.any(TcpFlags::ACK) { 0x1234_5678 } else { 0 };
        let (mut asked, mut waiting) = (0, VecDeque::new());
        for i in 0..*n {
            station.arrive(frame.from(stranger(i), i.wrapping_mul(7919), ack));
            if i % EXCHANGE == 0 {
                live.go_on(station);
            }
            if i % (*n / NEW) == 0 && asked < NEW {
                let new = client(LIVE + asked);
                asked += 1;
                live.ask(station, new);
                live.grant(station, new);
                waiting.push_back((station.now() + ROUND_TRIP, new));
            }
            let now = station.now();
            if let Some((_, new)) = waiting.pop_front_if(|(due, _)| *due <= now) {
                live.begin(station, new);
            }
            station.pass(SECOND / *rate);
        }
        waiting.into_iter().for_each(|(_, new)| live.begin(station, new));
    }

    /// By how much a counter has grown.
    fn grown(&self, counter: Counter) -> u64 {
        self.station.count(counter) - self.before.get(counter)
    }

    fn counts_are_exact(&self) {
        let n = u64::from(self.n);
        let others = 2 * u64::from(self.n.div_ceil(EXCHANGE)) + 5 * u64::from(NEW);
        let sent = |flags: TcpFlags, new: u32| if self.flags == flags { n } else { 0 } + u64::from(new);
        for (counter, expected) in [
            (Counter::Segments, n + others),
            (Counter::Syn, sent(TcpFlags::SYN, NEW)),
            (Counter::SynAck, sent(SYN_ACK, NEW)),
            (Counter::Rst, sent(TcpFlags::RST, 0)),
            (Counter::Strays, sent(TcpFlags::RST, 0)),
            (Counter::TableFull, 0),
            (Counter::EvictedClosed, 0),
            (Counter::EvictedSilent, 0),
        ] {
            assert_eq!(self.grown(counter), expected, "{}: {}", self.what, counter.id());
        }
        let replaced = self.grown(Counter::EvictedEmbryonic) + self.grown(Counter::EvictedExpired);
        eprintln!("{}: {} flows made, {replaced} replaced", self.what, self.grown(Counter::FlowsCreated));
    }

    /// Whoever was established still is, where it was; who came meanwhile is, too.
    fn nobody_lost_its_place(&self) {
        let now = self.station.established();
        let lost = self.flows.iter().filter(|(key, index)| now.get(key) != Some(index)).count();
        assert_eq!(lost, 0, "{}: established flows were evicted", self.what);
        assert_eq!(now.len() as u32, LIVE + NEW, "{}: who came meanwhile is followed", self.what);
    }

    /// As what it is, at the first look after `enough` segments; and no connection is suspected of anything.
    fn is_told_once(&self, enough: u64) {
        let told = self.station.incidents();
        let opened: Vec<_> = told.iter().filter(|incident| incident.view.state == State::Open).collect();
        let [first] = opened[..] else { panic!("{}: one incident, not {told:?}", self.what) };
        assert_eq!(first.kind(), self.what);
        let after = first.at - self.begun;
        assert!(after <= enough * SECOND / self.rate + SECOND, "{}: {after} ns after it began", self.what);
        let suspected = self.station.findings(Severity::Notice);
        assert!(suspected.is_empty(), "{}: {:?}", self.what, suspected.first());
    }

    /// Five seconds later a new connection is followed from its beginning, and what is wrong with it is told.
    fn recovers(&mut self) {
        let Self { station, live, .. } = self;
        station.pass(5 * SECOND);
        let new = live.talks.len();
        live.connect(station, client(LIVE + NEW));
        live.speak(station, new);
        live.speak(station, new);
        assert_eq!(station.established().len() as u32, LIVE + NEW + 1);
        live.forge(station, new);
        station.pass(SECOND);
        let found = station.findings(Severity::Warn);
        assert!(found.len() == 1 && found[0]["kind"] == "ttl-rst-mismatch", "{found:?}");
    }

    /// A minute after its last sign it is over, and says when that was, and how much there was.
    fn is_over(&mut self, ended: u64, enough: u64) {
        self.station.pass(65 * SECOND);
        let told = self.station.incidents();
        let over: Vec<_> = told.iter().filter(|i| i.view.state == State::Closed && i.kind() == self.what).collect();
        let [over] = over[..] else { panic!("{}: it is over once, not {told:?}", self.what) };
        assert!(over.view.last <= ended + 5 * SECOND, "{}: it went on for too long", self.what);
        let (n, counted) = (u64::from(self.n), over.view.findings);
        assert!((n - enough..=n + u64::from(NEW)).contains(&counted), "{}: {counted} of {n}", self.what);
        eprintln!("{}: {}", self.what, over.view.what);
    }
}

#[test]
fn requests() {
    flood("syn-flood", TcpFlags::SYN, 0, 3000);
}

#[test]
fn answers() {
    let Some(station) = flood("synack-flood", SYN_ACK, SECOND / 4, 10_000) else { return };
    // Whoever makes up servers must not take the places of real ones.
    assert_eq!(station.count(Counter::ServiceOverflow), 0);
    assert_eq!(station.services(), 1);
}

#[test]
fn acknowledgments() {
    flood("ack-flood", ACK, SECOND / 2, 15_000);
}

#[test]
fn resets() {
    flood("rst-flood-in", TcpFlags::RST, SECOND * 9 / 10, 10_000);
}
