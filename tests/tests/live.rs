//! Live: the kernel program on real traffic, in every way that it can be attached. Seed 1 must be found, and nothing else.

use std::{
    io::{ErrorKind, Read, Write},
    time::Duration,
};

use sensor::{
    kernel::{Attached, Egress, Ingress, Kernel, Mode, Options},
    lab::{
        Family, Lab, LabOptions,
        tamper::{AckField, Victims, answer_fin, reset},
        traffic::{Outcome, Pace, Traffic},
    },
};
use sensor_common::{
    counters::Counter,
    detect::{Confidence, Evidence, Severity, origin::hops},
    event::Hook,
    kind::Kind,
};
use tests::{
    live::{self, drain},
    root,
    wire::best_egress,
};

/// Ordinary connections before and after the one that is killed.
const ORDINARY: usize = 6;

fn load(lab: &Lab, mode: Mode, options: Options) -> (Kernel, Attached) {
    live::load(lab.server(), mode, options)
}

/// Runs seed 1 among ordinary connections, and returns how it was attached.
fn seed_1(family: Family, vlan: Option<u16>, mode: Mode, options: Options) -> Option<Attached> {
    if !root() {
        return None;
    }
    let lab = Lab::build(LabOptions { vlan }).expect("the lab");
    let (mut kernel, attached) = load(&lab, mode, options);
    let what = format!("{attached}, {family:?}, VLAN {vlan:?}");
    let traffic = Traffic::new(&lab);
    assert_eq!(traffic.ordinary(ORDINARY, family), [Outcome::Ok; ORDINARY], "{what}");
    let victim = lab.connect(family).expect("a connection");
    let port = victim.client_port().expect("a port");
    lab.middlebox().add(answer_fin(port, AckField::Conforming));
    let pace = Pace { pause: Duration::from_millis(20), ..Pace::default() };
    let fate = traffic.victim(victim, pace).expect("the victim's fate");
    assert_eq!(fate.server, Outcome::Reset, "{what}");
    kernel.detach();

    let events = drain(&mut kernel);
    let told: Vec<_> = events.iter().filter(|event| event.severity() > Severity::Info).collect();
    let [event] = told[..] else { panic!("{what}: one finding, not {}", told.len()) };
    assert_eq!(event.kind(), Some(Kind::TtlRstMismatch), "{what}");
    assert_eq!(event.severity(), Severity::Alert, "{what}");
    assert!(event.confidence() >= Confidence::Likely, "{what}");
    assert_eq!(event.hook(), Hook::Ingress, "{what}");
    for bit in [Evidence::TTL_RST, Evidence::TTL_ADJACENT, Evidence::WIN_MIRROR] {
        assert!(event.evidence.any(bit), "{what}: {:?}", event.evidence.pieces().collect::<Vec<_>>());
    }
    assert_eq!((event.segment.ttl, event.expected_ttl), (255, 125), "{what}");
    assert_eq!((hops(event.segment.ttl), hops(event.expected_ttl)), (0, 3), "{what}");
    assert_eq!((event.service.flagged, event.service.established), (1, ORDINARY as u64 + 1), "{what}");
    assert_eq!(event.flow.head.key.link.vlans().0, vlan.unwrap_or(0), "{what}");

    let cpu = kernel.counters().expect("counters");
    assert_eq!(cpu.matched_total(), cpu.accounted_total(), "{what}");
    assert_eq!(cpu.get(Counter::Submitted), events.len() as u64, "{what}");
    assert_eq!(cpu.get(Counter::FlowsEstablished), ORDINARY as u64 + 1, "{what}");
    Some(attached)
}

#[test]
fn native_xdp_and_the_best_of_tc() {
    for family in [Family::V4, Family::V6] {
        let Some(attached) = seed_1(family, None, Mode::Native, Options::default()) else { return };
        assert_eq!((attached.ingress, attached.egress), (Ingress::XdpNative, best_egress()));
    }
}

#[test]
fn generic_xdp_and_clsact() {
    for family in [Family::V4, Family::V6] {
        let options = Options { clsact: true, ..Options::default() };
        let Some(attached) = seed_1(family, None, Mode::Generic, options) else { return };
        assert_eq!((attached.ingress, attached.egress), (Ingress::XdpGeneric, Egress::Clsact));
    }
}

#[test]
fn tc_both_ways() {
    let Some(attached) = seed_1(Family::V4, None, Mode::Tc, Options::default()) else { return };
    assert_eq!((attached.ingress, attached.egress), (Ingress::Tc(best_egress()), best_egress()));
}

#[test]
fn tagged_frames() {
    for (family, mode) in [(Family::V4, Mode::Native), (Family::V6, Mode::Tc)] {
        seed_1(family, Some(42), mode, Options::default());
    }
}

#[test]
fn xdp_that_is_taken_is_left_alone() {
    if !root() {
        return;
    }
    let lab = Lab::build(LabOptions::default()).expect("the lab");
    let (_first, attached) = load(&lab, Mode::Native, Options::default());
    assert_eq!(attached.ingress, Ingress::XdpNative);
    let (_second, attached) = load(&lab, Mode::Auto, Options::default());
    assert_eq!(attached.ingress, Ingress::Tc(best_egress()));
    assert!(attached.notes.iter().any(|note| note.contains("sensor_xdp")), "{:?}", attached.notes);
}

#[test]
fn a_sender_that_carries_on_proves_the_forgery() {
    if !root() {
        return;
    }
    let lab = Lab::build(LabOptions::default()).expect("the lab");
    let (mut kernel, _) = load(&lab, Mode::Native, Options::default());
    let mut pair = lab.connect(Family::V4).expect("a connection");
    let port = pair.client_port().expect("a port");
    for _ in 0..4 {
        pair.exchange().expect("an exchange");
    }
    // The server's stack believes it; the client knows nothing and asks on. That it is reset for this shows that its question
    // has passed the sensor.
    lab.middlebox().add(reset(port, 1, 200, Victims::Server));
    let _ = pair.exchange();
    let _ = pair.server.read(&mut [0]);
    pair.client.write_all(b"are you there?\n").expect("a question");
    let heard = pair.client.read(&mut [0; 64]).map_err(|error| error.kind());
    assert_eq!(heard, Err(ErrorKind::ConnectionReset));
    kernel.detach();
    let events = drain(&mut kernel);
    let kinds: Vec<_> = events.iter().map(|event| (event.kind(), event.confidence())).collect();
    assert!(kinds.iter().any(|(kind, _)| *kind == Some(Kind::TtlRstMismatch)), "{kinds:?}");
    assert!(kinds.contains(&(Some(Kind::RstSeqData), Confidence::Proven)), "{kinds:?}");
}
