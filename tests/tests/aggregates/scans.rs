//! Scans of each sort, and clients that look like scanners.

use super::*;

const SCANNER: [u8; 4] = [203, 0, 113, 66];

fn scanner() -> SocketAddr {
    (SCANNER, 51_234).into()
}

/// A scan of ports from 1 on, among ordinary connections.
fn scan(ports: u16, probe: impl Fn(&mut World, u16)) -> Vec<Incident> {
    let mut world = World::default();
    ordinary(&mut world, 5);
    for port in 1..=ports {
        probe(&mut world, port);
        world.pass(5_000_000);
    }
    ordinary(&mut world, 10);
    world.finish()
}

#[test]
fn by_half_open_connections() {
    let told = scan(200, |w, port| {
        w.syn(scanner(), local(port), Look { window: 1024, options: false, ..LINUX });
        if port == 22 {
            w.syn_ack(scanner(), local(port));
            w.segment(scanner(), local(port), RST, w.numbers(scanner(), local(port)), LINUX);
        } else {
            w.refuse(scanner(), local(port));
        }
    });
    assert_eq!(kinds(&told), [(Aggregate::ScanSyn, Severity::Warn)], "{told:#?}");
    let scan = last(&told, Aggregate::ScanSyn);
    assert_eq!((scan.sign.about, scan.amount), (About::Source(SCANNER.into()), 200));
    assert!(told.iter().any(|i| i.sign.with.contains(&Aggregate::ScanMasscan)), "{told:#?}");
}

#[test]
fn by_connections() {
    let told = scan(60, |w, port| {
        if port == 22 {
            w.handshake(scanner(), local(port));
            w.segment(scanner(), local(port), RST_ACK, w.numbers(scanner(), local(port)), LINUX);
        } else {
            w.syn(scanner(), local(port), LINUX);
            w.refuse(scanner(), local(port));
        }
    });
    assert_eq!(kinds(&told), [(Aggregate::ScanConnect, Severity::Notice)], "{told:#?}");
    assert!(said(last(&told, Aggregate::ScanConnect), "open: 192.0.2.80:22"), "{told:#?}");
}

#[test]
fn by_segments_that_open_nothing() {
    for (flags, kind) in [
        (TcpFlags::FIN, Aggregate::ScanFin),
        (TcpFlags(0), Aggregate::ScanNull),
        (TcpFlags::FIN.with(TcpFlags::PSH).with(TcpFlags::URG), Aggregate::ScanXmas),
        (FIN_ACK, Aggregate::ScanMaimon),
    ] {
        let told = scan(120, |w, port| w.segment(scanner(), local(port), flags, [port.into(), 0], LINUX));
        assert_eq!(kinds(&told), [(kind, Severity::Warn)], "{told:#?}");
        assert_eq!(last(&told, kind).amount, 120, "counts add up");
    }
}

#[test]
fn by_acks_that_are_rejected() {
    let told = scan(120, |w, port| {
        w.segment(scanner(), local(port), ACK, [7, 9], LINUX);
        w.segment(local(port), scanner(), RST, [9, 0], LINUX);
    });
    let found = kinds(&told);
    assert!(matches!(found[..], [(Aggregate::ScanAck, _)]), "{told:#?}");
}

#[test]
fn over_hosts_as_zmap_does() {
    let mut world = World::default();
    let zmap = Look { id: 54_321, window: 65_535, options: false, ..LINUX };
    world.every(4, 20, |w, i| w.syn(scanner(), ([192, 0, 2, 81 + i as u8], 23).into(), zmap));
    world.pass(70 * SECOND);
    let told = world.finish();
    assert_eq!(kinds(&told), [(Aggregate::Sweep, Severity::Notice)], "{told:#?}");
    assert!(said(last(&told, Aggregate::Sweep), "sweeps 80 hosts for port 23"), "{told:#?}");
}

#[test]
fn a_client_whose_server_is_gone_is_none() {
    let mut world = World::default();
    world.every(30, 10, |w, i| {
        let from = SocketAddr::from((SCANNER, 33_000 + i as u16));
        w.syn(from, local(443), LINUX);
        w.refuse(from, local(443));
    });
    silent(world, "a client whose server is gone");
}

#[test]
fn a_busy_proxy_with_dead_backends_is_none() {
    let mut world = World::default();
    world.every(30, 20, |w, i| {
        let (from, to) = (local(33_000 + i as u16), SocketAddr::from(([10, 0, 0, (i % 100) as u8], 8080)));
        if i % 5 == 0 {
            w.syn(from, to, LINUX);
            w.refuse(from, to);
        } else {
            w.connect(from, to, End::Client);
        }
    });
    silent(world, "a busy proxy");
}

#[test]
fn an_office_behind_one_address_is_none() {
    let mut world = World::default();
    world.every(30, 20, |w, i| {
        let (from, to) = (SocketAddr::from((SCANNER, 33_000 + i as u16)), local(1 + (i % 40) as u16));
        if i % 10 == 0 {
            w.syn(from, to, LINUX);
            w.refuse(from, to);
        } else {
            w.connect(from, to, End::Client);
        }
    });
    silent(world, "many users behind one address");
}

#[test]
fn a_monitor_s_probes_are_none() {
    let mut world = World::default();
    world.every(60, 2, |w, i| {
        let (from, to) = (SocketAddr::from((SCANNER, 33_000 + i as u16)), local(8000 + (i % 40) as u16));
        w.handshake(from, to);
    });
    silent(world, "a monitor");
}

#[test]
fn a_network_that_is_down_makes_no_scanner_of_this_host() {
    let mut world = World::default();
    world.every(10, 5, |w, i| w.syn(local(33_000 + i as u16), ([10, 0, 0, i as u8], 443).into(), LINUX));
    world.pass(70 * SECOND);
    silent(world, "a network that is down");
}

#[test]
fn connections_from_before_the_start_are_none() {
    let mut world = World::default();
    // A server that ends them, in the first seconds.
    world.every(5, 20, |w, i| w.segment(local(443), client(i), FIN_ACK, [i, 1], LINUX));
    // A proxy that goes on with its own.
    world.every(5, 20, |w, i| {
        let (from, to) = (local(40_000 + i as u16), SocketAddr::from(([10, 0, 0, i as u8], 8080)));
        w.segment(from, to, ACK, [7, 9], LINUX);
        w.segment(to, from, ACK, [9, 7], LINUX);
    });
    silent(world, "connections from before");
}
