//! Cheap anomalies without end, and a thousand severe ones among them: each of those is told.

use std::collections::HashSet;

use sensor_common::{counters::Counter, detect::Severity, flow::TcpFlags};
use tests::scenario::{ACK, PSH_ACK};

use super::{
    scaled,
    station::{SECOND, Station},
    traffic::{Frame, Live, stranger},
};

/// Connections that are reset in their clients' names.
const SEVERE: u32 = 1000;

/// What anybody can send from any address: each is worth a word by itself.
fn cheap() -> Vec<Frame> {
    let syn = Frame::new(TcpFlags::SYN, 100, 52);
    let mut reserved = Frame::new(ACK, 0, 52);
    reserved.0[46] |= 0x02;
    let mut urgent = Frame::new(PSH_ACK, 10, 52);
    urgent.0[53] = 7;
    let mut options = Frame::new(TcpFlags::SYN, 0, 52);
    options.0[55] = 0;
    vec![syn, reserved, urgent, options]
}

/// Sprays; the report takes what is in the queue all the while, or only at the end.
fn spray(reads: bool) -> Option<Station> {
    let (n, rate) = scaled((100_000_u32, 50_000), (5_000_000, 200_000));
    let mut station = Station::load(131_072)?;
    let mut live = Live::establish(&mut station, SEVERE);
    (0..SEVERE as usize).for_each(|i| live.speak(&mut station, i));
    station.reads = reads;
    let mut frames = cheap();
    let kinds = frames.len() as u32;
    for i in 0..n {
        station.arrive(frames[(i % kinds) as usize].from(stranger(i), i, 1));
        if i % (n / SEVERE) == 0 {
            live.forge(&mut station, (i / (n / SEVERE)) as usize);
        }
        station.pass(SECOND / rate);
    }
    station.reads = true;
    station.pass(2 * SECOND);
    Some(station)
}

/// Each of them is told, and none of the cheap ones made room for itself.
fn all_told(station: &Station) {
    let cpu = station.counters();
    assert_eq!((cpu.get(Counter::RingFullHigh), station.dropped()), (0, 0));
    assert!(cpu.matched_total() > cpu.get(Counter::Submitted) * 10, "they are held back");
    let told = station.findings(Severity::Warn);
    let resets: HashSet<_> = told
        .iter()
        .filter(|finding| finding["kind"] == "ttl-rst-mismatch")
        .map(|finding| format!("{} {}", finding["src_addr"], finding["src_port"]))
        .collect();
    assert_eq!(resets.len(), SEVERE as usize, "of {}", told.len());
    eprintln!(
        "spray: {} found, {} submitted, {} held back by rate, {} lines",
        cpu.matched_total(),
        cpu.get(Counter::Submitted),
        cpu.get(Counter::HeldBackRate),
        station.findings(Severity::Info).len()
    );
}

#[test]
fn a_thousand_severe_ones_among_cheap_ones() {
    let Some(station) = spray(true) else { return };
    all_told(&station);
}

/// A reader that has stopped, as far as the queue goes: what the limits let through has room to wait.
#[test]
fn they_wait_for_a_reader_that_has_stopped() {
    let Some(station) = spray(false) else { return };
    all_told(&station);
}
