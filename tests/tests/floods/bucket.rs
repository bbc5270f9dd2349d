//! Addresses that are chosen for one bucket: only who knows the hash's multipliers can.

use std::collections::BTreeMap;

use sensor_common::{
    config::{Config, FIXED_HASH_KEYS, HASH_KEYS},
    counters::Counter,
    flow::TcpFlags,
    table::{self, WAYS},
    wire::{Packet, Slice, parse},
};

use super::{
    station::{SECOND, Station},
    traffic::{Frame, Live, client, stranger},
};

/// Flows that the table has room for.
const ROOM: u32 = 16_384;
/// Buckets, less one.
const MASK: u32 = ROOM / WAYS as u32 - 1;
/// Test-runs come from the loopback interface.
const LOOPBACK: u32 = 1;
/// Connections of others that share the bucket.
const OTHERS: usize = 4;
/// Tuples that collide: many times a bucket.
const CHOSEN: usize = 200;

/// The bucket of a source's connection with the service, under these multipliers.
fn bucket(source: (u32, u16), hash_keys: [u64; HASH_KEYS]) -> u32 {
    let mut frame = Frame::new(TcpFlags::SYN, 0, 52);
    let bytes = frame.from(source, 0, 0);
    let mut packet = Packet::default();
    parse(&Slice::new(bytes, bytes.len()), LOOPBACK, 0, true, &mut packet).expect("a segment");
    table::place(&packet.key, &Config { hash_keys, ..Config::replay(MASK) }).bucket
}

/// Other multipliers, as another load would draw them.
fn other_keys() -> [u64; HASH_KEYS] {
    FIXED_HASH_KEYS.map(|key| key.wrapping_mul(0xd134_2543_de82_ef95).rotate_left(29))
}

#[test]
fn chosen_addresses_hit_one_bucket_only_where_the_seed_is_known() {
    const TARGET: u32 = 77;
    let known = |source: &(u32, u16)| bucket(*source, FIXED_HASH_KEYS) == TARGET;
    let chosen: Vec<_> = (0..).map(stranger).filter(known).take(CHOSEN).collect();
    let others: Vec<_> = (0..).map(client).filter(known).take(OTHERS).collect();

    // Against the seed they were chosen for.
    let Some(mut station) = Station::load(ROOM) else { return };
    let (survivors, held, replaced) = attack(&mut station, &chosen, &others);
    assert_eq!(survivors, OTHERS, "established flows stay");
    let left = WAYS - OTHERS;
    assert_eq!(held, left, "what is left of one bucket");
    assert_eq!(replaced, (CHOSEN - left) as u64, "they replace one another");
    // And if nothing but established flows is in it, nobody gets in, and that is counted.
    let full = station.count(Counter::TableFull);
    let mut live = Live::default();
    let more: Vec<_> = (0..).map(client).filter(known).skip(OTHERS).take(left + 1).collect();
    for (i, source) in more.iter().enumerate() {
        live.connect(&mut station, *source);
        live.speak(&mut station, i);
    }
    assert_eq!(station.established().len(), WAYS);
    assert_eq!(station.count(Counter::TableFull) - full, 5, "all segments of the ninth");

    // Against another one they are as good as random.
    let Some(mut station) = Station::seeded(ROOM, other_keys()) else { return };
    let (survivors, held, replaced) = attack(&mut station, &chosen, &others);
    assert_eq!((survivors, held, replaced), (OTHERS, CHOSEN, 0), "each finds a place");
    let mut load = BTreeMap::<u32, usize>::new();
    chosen.iter().for_each(|source| *load.entry(bucket(*source, other_keys())).or_default() += 1);
    let most = load.values().max().copied().unwrap_or_default();
    // Of 200 random ones in 2048 buckets, five in one come about once in a thousand times.
    assert!(most <= 4, "{most} in one bucket");
}

/// Opens the others' connections, then asks from each chosen source. Others that are still followed, chosen ones that are, and
/// flows that were replaced.
fn attack(station: &mut Station, chosen: &[(u32, u16)], others: &[(u32, u16)]) -> (usize, usize, u64) {
    let mut live = Live::default();
    for (i, source) in others.iter().enumerate() {
        live.connect(station, *source);
        live.speak(station, i);
    }
    let mut frame = Frame::new(TcpFlags::SYN, 0, 52);
    for source in chosen {
        station.arrive(frame.from(*source, 1, 0));
        station.pass(SECOND / 1000);
    }
    station.pass(SECOND);
    let held = station.followed() - station.established().len();
    (station.established().len(), held, station.count(Counter::EvictedEmbryonic))
}
