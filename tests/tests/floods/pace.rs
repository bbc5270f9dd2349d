//! Two hundred thousand new sources a second, for a minute.

use sensor::correlate::State;
use sensor_common::{counters::Counter, detect::Severity, flow::TcpFlags};

use super::{
    scaled,
    station::{SECOND, Station, memory},
    traffic::{Frame, Live, isn, stranger},
};

/// Connections beside it.
const LIVE: u32 = 1000;

/// The host answers one in four, as far as its cookies go, and the sources never come back.
#[test]
fn a_minute_of_requests() {
    let (rate, seconds) = scaled((4000_u32, 30), (200_000, 60));
    let Some(mut station) = Station::load(131_072) else { return };
    let mut live = Live::establish(&mut station, LIVE);
    let (before, flows, held) = (station.counters(), station.established(), memory());
    let (begun, mut frame) = (station.now(), Frame::new(TcpFlags::SYN, 0, 52));
    let n = rate * seconds;
    for i in 0..n {
        station.arrive(frame.from(stranger(i), isn(stranger(i)), 0));
        if i % 4 == 0 {
            live.grant(&mut station, stranger(i));
        }
        if i % 20 == 0 {
            live.go_on(&mut station);
        }
        station.pass(SECOND / u64::from(rate));
    }
    let (ended, after) = (station.now(), station.counters());
    station.pass(70 * SECOND);
    assert_eq!(after.get(Counter::Syn) - before.get(Counter::Syn), u64::from(n));
    assert_eq!(after.get(Counter::SynAck) - before.get(Counter::SynAck), u64::from(n / 4));
    assert_eq!(after.get(Counter::FlowsEstablished), u64::from(LIVE));
    let now = station.established();
    assert!(now.len() as u32 == LIVE && flows.iter().all(|(key, index)| now.get(key) == Some(index)));
    let told = station.incidents();
    let first = &told[0];
    assert!(first.kind() == "syn-flood" && first.at <= begun + SECOND, "{told:?}");
    assert!(told.iter().all(|incident| incident.kind() == "syn-flood"), "one thing: {told:?}");
    assert!(told.len() <= 5, "told when it begins, is ten times as much, is over: {}", told.len());
    let over = told.last().filter(|incident| incident.view.state == State::Closed).expect("it is over");
    assert!(over.view.last <= ended + SECOND, "{told:?}");
    eprintln!("{n} SYNs, {} counted in the incident; memory {} KiB, before {held} KiB", over.view.findings, memory());
    assert!(station.findings(Severity::Notice).is_empty());
}
