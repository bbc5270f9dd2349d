//! Floods of requests, and crowds that look like them.

use super::*;

/// All from one place, whatever their sources say.
const ONE_PLACE: Look = Look { ttl: 52, ..LINUX };

#[test]
fn spoofed_and_not_answered() {
    let mut world = World::default();
    ordinary(&mut world, 10);
    world.every(8, 1000, |w, i| w.syn(client(i), local(443), ONE_PLACE));
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::SynFlood, Severity::Alert)], "{told:#?}");
    let flood = last(&told, Aggregate::SynFlood);
    assert_eq!(flood.sign.about, About::Service(local(443)));
    assert!(flood.sign.with.contains(&Aggregate::SpoofedSources), "{flood:#?}");
    assert!(said(flood, "none of them more than 0.1 %"), "{flood:#?}");
    assert!(said(flood, "TTL 52") && said(flood, "none of them is answered"), "{flood:#?}");
    assert!((5000..8100).contains(&flood.amount), "counts add up: {}", flood.amount);
    assert_eq!(flood.change, Change::Closed);
}

#[test]
fn a_burst_that_a_capture_ends_with() {
    let mut world = World::default();
    world.every(1, 5000, |w, i| w.syn(client(i), local(443), ONE_PLACE));
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::SynFlood, Severity::Alert)], "{told:#?}");
    let mut world = World::default();
    world.every(1, 5000, |w, i| w.connect(client(i), local(443), End::Open));
    silent(world, "a burst of connections");
}

#[test]
fn answered_and_never_completed() {
    let mut world = World::default();
    ordinary(&mut world, 10);
    world.every(8, 1000, |w, i| {
        w.syn(client(i), local(443), ONE_PLACE);
        w.syn_ack(client(i), local(443));
    });
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::SynFlood, Severity::Alert)], "{told:#?}");
    let flood = last(&told, Aggregate::SynFlood);
    assert!(flood.sign.with.contains(&Aggregate::HalfOpenRatio), "{flood:#?}");
    assert!(said(flood, "all are answered"), "{flood:#?}");
}

#[test]
fn from_one_source() {
    let mut world = World::default();
    let source = client(1).ip();
    world.every(8, 1000, |w, i| w.syn((source, 1024 + i as u16).into(), local(443), LINUX));
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::SynFlood, Severity::Alert)], "{told:#?}");
    let flood = last(&told, Aggregate::SynFlood);
    assert!(said(flood, &format!("{source} is the source of 100 %")) && flood.sign.with.is_empty(), "{flood:#?}");
}

/// Three make nine tenths of it, others the rest.
#[test]
fn from_a_few_sources() {
    let mut world = World::default();
    let source = |i: u32| if i % 10 == 9 { client(100 + i) } else { client(i % 3) };
    world.every(8, 1000, |w, i| w.syn((source(i).ip(), 1024 + i as u16).into(), local(443), LINUX));
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::SynFlood, Severity::Alert)], "{told:#?}");
    let flood = last(&told, Aggregate::SynFlood);
    let share = |source: SocketAddr| {
        let reason = flood.sign.reasons.iter().find(|reason| reason.contains("is the source of"))?;
        let reason = reason.replace("is the source of", "of");
        reason.split(&format!("{} of ", source.ip())).nth(1)?.split(' ').next()?.parse::<f64>().ok()
    };
    let named: Vec<f64> = (0..3).filter_map(|i| share(client(i))).collect();
    assert!(named.len() == 3 && named.iter().all(|share| (28.0..=32.0).contains(share)), "{flood:#?}");
    assert!(said(flood, " sources") && !flood.sign.with.contains(&Aggregate::SpoofedSources), "{flood:#?}");
}

#[test]
fn from_elsewhere_than_their_networks() {
    let mut world = World::default();
    let near = |i: u32, port: u16| SocketAddr::new(client(i % 50).ip(), port + (i % 28_000) as u16);
    world.every(20, 50, |w, i| w.connect(near(i, 32_768), local(443), End::Open));
    world.every(8, 1000, |w, i| w.syn(near(i, 1024), local(443), Look { ttl: 40 + (i % 7) as u8, ..LINUX }));
    let told = world.finish();
    let flood = last(&told, Aggregate::SynFlood);
    assert!(flood.sign.with.contains(&Aggregate::HopDrift), "{flood:#?}");
}

#[test]
fn a_flood_among_many_is_named_by_its_service() {
    let mut world = World::default();
    world.every(8, 1000, |w, i| {
        if i % 10 == 0 {
            w.connect(client(2_000_000 + i), local(80), End::Client);
        }
        w.syn(client(i), local(443), ONE_PLACE);
    });
    let told = world.finish();
    assert_eq!(kinds(&told).len(), 1, "{told:#?}");
    assert_eq!(last(&told, Aggregate::SynFlood).sign.about, About::Service(local(443)));
}

#[test]
fn a_slow_one_gathers() {
    let mut world = World::default();
    world.every(120, 60, |w, i| {
        w.syn(client(i), local(443), ONE_PLACE);
        w.syn_ack(client(i), local(443));
    });
    let told = world.finish();
    let told = kinds(&told);
    assert!(told.contains(&(Aggregate::SynFloodCusum, Severity::Warn)), "{told:#?}");
    assert!(told.iter().all(|(kind, _)| matches!(kind, Aggregate::SynFloodCusum | Aggregate::HalfOpenRatio)));
}

#[test]
fn half_open_connections_fill_a_small_backlog() {
    let mut world = World::on(Limits { somaxconn: 128, ..Limits::default() });
    world.every(5, 50, |w, i| {
        w.syn(client(i), local(443), LINUX);
        w.syn_ack(client(i), local(443));
    });
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::HalfOpenRatio, Severity::Alert)], "{told:#?}");
    assert!(told.iter().any(|i| i.sign.severity == Severity::Notice && i.change == Change::Opened), "first half full");
}

/// Few requests for each of many services.
fn spread(i: u32) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, (i % 50) as u8 + 1], 80 + (i % 400 / 50) as u16))
}

#[test]
fn spread_over_many_services() {
    for answered in [false, true] {
        let mut world = World::default();
        ordinary(&mut world, 10);
        world.every(8, 2000, |w, i| {
            w.syn(client(i), spread(i), ONE_PLACE);
            if answered {
                w.syn_ack(client(i), spread(i));
            }
        });
        let told = world.finish();
        assert_eq!(kinds(&told), [(Aggregate::SynFlood, Severity::Alert)], "{told:#?}");
        let flood = last(&told, Aggregate::SynFlood);
        assert_eq!(flood.sign.about, About::Here);
        assert!(
            flood.sign.with.contains(&Aggregate::SpoofedSources) && said(flood, "over many services"),
            "{flood:#?}"
        );
    }
}

#[test]
fn many_services_that_are_busy_or_cut_off_are_none() {
    // Requests from one place, as behind a router; all of them come about.
    let mut world = World::default();
    ordinary(&mut world, 10);
    world.every(6, 1500, |w, i| w.connect(client(i), spread(i), End::Client));
    silent(world, "many crowds together");
    // The network behind is gone: clients everywhere, or of one site, ask, and ask again.
    for look in [|n: u32| Look { ttl: 40 + (n % 24) as u8, ..LINUX }, |_| ONE_PLACE] {
        let mut world = World::default();
        ordinary(&mut world, 10);
        world.every(10, 2000, |w, i| {
            for before in [0, 2000, 6000] {
                if let Some(n) = i.checked_sub(before) {
                    w.syn(client(n), spread(n), look(n));
                }
            }
        });
        let told = world.finish();
        assert!(kinds(&told).iter().all(|(kind, _)| *kind != Aggregate::SynFlood), "an outage: {told:#?}");
    }
    // Hosts all over the world look for services, each for a few.
    let mut world = World::default();
    ordinary(&mut world, 10);
    world.every(10, 2000, |w, i| w.syn(client(i), spread(i), Look { ttl: 40 + (i % 24) as u8, ..LINUX }));
    let told = world.finish();
    assert!(kinds(&told).iter().all(|(kind, _)| *kind != Aggregate::SynFlood), "a scan by many: {told:#?}");
    // Of a site that is cut off each client asks for several services.
    let mut world = World::default();
    ordinary(&mut world, 10);
    world.every(10, 2000, |w, i| w.syn(client(i % 500), spread(i), ONE_PLACE));
    let told = world.finish();
    assert!(kinds(&told).iter().all(|(kind, _)| *kind != Aggregate::SynFlood), "a site cut off: {told:#?}");
}

#[test]
fn a_flash_crowd_is_none() {
    let mut world = World::default();
    ordinary(&mut world, 10);
    world.every(8, 800, |w, i| w.connect(client(i), local(443), End::Client));
    silent(world, "a flash crowd");
    let mut world = World::default();
    world.every(8, 800, |w, i| w.connect(client(i), local(443), End::Open));
    silent(world, "a flash crowd whose connections stay");
}

#[test]
fn a_slow_network_s_crowd_is_none() {
    let mut world = World::default();
    world.every(8, 500, |w, i| {
        w.syn(client(i), local(443), LINUX);
        w.syn_ack(client(i), local(443));
        // A round trip of half a second.
        if let Some(before) = i.checked_sub(250) {
            w.segment(client(before), local(443), ACK, w.numbers(client(before), local(443)), LINUX);
        }
    });
    silent(world, "a crowd over long round trips");
}

#[test]
fn a_service_that_is_down_is_none() {
    let mut world = World::default();
    ordinary(&mut world, 10);
    // Each client asks, and asks again after one, three and seven seconds.
    world.every(15, 300, |w, i| {
        for before in [0, 300, 900, 2100] {
            if let Some(n) = i.checked_sub(before) {
                w.syn(client(n), local(443), LINUX);
            }
        }
    });
    let told = world.finish();
    assert!(kinds(&told).iter().all(|(kind, _)| *kind != Aggregate::SynFlood), "{told:#?}");
}

#[test]
fn a_restart_is_none() {
    let mut world = World::default();
    ordinary(&mut world, 60);
    world.every(6, 300, |w, i| {
        w.syn(client(i), local(443), LINUX);
        w.refuse(client(i), local(443));
    });
    ordinary(&mut world, 10);
    silent(world, "a restart");
}
