//! Ten million segments of no connection beside ten thousand connections: SYNs, SYN-ACKs, ACKs, resets.

use std::time::Instant;

use sensor::correlate::State;
use sensor_common::{counters::Counter, detect::Severity, flow::TcpFlags};
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

/// Floods with segments like these, `phase` after the agent's last look; it is told as this, at the first look after so many.
/// Returns the sensor, for what else there is to say.
fn flood(what: &str, flags: TcpFlags, phase: u64, enough: u64) -> Option<Station> {
    let (n, rate) = scaled((160_000_u32, 40_000), (10_000_000, 1_000_000));
    let mut station = Station::load(131_072)?;
    let mut live = Live::establish(&mut station, LIVE);
    station.pass(phase);
    let (before, flows) = (station.counters(), station.established());
    assert!(flows.len() as u32 == LIVE && station.incidents().is_empty(), "{:#?}", station.incidents());
    let (maps, held, clock) = (station.map_bytes(), memory(), Instant::now());

    let mut frame = Frame::new(flags, 0, 52);
    let ack = if flags.any(TcpFlags::ACK) { 0x1234_5678 } else { 0 };
    let begun = station.now();
    let mut waiting = std::collections::VecDeque::new();
    let mut asked = 0;
    for i in 0..n {
        station.arrive(frame.from(stranger(i), i.wrapping_mul(7919), ack));
        if i % EXCHANGE == 0 {
            live.go_on(&mut station);
        }
        if i % (n / NEW) == 0 && asked < NEW {
            let new = client(LIVE + asked);
            asked += 1;
            live.ask(&mut station, new);
            live.grant(&mut station, new);
            waiting.push_back((station.now() + ROUND_TRIP, new));
        }
        if let Some((_, new)) = waiting.pop_front_if(|(due, _)| *due <= station.now()) {
            live.agree(&mut station, new);
            live.speak(&mut station, live.talks.len() - 1);
        }
        station.pass(SECOND / rate);
    }
    while let Some((_, new)) = waiting.pop_front() {
        live.agree(&mut station, new);
        live.speak(&mut station, live.talks.len() - 1);
    }
    let (ended, after) = (station.now(), station.counters());
    eprintln!(
        "{what}: {n} segments, {:.1} s of machine time, memory {} KiB, before {held} KiB, maps {} KiB",
        clock.elapsed().as_secs_f64(),
        memory(),
        maps / 1024,
    );

    // Exact counters, by kind.
    let grown = |counter| after.get(counter) - before.get(counter);
    let others = 2 * u64::from(n.div_ceil(EXCHANGE)) + 5 * u64::from(NEW);
    let n = u64::from(n);
    assert_eq!(grown(Counter::Segments), n + others);
    let sent = |with: bool, new: u32| if with { n } else { 0 } + u64::from(new);
    assert_eq!(grown(Counter::Syn), sent(flags == TcpFlags::SYN, NEW));
    assert_eq!(grown(Counter::SynAck), sent(flags == SYN_ACK, NEW));
    assert_eq!(grown(Counter::Rst), sent(flags == TcpFlags::RST, 0));
    assert_eq!(grown(Counter::Strays), sent(flags == TcpFlags::RST, 0));
    assert_eq!(grown(Counter::TableFull), 0);
    let evicted = grown(Counter::EvictedEmbryonic) + grown(Counter::EvictedExpired);
    eprintln!("{what}: {} flows made, {evicted} replaced", grown(Counter::FlowsCreated));

    // Whoever was established still is, where it was, and who came meanwhile is, too.
    let now = station.established();
    let lost = flows.iter().filter(|(key, index)| now.get(key) != Some(index)).count();
    assert_eq!(lost, 0, "established flows were evicted");
    assert_eq!(now.len() as u32, LIVE + NEW, "who came meanwhile is followed");
    assert_eq!(grown(Counter::EvictedClosed), 0);
    assert_eq!(station.map_bytes(), maps, "tables do not grow");

    // One incident, within a second, as what it is.
    let told = station.incidents();
    let opened: Vec<_> = told.iter().filter(|incident| incident.view.state == State::Open).collect();
    let [first] = opened[..] else { panic!("{what}: one incident, not {told:#?}") };
    assert_eq!(first.kind(), what);
    assert!(
        first.at <= begun + enough * SECOND / rate + SECOND,
        "{} ms after it began",
        (first.at - begun) / 1_000_000
    );
    assert!(station.findings(Severity::Notice).is_empty(), "{:?}", station.findings(Severity::Notice).first());

    // Five seconds later all is as before.
    station.pass(5 * SECOND);
    let new = live.talks.len();
    live.connect(&mut station, client(LIVE + NEW));
    live.speak(&mut station, new);
    assert_eq!(station.established().len() as u32, LIVE + NEW + 1);
    live.speak(&mut station, new);
    live.forge(&mut station, new);
    station.pass(SECOND);
    let found = station.findings(Severity::Warn);
    assert!(found.len() == 1 && found[0]["kind"] == "ttl-rst-mismatch", "{found:#?}");

    // A minute later it is over, and says when it was, and how much.
    station.pass(65 * SECOND);
    let told = station.incidents();
    let over: Vec<_> = told.iter().filter(|i| i.view.state == State::Closed && i.kind() == what).collect();
    let [over] = over[..] else { panic!("{what}: it is over once, not {told:#?}") };
    assert!(over.view.last <= ended + 5 * SECOND, "{what}: it went on for too long");
    let counted = over.view.findings;
    assert!((n - enough..=n + u64::from(NEW)).contains(&counted), "{what}: {counted} of {n} in the incident");
    eprintln!("{what}: {}", over.view.what);
    Some(station)
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
