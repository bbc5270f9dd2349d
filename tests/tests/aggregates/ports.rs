//! Ports that run out.

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
                said(exhaustion, "16.7 connections a second are possible") && said(exhaustion, "ip_local_port_range"),
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
