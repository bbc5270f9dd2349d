//! From findings to incidents, in virtual time: what must come together, what must not, and in how much memory.

use proptest::prelude::*;
use sensor::{
    correlate::{
        Cause, Correlator, Incident, LEAST, MAX_FLOWS, MAX_INCIDENTS, QUIET, State, Subject, Topic, View, Weighed,
        headline, weigh,
    },
    report::{Finding, Place, WallClock},
};
use sensor_common::{detect::Evidence, event::Event, flow::TcpFlags, kind::Kind};
use tests::scenario::{ACK, RST, SYN_ACK, Scenario};

fn find(events: &[Event]) -> Vec<Finding<'_>> {
    events.iter().map(|event| Finding::new(event, WallClock::epoch(), Place::default())).collect()
}

/// What a scenario comes to.
fn incidents(scenario: &Scenario) -> Vec<Incident> {
    let outcome = scenario.run();
    let mut events: Vec<_> = outcome.findings.iter().map(|(_, event)| *event).collect();
    events.extend(outcome.at_rest());
    let mut correlator = Correlator::default();
    for finding in find(&events) {
        correlator.add(&finding);
    }
    assert_eq!(correlator.unplaced(), 0);
    correlator.finish()
}

/// As many connections, one after the other, each treated alike.
fn many(n: u16, each: impl Fn(Scenario) -> Scenario) -> Scenario {
    (0..n).fold(Scenario::v4().client(|c| c.ttl(52)), |s, i| each(s.port(41_000 + i)))
}

fn causes(incident: &Incident) -> (Vec<Cause>, Vec<Cause>) {
    let (likely, not): (Vec<_>, Vec<_>) =
        weigh(&incident.subject, &incident.facts).into_iter().partition(|weighed| weighed.points > 0);
    let names = |list: Vec<Weighed>| list.into_iter().map(|weighed| weighed.cause).collect();
    (names(likely), names(not))
}

#[test]
fn one_device_is_one_incident() {
    let found = incidents(&many(12, |s| s.handshake().talk(2).rst(|p| p.forged().ttl(255).win(509))));
    let [incident] = &found[..] else { panic!("{found:#?}") };
    let Subject::Device(device) = incident.subject else { panic!("{incident:#?}") };
    assert_eq!((device.hops, device.initial_ttl), (Some(0), 255));
    assert_eq!((incident.facts.flows(), incident.facts.more()), (12, false));
    assert_eq!(
        headline(&incident.subject, &incident.facts).split(" within ").next(),
        Some("a device 0 hops from here (initial TTL 255; window always 509) reset 12 connections")
    );
    let (likely, not) = causes(incident);
    assert_eq!(likely.first(), Some(&Cause::Device));
    assert_eq!(not, [Cause::IdleTimeout], "they were active just before");
}

#[test]
fn two_devices_are_two() {
    let scenario = many(6, |s| s.handshake().talk(2).rst(|p| p.forged().ttl(255).win(509)));
    let scenario =
        (0..6).fold(scenario, |s, i| s.port(42_000 + i).handshake().talk(2).rst(|p| p.forged().ttl(126).win(777)));
    assert_eq!(incidents(&scenario).len(), 2);
}

#[test]
fn half_open_entries_are_one_incident_which_is_not_ecn() {
    let syn = |s: Scenario| s.from_client(TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR), |p| p);
    let scenario = many(5, |s| syn(s).from_server(SYN_ACK.with(TcpFlags::ECE), |p| p).ack().talk(1));
    let scenario = (0..3).fold(scenario, |s, i| {
        let s = syn(syn(s.port(43_000 + i)).after(3000)).after(20);
        s.from_server(ACK, |p| p.win(12_288).bare()).after(4400).server_rst(|p| p.win(12_288).bare())
    });
    let found = incidents(&scenario);
    let topic = |i: &Incident| matches!(i.subject, Subject::Service(_, Topic::Kind(Kind::SynBareAckMatch)));
    let incident = found.iter().find(|i| topic(i)).unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(incident.facts.flows(), 3);
    let (likely, not) = causes(incident);
    assert_eq!((likely, not), (vec![Cause::ReturnPath], vec![Cause::PortReuse, Cause::Ecn]));
}

#[test]
fn a_busy_service_that_is_left_alone_has_none() {
    let scenario = many(40, |s| s.handshake().talk(3).client_fin().server_fin().ack());
    let scenario = (0..10).fold(scenario, |s, i| s.port(44_000 + i).handshake().talk(1).rst(|p| p));
    let found = incidents(&scenario);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn growth_is_told_at_powers_of_ten() {
    let outcome = many(100, |s| s.handshake().talk(2).rst(|p| p.forged().ttl(255).win(509))).run();
    let events: Vec<_> = outcome.findings.iter().map(|(_, event)| *event).collect();
    let mut correlator = Correlator::default();
    let told: Vec<_> = find(&events).iter().filter_map(|finding| correlator.add(finding)).collect();
    let steps: Vec<_> = told.iter().map(|view| (view.state, view.connections)).collect();
    assert_eq!(steps, [(State::Open, 1), (State::Grown, 2), (State::Grown, 10), (State::Grown, 100)]);
    assert!(told[3].what.contains("reset 100 connections"), "{told:#?}");
    let over = correlator.finish()[0].closed();
    assert!(told.iter().all(|view| view.id == over.id), "it keeps its id");
}

#[test]
fn an_incident_reads_back_as_it_was_told() {
    let scenario = many(3, |s| s.handshake().talk(2).rst(|p| p.forged().ttl(255).win(509)));
    for incident in incidents(&scenario) {
        let view = incident.closed();
        let text = serde_json::to_string(&view).unwrap();
        let back: View = serde_json::from_str(&text).unwrap();
        // Times are told to a microsecond.
        let whole = |view: &View| View { first: view.first / 1000, last: view.last / 1000, ..view.clone() };
        assert_eq!(whole(&back), whole(&view));
        assert!(!view.next.is_empty() && view.id.len() == 10, "{text}");
    }
}

#[test]
fn what_is_quiet_is_over() {
    let outcome = many(2, |s| s.handshake().talk(2).rst(|p| p.forged().ttl(255).win(509))).run();
    let events: Vec<_> = outcome.findings.iter().map(|(_, event)| *event).collect();
    let mut correlator = Correlator::default();
    find(&events).iter().for_each(|finding| {
        correlator.add(finding);
    });
    let last = events.iter().map(|event| event.time).max().unwrap_or_default();
    assert!(correlator.close(last + QUIET - 2_000_000_000).is_empty());
    assert_eq!(correlator.close(last + QUIET).len(), 1);
    assert!(correlator.finish().is_empty());
}

#[test]
fn incidents_end_also_after_the_clock_was_set_back() {
    let event = template();
    let [finding] = &find(std::slice::from_ref(&event))[..] else { panic!("one finding") };
    let mut correlator = Correlator::default();
    assert!(correlator.close(event.time + 10 * QUIET).is_empty(), "the clock ran ahead");
    let told = correlator.add(finding).expect("it begins");
    assert_eq!(correlator.incident(finding), Some(told.id), "whoever keeps the finding knows where it belongs");
    assert_eq!(correlator.close(event.time + QUIET).len(), 1);
    assert_eq!(correlator.incident(finding), None);
}

/// An alert to vary.
fn template() -> Event {
    let outcome = Scenario::v4().handshake().talk(2).rst(|p| p.forged().ttl(255).win(509)).run();
    outcome.findings[0].1
}

#[test]
fn memory_is_bounded_under_random_keys() {
    let mut event = template();
    event.evidence = Evidence::NONCONFORMING;
    let mut correlator = Correlator::default();
    let n = MAX_FLOWS as u32 + 10_000;
    for i in 0..n {
        event.flow_index = i;
        event.flow.head.key.a[3] = i;
        event.flow.head.key.b[3] = i;
        let finding = Finding::new(&event, WallClock::epoch(), Place::default());
        correlator.add(&finding);
    }
    let unplaced = correlator.unplaced();
    let open = correlator.finish();
    assert_eq!(open.len(), MAX_INCIDENTS);
    let held: u64 = open.iter().map(|incident| incident.facts.findings).sum();
    assert_eq!(held + unplaced, u64::from(n), "nothing is lost in silence");
}

#[test]
fn connections_beyond_the_bound_are_said_to_be_more() {
    let mut event = template();
    let mut correlator = Correlator::default();
    for i in 0..MAX_FLOWS as u32 + 2 {
        event.flow_index = i;
        correlator.add(&Finding::new(&event, WallClock::epoch(), Place::default()));
    }
    let found = correlator.finish();
    let facts = &found[0].facts;
    assert!(facts.flows() > MAX_FLOWS as u64 && facts.more());
    assert!(headline(&found[0].subject, facts).contains("at least"));
}

proptest! {
    /// The order of incidents that do not touch each other changes nothing, and each finding is in one incident.
    #[test]
    fn findings_add_up_in_any_order(ttls in prop::collection::vec(prop::sample::select(vec![255_u8, 126, 62]), 1..30)) {
        let scenario = ttls.iter().zip(41_000..).fold(Scenario::v4(), |s, (&ttl, port)| {
            s.port(port).handshake().talk(2).from_client(RST, |p| p.forged().ttl(ttl).win(9))
        });
        let outcome = scenario.run();
        let mut events: Vec<_> = outcome.findings.iter().map(|(_, event)| *event).collect();
        let sums = |events: &[Event]| {
            let mut correlator = Correlator::default();
            find(events).iter().for_each(|finding| { correlator.add(finding); });
            correlator.finish().iter().map(|i| (i.subject, i.facts.flows(), i.facts.findings)).collect::<Vec<_>>()
        };
        let there = sums(&events);
        let expected = events.iter().filter(|event| event.severity() >= LEAST).count();
        prop_assert_eq!(there.iter().map(|(_, _, findings)| *findings as usize).sum::<usize>(), expected);
        events.reverse();
        let mut back = sums(&events);
        let mut there = there;
        there.sort();
        back.sort();
        prop_assert_eq!(there, back);
    }
}

/// How fast it is, beside what must hold at any speed. `cargo test --release -p tests --test incidents pace -- --nocapture`
#[test]
fn pace_of_a_storm_from_one_device() {
    let mut event = template();
    let mut correlator = Correlator::default();
    let n = 100_000;
    let begun = std::time::Instant::now();
    for i in 0..n {
        event.flow_index = i;
        event.time += 10_000;
        correlator.add(&Finding::new(&event, WallClock::epoch(), Place::default()));
    }
    println!("{:.0} findings a second on one core", f64::from(n) / begun.elapsed().as_secs_f64());
    let found = correlator.finish();
    let [incident] = &found[..] else { panic!("{} incidents", found.len()) };
    assert_eq!((incident.facts.findings, incident.facts.flows()), (u64::from(n), u64::from(n)));
}
