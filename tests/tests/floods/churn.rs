//! Connections that anybody can make who can be answered: a handshake, and nothing more, from a new source each.

use sensor_common::counters::Counter;

use super::{
    scaled,
    station::{SECOND, Station},
    traffic::{Live, client, stranger},
};

/// Connections that do talk, and as many that come after the churn.
const LIVE: u32 = 1000;

#[test]
fn handshakes_and_nothing_more() {
    let (n, rate, room) = scaled((40_000_u32, 4000, 16_384), (2_000_000, 50_000, 131_072));
    let Some(mut station) = Station::load(room) else { return };
    let mut live = Live::establish(&mut station, LIVE);
    let (before, flows) = (station.counters(), station.established());
    let mut churn = Live::default();
    for i in 0..n {
        churn.connect(&mut station, stranger(i));
        if i % 20 == 0 {
            live.go_on(&mut station);
        }
        station.pass(SECOND / rate);
    }
    let after = station.counters();
    let grown = |counter| after.get(counter) - before.get(counter);
    let n = u64::from(n);
    assert_eq!([grown(Counter::Syn), grown(Counter::SynAck), grown(Counter::FlowsCreated)], [n; 3]);
    assert_eq!((grown(Counter::FlowsEstablished), grown(Counter::TableFull)), (n, 0), "each finds a place");
    let evicted = grown(Counter::EvictedSilent);
    assert!(evicted >= n - u64::from(room), "{evicted} replaced, of {n} that went through {room} places");
    let others = [Counter::EvictedEmbryonic, Counter::EvictedClosed, Counter::EvictedExpired];
    assert_eq!(others.map(grown), [0; 3], "they replace one another");
    let now = station.established();
    let lost = flows.iter().filter(|(key, index)| now.get(key) != Some(index)).count();
    assert_eq!(lost, 0, "connections that have talked are not replaced");

    // The table is full of them; who comes now is followed all the same, each from its beginning.
    for i in 0..LIVE {
        let at = live.talks.len();
        live.connect(&mut station, client(LIVE + i));
        live.speak(&mut station, at);
        station.pass(SECOND / u64::from(LIVE));
    }
    station.pass(2 * SECOND);
    let all = station.counters();
    assert_eq!(all.get(Counter::TableFull), 0);
    assert_eq!(all.get(Counter::FlowsEstablished) - after.get(Counter::FlowsEstablished), u64::from(LIVE));
    assert_eq!(all.get(Counter::BegunMidway), 0, "none was lost on its way");
    eprintln!("churn: {n} handshakes, {evicted} replaced, {} followed in the end", station.established().len());
}
