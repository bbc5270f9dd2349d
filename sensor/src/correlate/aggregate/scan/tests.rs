//! What is a scan, and what only looks like one.

use super::*;

const SECOND: u64 = 1_000_000_000;

fn source(n: u32) -> IpAddr {
    IpAddr::from(n.to_be_bytes())
}

fn target(host: u8, port: u16) -> SocketAddr {
    ([192, 0, 2, host], port).into()
}

#[test]
fn a_port_scan_is_told_once_and_as_it_grows() {
    let mut scans = Scans::default();
    let mut told = Vec::new();
    for port in 1..=1000 {
        let answer = if port == 80 { Answer::Open } else { Answer::Refused };
        scans.add(source(9), target(1, port), answer, u64::from(port) * 1_000_000, false);
        if port % 100 == 15 {
            told.extend(scans.signs(SECOND, 60 * SECOND));
        }
    }
    told.extend(scans.signs(SECOND, 60 * SECOND));
    assert!(scans.signs(SECOND, 60 * SECOND).is_empty(), "nothing new");
    let (first, last) = (&told[0], &told[told.len() - 1]);
    assert!(first.headline.contains("scans 15 ports of 192.0.2.1 within 14 ms: 0 open, 15 refused"), "{told:#?}");
    assert!(last.headline.contains("scans 1000 ports of 192.0.2.1 within 999 ms: 1 open, 999 refused"), "{told:#?}");
    assert_eq!((first.severity, last.severity), (Severity::Notice, Severity::Warn));
    assert!(last.reasons.iter().any(|reason| reason == "open: 192.0.2.1:80"), "{last:#?}");
    assert!(scans.signs(u64::MAX, SECOND).is_empty() && scans.found.is_empty() && scans.targets == 0);
}

#[test]
fn what_has_answered_is_not_said_to_be_shut_before_a_record_tells_of_it() {
    let mut scans = Scans::default();
    let add = |scans: &mut Scans, port, answer| scans.add(source(9), target(1, port), answer, SECOND, false);
    (1..=15).for_each(|port| add(&mut scans, port, Answer::Refused));
    let request = |server| sample::Request {
        client: (source(9), 5).into(),
        server,
        ttl: 60,
        window: 1024,
        zmap: false,
        plain: true,
        repeated: false,
        went_on: false,
        answer: sample::Answer::Granted,
        age: 1,
        outgoing: false,
    };
    let mut seen = Sample { requests: vec![request(target(1, 22)); 3], ..Sample::default() };
    let say = |scans: &mut Scans, seen: &Sample| {
        scans.look(seen);
        let told = scans.signs(SECOND, 60 * SECOND);
        (told[0].headline.clone(), told[0].reasons.join("; "))
    };
    let (headline, reasons) = say(&mut scans, &seen);
    assert!(headline.ends_with(": 0 open, 1 answered, 15 refused, 0 silent"), "{headline}");
    assert!(reasons.contains("answered, and not over yet: 192.0.2.1:22"), "{reasons}");
    // The record has come, and what is left of the flow is still in the table.
    add(&mut scans, 22, Answer::Open);
    let (headline, reasons) = say(&mut scans, &seen);
    assert!(headline.ends_with(": 1 open, 15 refused, 0 silent"), "{headline}");
    assert!(reasons.contains("open: 192.0.2.1:22") && !reasons.contains("not over yet"), "{reasons}");
    seen.requests = (1..=20).map(|host| request(target(host, 80))).collect();
    add(&mut scans, 99, Answer::Refused);
    assert!(say(&mut scans, &seen).0.contains("1 open, 15 and maybe more answered"), "bounded");
}

#[test]
fn a_sweep_is_of_hosts() {
    let mut scans = Scans::default();
    (1..=20).for_each(|host| scans.add(source(9), target(host, 22), Answer::Silent, SECOND, false));
    let told = scans.signs(SECOND, SECOND);
    assert_eq!(told[0].kind, Aggregate::Sweep);
    assert!(told[0].headline.contains("sweeps 20 hosts for port 22"), "{told:#?}");
}

#[test]
fn a_client_whose_server_is_gone_is_none() {
    let mut scans = Scans::default();
    for i in 0..1000 {
        scans.add(source(9), target(1, 443), Answer::Refused, i * 10_000_000, false);
    }
    assert!(scans.signs(0, SECOND).is_empty());
}

#[test]
fn a_busy_proxy_with_dead_backends_is_none() {
    let mut scans = Scans::default();
    for i in 0..200_u16 {
        let answer = if i % 5 == 0 { Answer::Silent } else { Answer::Served };
        scans.add(source(9), target((i % 250) as u8, 8000 + i), answer, SECOND, false);
    }
    assert!(scans.signs(0, SECOND).is_empty());
}

#[test]
fn slow_failures_are_none() {
    let mut scans = Scans::default();
    for i in 0..100_u16 {
        scans.add(source(9), target(1, i), Answer::Refused, u64::from(i) * 10 * SECOND, false);
    }
    assert!(scans.signs(0, SECOND).is_empty());
}

#[test]
fn spoofed_sources_stay_within_bounds() {
    let mut scans = Scans::default();
    for i in 0..20_000 {
        scans.add(source(i), target(1, 80), Answer::Silent, SECOND, false);
    }
    assert!(scans.signs(0, SECOND).is_empty());
    assert_eq!((scans.suspects.len(), scans.unplaced()), (MAX_SOURCES, 20_000 - MAX_SOURCES as u64));
}

#[test]
fn a_host_that_is_cut_off_is_no_scanner() {
    let mut scans = Scans::default();
    (0..90).for_each(|i| scans.add(source(9), target(i, 443), Answer::Silent, SECOND, true));
    assert!(scans.signs(0, SECOND).is_empty());
    (0..90).for_each(|i| scans.add(source(8), target(i, 443), Answer::Silent, SECOND, false));
    assert_eq!(scans.signs(0, SECOND).len(), 1, "of another one cannot know");
}

#[test]
fn probes_of_a_monitor_that_find_all_in_order_are_none() {
    let mut scans = Scans::default();
    (0..200).for_each(|i| scans.add(source(9), target(i, 443), Answer::Empty, SECOND, false));
    (0..10).for_each(|i| scans.add(source(9), target(i, 80), Answer::Refused, SECOND, false));
    assert!(scans.signs(0, SECOND).is_empty());
}

#[test]
fn answers_by_state() {
    for (state, history, answer) in [
        ("REJ", "Sr", Some(Answer::Refused)),
        ("S0", "S", Some(Answer::Silent)),
        ("RSTO", "ShR", Some(Answer::Open)),
        ("OTH", "Sh", Some(Answer::Open)),
        ("OTH", "S", None),
        ("SF", "ShADadFf", Some(Answer::Served)),
        ("SF", "ShAFf", Some(Answer::Empty)),
        ("RSTO", "ShAR", Some(Answer::Empty)),
        ("OTH", "Aa", None),
        ("SHR", "^hf", None),
    ] {
        assert_eq!(Answer::of(state, history), answer, "{state}");
    }
}
