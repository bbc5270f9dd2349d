//! Aggregates in virtual time: what must be told, and what only looks like it and must not.

use std::net::SocketAddr;

use sensor::correlate::aggregate::{About, Aggregate, Change, Incident, Limits};
use sensor_common::{detect::Severity, flow::TcpFlags};
use tests::{
    crowd::{End, LINUX, Look, SECOND, World, client, local},
    scenario::{ACK, FIN_ACK, RST, RST_ACK, SYN_ACK},
};

/// The kinds that were told, each with its worst severity, from notice up.
fn kinds(told: &[Incident]) -> Vec<(Aggregate, Severity)> {
    let mut kinds: Vec<(Aggregate, Severity)> = Vec::new();
    for incident in told.iter().filter(|incident| incident.sign.severity > Severity::Info) {
        match kinds.iter_mut().find(|(kind, _)| *kind == incident.sign.kind) {
            Some((_, worst)) => *worst = incident.sign.severity.max(*worst),
            None => kinds.push((incident.sign.kind, incident.sign.severity)),
        }
    }
    kinds
}

/// The last that was told of a kind.
fn last(told: &[Incident], kind: Aggregate) -> &Incident {
    told.iter().rev().find(|incident| incident.sign.kind == kind).unwrap_or_else(|| panic!("{kind:?} in {told:#?}"))
}

fn said(incident: &Incident, words: &str) -> bool {
    incident.sign.headline.contains(words) || incident.sign.reasons.iter().any(|reason| reason.contains(words))
}

fn silent(world: World, what: &str) {
    let told = world.finish();
    assert!(kinds(&told).is_empty(), "{what}: {told:#?}");
}

/// Ordinary traffic for a while.
fn ordinary(world: &mut World, seconds: u64) {
    world.every(seconds, 20, |w, i| w.connect(client(1_000_000 + i), local(443), End::Client));
}

mod floods {
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
        assert!(said(flood, "TTL 52") && said(flood, "none of them is answered"), "{flood:#?}");
        assert!((5000..8100).contains(&flood.amount), "counts add up: {}", flood.amount);
        assert_eq!(flood.change, Change::Closed);
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
        assert!(said(flood, &format!("come from {source}")) && flood.sign.with.is_empty(), "{flood:#?}");
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
        assert!(
            told.iter().any(|i| i.sign.severity == Severity::Notice && i.change == Change::Opened),
            "first half full"
        );
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
}

mod strays {
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

    #[test]
    fn a_sensor_that_has_just_started_is_patient() {
        for flags in [RST, FIN_ACK, ACK] {
            let mut world = World::default();
            world.every(6, 2000, |w, i| w.segment(client(i), local(443), flags, [i, 1], LINUX));
            silent(world, "a start among live connections");
        }
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
}

mod scans {
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
}

mod ports {
    use super::*;

    const SERVER: ([u8; 4], u16) = ([198, 51, 100, 10], 5432);

    /// This host, with 1000 ports, opens connections at such a share of what is possible.
    fn at(share: f64, end: End) -> Vec<Incident> {
        let mut world = World::on(Limits { ports: [40_000, 40_999], ..Limits::default() });
        let rate = 1000.0 / 60.0 * share;
        let gap = (SECOND as f64 / rate) as u64;
        for i in 0..(rate * 80.0) as u32 {
            world.connect(local(40_000 + (i % 1000) as u16), SERVER.into(), end);
            world.pass(gap);
        }
        world.finish()
    }

    #[test]
    fn half_of_them_is_a_notice_and_nearly_all_an_alert() {
        for (share, severity) in
            [(0.4, None), (0.55, Some(Severity::Notice)), (0.85, Some(Severity::Warn)), (1.0, Some(Severity::Alert))]
        {
            let told = at(share, End::Client);
            let expected: Vec<_> = severity.map(|s| (Aggregate::EphemeralExhaustion, s)).into_iter().collect();
            assert_eq!(kinds(&told), expected, "{share}: {told:#?}");
            if severity.is_some() {
                let exhaustion = last(&told, Aggregate::EphemeralExhaustion);
                assert!(said(exhaustion, "of 1000 ports to 198.51.100.10:5432"), "{exhaustion:#?}");
                assert!(
                    said(exhaustion, "16.7 connections a second are possible")
                        && said(exhaustion, "ip_local_port_range"),
                    "{exhaustion:#?}"
                );
                assert!(said(exhaustion, "head-room") || share >= 1.0, "{exhaustion:#?}");
                assert_eq!(exhaustion.view().next.len(), 3, "three remedies");
            }
        }
    }

    #[test]
    fn a_server_that_closes_first_leaves_the_client_its_ports() {
        assert!(kinds(&at(1.0, End::Server)).is_empty());
    }

    /// 20 connections a second from so many ports, for a minute each.
    fn again(tw_reuse: bool, ports: [u32; 2]) -> Vec<Incident> {
        let mut world = World::on(Limits { ports: [40_000, 40_999], tw_reuse, ..Limits::default() });
        for i in 0..20 * 120 {
            let ports = ports[(i / 1200) as usize];
            world.salt = i / ports * 100_000;
            world.connect(local(40_000 + (i % ports) as u16), SERVER.into(), End::Client);
            world.pass(SECOND / 20);
        }
        world.finish()
    }

    #[test]
    fn ports_that_are_used_again_while_they_wait_are_told_mildly() {
        let told = again(false, [400, 950]);
        assert!(kinds(&told).is_empty(), "{told:#?}");
        assert!(said(last(&told, Aggregate::EphemeralExhaustion), "reuse by timestamps works"), "{told:#?}");
        let told = again(true, [950, 950]);
        assert!(kinds(&told).is_empty(), "{told:#?}");
        let told = again(false, [950, 950]);
        assert!(!kinds(&told).is_empty(), "else it is told: {told:#?}");
    }

    #[test]
    fn a_server_s_time_wait_is_a_fact() {
        let mut world = World::of(131_072);
        world.every(40, 300, |w, i| w.connect(client(i), local(80), End::Server));
        let told = world.finish();
        let side = last(&told, Aggregate::TimeWaitSide);
        assert_eq!((side.sign.severity, side.sign.about), (Severity::Info, About::Service(local(80))));
        assert!(kinds(&told).is_empty(), "{told:#?}");
    }
}

mod queues {
    use super::*;

    #[test]
    fn an_accept_queue_that_overflows_is_no_attack() {
        let mut world = World::on(Limits { somaxconn: 128, ..Limits::default() });
        world.every(10, 50, |w, i| {
            w.connect(client(i), local(443), End::Client);
            if i % 5 == 0 {
                w.count(|ext| {
                    ext.listen_overflows += 1;
                    ext.listen_drops += 1;
                });
            }
        });
        let told = world.finish();
        assert_eq!(kinds(&told), [(Aggregate::ListenOverflow, Severity::Warn)], "{told:#?}");
        let overflow = last(&told, Aggregate::ListenOverflow);
        assert!(said(overflow, "the application does not accept fast enough"), "{overflow:#?}");
        assert!(overflow.sign.ruled_out.iter().any(|not| not.what.id() == "attack"), "{overflow:#?}");
    }

    #[test]
    fn an_attack_that_fills_the_queue_is_one() {
        let mut world = World::on(Limits::default());
        world.every(8, 1000, |w, i| {
            w.syn(client(i), local(443), Look { ttl: 52, ..LINUX });
            w.syn_ack(client(i), local(443));
            w.count(|ext| {
                ext.req_q_full_do_cookies += 1;
                ext.syncookies_sent += 1;
            });
        });
        let told = world.finish();
        assert!(said(last(&told, Aggregate::ListenOverflow), "by an attack"), "{told:#?}");
        assert_eq!(kinds(&told).len(), 2, "{told:#?}");
    }

    #[test]
    fn counters_that_stand_still_say_nothing() {
        let mut world = World::on(Limits::default());
        world.count(|ext| ext.listen_overflows = 1000);
        ordinary(&mut world, 20);
        silent(world, "an overflow of the past");
    }

    #[test]
    fn shut_windows_of_one_source() {
        let hold = |n: u32, spread: bool| {
            let mut world = World::of(4096);
            let server = local(80);
            for i in 0..n {
                let source = if spread { client(i).ip() } else { client(1).ip() };
                let from = SocketAddr::new(source, 33_000 + i as u16);
                world.connect(from, server, End::Open);
                let shut = Look { window: 0, ..LINUX };
                let [c, s] = world.numbers(from, server);
                world.segment(from, server, ACK, [c + 100, s + 100], shut);
            }
            world.pass(120 * SECOND);
            kinds(&world.finish())
        };
        assert_eq!(hold(30, false), [(Aggregate::Naptha, Severity::Warn)]);
        assert!(hold(5, false).is_empty() && hold(30, true).is_empty(), "slow readers");
    }
}
