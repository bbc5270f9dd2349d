//! What is behind an incident, in virtual time: each cause with what looks like it and must stay silent, or be cleared.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sensor::correlate::View;
use sensor_common::{detect::Severity, flow::TcpFlags};
use tests::{
    diagnosis::diagnose,
    scenario::{SYN_ACK, Scenario, Seat, Who},
};

const ECN_SYN: TcpFlags = TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR);

/// As many connections, one after the other, each treated alike.
fn each(s: Scenario, ports: std::ops::Range<u16>, one: impl Fn(Scenario, u16) -> Scenario) -> Scenario {
    ports.fold(s, |s, port| one(s.port(port), port))
}

/// The incident of a topic.
fn about<'a>(views: &'a [View], topic: &str) -> Option<&'a View> {
    let is = |view: &&View| serde_json::to_value(&view.about).unwrap()["topic"] == topic;
    views.iter().find(is)
}

fn causes(view: &View) -> Vec<&str> {
    view.causes.iter().map(|cause| cause.cause.as_str()).collect()
}

fn cleared(view: &View) -> Vec<&str> {
    view.ruled_out.iter().map(|cause| cause.cause.as_str()).collect()
}

/// Nothing that anybody would be told of.
fn silent(scenario: &Scenario) {
    let views = diagnose(scenario);
    let loud: Vec<_> = views.iter().filter(|view| view.severity > Severity::Info).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

// ECN: requests with it fail, or not; others with it work, or not.

fn with_ecn(s: Scenario) -> Scenario {
    s.from_client(ECN_SYN, |p| p)
        .from_server(SYN_ACK.with(TcpFlags::ECE), |p| p)
        .ack()
        .talk(1)
        .client_fin()
        .server_fin()
        .ack()
}

fn refused_with_ecn(s: Scenario) -> Scenario {
    let s = s.from_client(ECN_SYN, |p| p).server_rst(|p| p.forged().raw_seq(0).win(0).ack(1).bare()).after(50);
    s.syn().synack().ack().talk(1).client_fin().server_fin().ack()
}

#[test]
fn ecn_that_always_fails_is_the_cause() {
    let views = diagnose(&each(Scenario::v4(), 41_000..41_008, |s, _| refused_with_ecn(s)));
    let view = about(&views, "ecn-syn-rst").unwrap_or_else(|| panic!("{views:#?}"));
    assert_eq!(causes(view).first(), Some(&"ecn"), "{view:#?}");
    let reasons = view.causes[0].reasons.join("; ");
    assert!(reasons.contains("reset, and answered without it") && reasons.contains("without it"), "{reasons}");
}

#[test]
fn ecn_that_works_is_no_cause_and_no_incident() {
    silent(&each(Scenario::v4(), 41_000..41_020, |s, _| with_ecn(s)));
    // One refusal among many that work is not ECN's.
    let s = each(Scenario::v4(), 41_000..41_020, |s, _| with_ecn(s)).port(42_000);
    assert!(diagnose(&refused_with_ecn(s)).iter().all(|view| !causes(view).contains(&"ecn")));
}

#[test]
fn requests_with_ecn_that_vanish_are_told_with_the_numbers() {
    let s = each(Scenario::v4(), 41_000..41_008, |s, _| {
        let s = s.from_client(ECN_SYN, |p| p).after(1000).from_client(ECN_SYN, |p| p).after(2000);
        s.syn().synack().ack().talk(1).client_fin().server_fin().ack()
    });
    let views = diagnose(&s);
    let view = about(&views, "ecn-syn-drop").unwrap_or_else(|| panic!("{views:#?}"));
    assert_eq!(causes(view), ["ecn"], "{view:#?}");
    assert!(view.causes[0].reasons.iter().any(|reason| reason.starts_with("0 of ")), "{view:#?}");
}

#[test]
fn ecn_that_fails_now_and_then_is_neither_blamed_nor_cleared() {
    let s =
        each(Scenario::v4(), 41_000..41_020, |s, port| if port % 2 == 0 { with_ecn(s) } else { refused_with_ecn(s) });
    for view in diagnose(&s) {
        assert!(!causes(&view).contains(&"ecn") && !cleared(&view).contains(&"ecn"), "{view:#?}");
    }
}

// Idle timeouts: a box, or the host behind it, forgets what is silent.

/// Silent for so many milliseconds, then a request that somebody without state answers.
fn forgotten(s: Scenario, gap: u64) -> Scenario {
    s.handshake().talk(1).after(gap).client_data(50).after(5).socketless(Who::Server, |p| p)
}

#[test]
fn a_silence_of_350_s_names_who_has_such_a_timer() {
    let views =
        diagnose(&each(Scenario::v4(), 41_000..41_004, |s, port| forgotten(s, 350_000 + u64::from(port % 4) * 900)));
    let view = about(&views, "idle-then-rst").unwrap_or_else(|| panic!("{views:#?}"));
    assert_eq!(causes(view), ["idle-timeout"]);
    let reasons = view.causes[0].reasons.join("; ");
    assert!(reasons.contains("350 s, the default of AWS NLB") && reasons.contains("4 of 4"), "{reasons}");
}

#[test]
fn silences_that_fit_no_default_bound_the_timer() {
    let views =
        diagnose(&each(Scenario::v4(), 41_000..41_003, |s, port| forgotten(s, 95_000 + u64::from(port % 3) * 11_000)));
    let view = about(&views, "idle-then-rst").unwrap_or_else(|| panic!("{views:#?}"));
    let reasons = view.causes[0].reasons.join("; ");
    assert!(reasons.contains("no default timer is known") && !reasons.contains("the default of"), "{reasons}");
}

#[test]
fn a_silence_that_is_answered_is_nothing() {
    silent(&each(Scenario::v4(), 41_000..41_004, |s, _| {
        s.handshake().talk(1).after(350_000).talk(1).client_fin().server_fin().ack()
    }));
}

// Timers of the hosts themselves.

/// The client closes after a silence.
fn closes_after(s: Scenario, gap: u64) -> Scenario {
    s.handshake().talk(1).after(gap).client_fin().server_fin().ack().after(50)
}

#[test]
fn a_client_that_closes_by_its_timer_is_told_as_a_fact() {
    let s = each(Scenario::v4(), 41_000..41_009, |s, port| closes_after(s, 10_000 + u64::from(port) * 7919 % 60));
    let views = diagnose(&s);
    let view = about(&views, "fixed-idle-close").unwrap_or_else(|| panic!("{views:#?}"));
    assert_eq!(view.severity, Severity::Info, "a fact, and no alarm");
    assert!(view.what.contains("the clients close after 10.0 s of silence"), "{}", view.what);
    assert!(
        view.also.iter().any(|text| text.contains("100 % of 9 closes come 10.0 s after the last byte, by the client")),
        "{view:#?}"
    );
    assert_eq!(views.len(), 1);
}

#[test]
fn people_who_read_have_no_timer() {
    let s = each(Scenario::v4(), 41_000..41_030, |s, port| closes_after(s, 1_000 + u64::from(port) * 7919 % 23_000));
    assert!(diagnose(&s).is_empty());
    let s = each(Scenario::v4(), 41_000..41_030, |s, _| closes_after(s, 3));
    assert!(diagnose(&s).is_empty(), "who closes at once does not wait");
}

#[test]
fn a_server_that_answers_the_end_of_the_stream_is_told_from_the_third_on() {
    let late = |s: Scenario| {
        s.handshake().client_data(900).server_ack().after(2_000).client_fin().server_data(300).server_fin().ack()
    };
    silent(&each(Scenario::v4(), 41_000..41_002, |s, _| late(s)));
    let views = diagnose(&each(Scenario::v4(), 41_000..41_003, |s, _| late(s)));
    let view = about(&views, "response-after-fin").unwrap_or_else(|| panic!("{views:#?}"));
    assert_eq!((view.severity, view.connections), (Severity::Notice, 3));
    assert_eq!(causes(view), ["end-of-stream"]);
}

// Drains.

/// Connections that are open at the same time, idle, and then end as `end` has it, `apart` milliseconds one after the other.
fn ended(ports: std::ops::Range<u16>, idle: u64, apart: u64, end: impl Fn(Scenario) -> Scenario) -> Scenario {
    let all: Vec<Scenario> = ports
        .clone()
        .map(|port| {
            let nth = u64::from(port - ports.start);
            let s = Scenario::v4().port(port).after(nth).handshake().talk(2);
            end(s.after(idle + nth * apart))
        })
        .collect();
    all.into_iter().reduce(Scenario::beside).unwrap()
}

#[test]
fn many_idle_connections_reset_at_once_are_a_drain() {
    for ends in [(|s: Scenario| s.server_rst(|p| p)) as fn(Scenario) -> Scenario, |s: Scenario| {
        s.from_server(TcpFlags::RST, |p| p.win(0).bare())
    }] {
        let views = diagnose(&ended(41_000..41_025, 20_000, 10, ends));
        let view = about(&views, "lb-drain").unwrap_or_else(|| panic!("{views:#?}"));
        assert_eq!((view.severity, view.connections), (Severity::Notice, 25), "{view:#?}");
        assert_eq!(causes(view), ["drain"]);
        assert_eq!(views.len(), 1, "nobody else is accused: {views:#?}");
    }
}

#[test]
fn a_deployment_that_says_goodbye_is_nothing() {
    silent(&ended(41_000..41_040, 20_000, 10, |s| s.server_fin().ack().client_fin().server_ack()));
}

#[test]
fn resets_one_by_one_of_few_or_of_clients_are_no_drain() {
    silent(&ended(41_000..41_040, 20_000, 900, |s| s.server_rst(|p| p)));
    silent(&ended(41_000..41_009, 20_000, 10, |s| s.server_rst(|p| p)));
    silent(&ended(41_000..41_040, 20_000, 10, |s| s.rst(|p| p)));
    silent(&ended(41_000..41_040, 0, 1, |s| s.server_rst(|p| p)));
}

#[test]
fn resets_of_another_distance_are_a_device_and_no_drain() {
    let views =
        diagnose(&ended(41_000..41_025, 20_000, 10, |s| s.client(|c| c.ttl(52)).rst(|p| p.forged().ttl(250).win(9))));
    assert!(about(&views, "lb-drain").is_none(), "{views:#?}");
    assert!(views.iter().any(|view| view.what.contains("a device")), "{views:#?}");
}

// Where the sensor sits.

#[test]
fn one_direction_only_explains_what_seems_lost() {
    let s = Scenario::v4().seat(Seat::ServerIngress);
    let s = each(s, 41_000..41_010, |s, _| s.handshake().talk(3).client_fin().server_fin().ack());
    for view in diagnose(&s) {
        assert!(view.severity <= Severity::Info || causes(&view).contains(&"one-way"), "{view:#?}");
    }
}

// A gateway that answers by itself.

#[test]
fn a_gateway_that_answers_a_fin_has_lost_its_entry() {
    let s = each(Scenario::v4().client(|c| c.ttl(61)), 41_000..41_005, |s, _| {
        s.handshake().talk(2).after(1000).server_fin().rst(|p| p.forged().ttl(255).win(509)).after(100)
    });
    let views = diagnose(&s);
    let view = views.first().unwrap();
    assert_eq!(causes(view), ["device", "state-loss"], "{view:#?}");
    assert_eq!(cleared(view), ["idle-timeout"]);
}
