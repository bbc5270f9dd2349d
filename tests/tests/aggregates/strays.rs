//! Floods of what belongs to no connection.

use super::*;

fn flood(flags: TcpFlags) -> Vec<Incident> {
    let mut world = World::default();
    ordinary(&mut world, 20);
    world.every(6, 2000, |w, i| w.segment(client(i), local(443), flags, [i, 1], LINUX));
    world.finish()
}

#[test]
fn resets_fins_acks_and_syn_acks() {
    for (flags, kind) in [
        (RST, Aggregate::RstFloodIn),
        (FIN_ACK, Aggregate::FinFlood),
        (ACK, Aggregate::AckFlood),
        (SYN_ACK, Aggregate::SynAckFlood),
    ] {
        let told = flood(flags);
        assert_eq!(kinds(&told), [(kind, Severity::Warn)], "{told:#?}");
        assert!(last(&told, kind).sign.headline.contains("192.0.2.80:443"), "{told:#?}");
    }
}

/// Who sends how much of it, as far as it has a sender.
#[test]
fn their_sources_have_shares() {
    let spread = flood(RST);
    assert!(said(last(&spread, Aggregate::RstFloodIn), "none of them more than"), "{spread:#?}");
    let mut world = World::default();
    ordinary(&mut world, 20);
    world.every(6, 2000, |w, i| w.segment(client(i % 2), local(443), RST, [i, 1], LINUX));
    let told = world.finish();
    let flood = last(&told, Aggregate::RstFloodIn);
    let [one, two] = [client(0), client(1)].map(|source| source.ip().to_string());
    let words = [[&one, &two], [&two, &one]].map(|[a, b]| format!("{a} is the source of 50 %, {b} of 50 %"));
    assert!(words.iter().any(|words| said(flood, words)), "{flood:#?}");
}

#[test]
fn a_sensor_that_has_just_started_is_patient() {
    for flags in [RST, FIN_ACK, ACK] {
        let mut world = World::default();
        world.every(6, 2000, |w, i| w.segment(client(i), local(443), flags, [i, 1], LINUX));
        silent(world, "a start among live connections");
    }
}

/// A flood finds some buckets full of live connections: that is no reason to keep quiet.
#[test]
fn a_flood_at_a_table_that_is_nearly_full() {
    for (flags, kind) in [(RST, Aggregate::RstFloodIn), (ACK, Aggregate::AckFlood)] {
        let mut world = World::of(1024);
        world.every(20, 30, |w, i| w.connect(client(1_000_000 + i), local(443), End::Open));
        world.every(6, 4000, |w, i| w.segment(client(i), local(443), flags, [i, 1], LINUX));
        assert!(world.refused() > 0);
        let told = world.finish();
        assert_eq!(kinds(&told), [(kind, Severity::Warn)], "{told:#?}");
    }
}

/// Live connections without a place leave resets and FINs of nobody behind.
#[test]
fn a_table_that_is_too_small_is_none() {
    let mut world = World::of(64);
    world.every(40, 400, |w, i| {
        w.connect(client(i % 4000), local(443), if i % 2 == 0 { End::Client } else { End::Open })
    });
    assert!(world.refused() > 10_000);
    silent(world, "a table that is too small");
}

#[test]
fn connections_that_move_here_are_none() {
    let mut world = World::default();
    ordinary(&mut world, 20);
    world.every(6, 1500, |w, i| {
        w.segment(client(i), local(443), ACK, [100, 900], LINUX);
        w.segment(local(443), client(i), ACK, [900, 100], LINUX);
        w.segment(client(i), local(443), ACK, [101, 901], LINUX);
    });
    silent(world, "a failover");
}

#[test]
fn a_service_that_stays_away_is_a_surge_of_resets() {
    let mut world = World::default();
    ordinary(&mut world, 20);
    world.every(20, 300, |w, i| {
        w.syn(client(i), local(443), LINUX);
        w.refuse(client(i), local(443));
    });
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::RstOutSurge, Severity::Warn)], "{told:#?}");
    assert!(last(&told, Aggregate::RstOutSurge).sign.headline.contains("192.0.2.80:443"), "{told:#?}");
}

#[test]
fn backscatter_is_told_mildly_and_is_no_scan() {
    let mut world = World::default();
    let victim: SocketAddr = ([198, 51, 100, 7], 80).into();
    world.every(3, 20, |w, i| {
        let flags = if i % 2 == 0 { SYN_ACK } else { RST_ACK };
        w.segment(victim, local(40_000 + i as u16), flags, [i, 1], LINUX);
    });
    let told = world.finish();
    let backscatter = last(&told, Aggregate::Backscatter);
    assert_eq!((backscatter.sign.severity, backscatter.sign.about), (Severity::Info, About::Service(victim)));
    assert!(kinds(&told).is_empty(), "{told:#?}");
}
