//! What escaped the translation of addresses, through the sweep: told once, in words, and in bounded work.

use std::net::SocketAddr;

use sensor::{
    correlate::{Correlator, Subject, Topic},
    host::Host,
    leaks::{Leaks, MAX_ESCAPED},
    report::{Finding, Output, Place, Reporter, Style, WallClock},
    sweep::{AtRest as _, Findings, Sweeper},
};
use sensor_common::{
    config::Config,
    detect::{Severity, leak::Escaped},
    engine::Seen,
    event::Event,
    flow::TcpFlags,
    kind::Kind,
    wire::Slice,
};
use tests::{
    catalogue,
    scenario::{ACK, RST, Scenario, Seat, Sent, Who},
};

const SECOND: u64 = 1_000_000_000;

/// A scenario of the catalogue, by name.
fn case(name: &str, s: Scenario) -> Scenario {
    (catalogue::all().find(|case| case.name == name).expect("a case").build)(s)
}

fn show(host: &mut Host, frames: &[Sent], seat: Seat) {
    for frame in frames {
        let Some(hook) = seat.hook(frame.from) else { continue };
        host.observe(frame.time, &Slice::new(&frame.bytes, frame.bytes.len()), Seen { ifindex: 0, tag: 0, hook });
    }
}

/// A finding as a person reads it, on one line.
fn told(event: &Event) -> String {
    let style =
        Style { output: Output::Compact, min_severity: Severity::Info, color: false, analysis: false, dedup: false };
    let mut text = Vec::new();
    let mut reporter = Reporter::new(&mut text, style, WallClock::epoch());
    reporter.event(event, Place::default()).expect("a report");
    drop(reporter);
    String::from_utf8(text).expect("text").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn leak(scenario: &Scenario) -> Event {
    let found = scenario.run().at_rest();
    let [event] = found[..] else { panic!("{} findings", found.len()) };
    assert_eq!(event.kind(), Some(Kind::UnNatedLeak));
    event
}

#[test]
fn it_says_whose_segment_it_was_and_what_to_do() {
    let event = leak(&case("untranslated_and_torn_down", Scenario::v4().seat(Seat::Client)));
    assert_eq!(event.detail, [0xc000_0250, 443 << 16]);
    assert_eq!((event.severity(), event.segment.len), (Severity::Warn, 300));
    let text = told(&event);
    for words in [
        "192.0.3.80:8443 has the numbers of 10.0.0.2:40000's connection with 192.0.2.80:443",
        "this host reset it",
        "nf_conntrack_tcp_be_liberal=1, or drop INVALID",
        "A forged reset, or a firewall's: this host made it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("silent for"), "{text}");

    let event = leak(&case("untranslated_after_a_day_of_silence", Scenario::v6()));
    // A day is 47 minutes more than 19 times 73.
    assert!(event.detail[1] & 0xffff > 1_000, "{:?}", event.detail);
    let text = told(&event);
    assert!(text.contains("[…:0:80]:443") && text.contains("the translator may have forgotten it"), "{text}");
}

#[test]
fn it_is_told_once_and_after_three_seconds() {
    let scenario = case("untranslated_and_torn_down", Scenario::v4());
    let frames = scenario.frames();
    let mut host = Host::new(Config::replay(255));
    show(&mut host, &frames, Seat::Client);
    let last = frames.last().expect("frames").time;
    let mut sweeper = Sweeper::new(256, host.cpu());
    let (mut rest, mut ended, mut told) = ((Findings::default(), Leaks::default()), Vec::new(), Vec::new());
    for second in 1..30 {
        let now = last + second * SECOND;
        sweeper.sweep(&host, now, &mut rest, &mut ended);
        rest.1.look(&host, now, &mut rest.0.0);
        told.extend(rest.0.0.drain(..).map(|event| (second, event.kind(), event.time)));
    }
    let [(second, kind, time)] = told[..] else { panic!("{told:?}") };
    assert_eq!(kind, Some(Kind::UnNatedLeak));
    assert!((3..=4).contains(&second), "{second}");
    assert!(last - time < SECOND, "its time is the segment's");
}

#[test]
fn a_capture_that_ends_at_once_shows_it_too() {
    let frames = case("untranslated_at_the_same_port", Scenario::v4()).frames();
    let mut host = Host::new(Config::replay(255));
    show(&mut host, &frames, Seat::Mirror);
    let last = frames.last().expect("frames").time;
    let mut rest = (Findings::default(), Leaks::default());
    Sweeper::new(256, host.cpu()).finish(&host, last, &mut rest, &mut Vec::new());
    rest.1.look(&host, last, &mut rest.0.0);
    assert_eq!(rest.0.0.iter().map(Event::kind).collect::<Vec<_>>(), [Some(Kind::UnNatedLeak)]);
}

/// Two sides of one host: the same numbers on another interface are another connection.
#[test]
fn another_interface_is_another_place() {
    let frames = case("untranslated_at_the_same_port", Scenario::v4()).frames();
    let mut host = Host::new(Config::replay(255));
    let (connection, leaked) = frames.split_at(frames.len() - 2);
    show(&mut host, connection, Seat::Client);
    for frame in leaked {
        let hook = Seat::Client.hook(frame.from).expect("both directions");
        host.observe(frame.time, &Slice::new(&frame.bytes, frame.bytes.len()), Seen { ifindex: 2, tag: 0, hook });
    }
    let strays = host.flows().iter().filter_map(Escaped::of).count();
    assert_eq!((strays, look(&host).0.len()), (1, 0));
}

/// Offers all flows, and looks.
fn look(host: &Host) -> (Vec<Event>, Option<String>) {
    let mut leaks = Leaks::default();
    for (index, (flow, extra)) in host.flows().iter().zip(host.extras()).enumerate() {
        leaks.judge(index, flow, extra, u64::MAX / 2);
    }
    let mut found = Vec::new();
    leaks.look(host, u64::MAX / 2, &mut found);
    (found, leaks.note())
}

/// A scan leaves more candidates than are looked into; what is beyond is counted, and the next round begins anew.
#[test]
fn a_scan_is_bounded_and_counted() {
    let mut host = Host::new(Config::replay(4095));
    let n = MAX_ESCAPED as u32 + 76;
    for i in 0..n {
        let s = Scenario::v4().port(1_024 + i as u16);
        let s = s.from_client(ACK, |p| p.raw_seq(i * 77_777).raw_ack(i * 99_999));
        let s = s.from_server(RST, |p| p.bare().win(0).raw_seq(i * 99_999).raw_ack(0));
        show(&mut host, &s.frames(), Seat::Server);
    }
    assert_eq!(host.flows().iter().filter_map(Escaped::of).count(), n as usize);
    let (found, note) = look(&host);
    assert!(found.is_empty());
    assert_eq!(note.as_deref(), Some("leaks_skipped: 76 rejected segments were not compared with other connections"));
}

/// Strays of any numbers: those that are told fit within two windows, and those within one are told.
#[test]
fn only_numbers_that_fit_are_told() {
    let mut tally = [0; 2];
    for i in 0..4_000_u64 {
        // Offsets of all sizes, either sign.
        let offset = |seed: u64| {
            let bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (bits as i32) >> (bits >> 59)
        };
        let (seq, ack) = (offset(2 * i), offset(2 * i + 1));
        let s = Scenario::v4().handshake().talk(2);
        let beside = |service: SocketAddr| SocketAddr::new([192, 0, 2, 81].into(), service.port());
        let s = s.send(Who::Server, ACK, |p| p.forged().source(beside).seq_by(seq).ack_by(ack));
        let s = s.send(Who::Client, TcpFlags::RST, |p| p.forged().bare().win(0).destination(beside).seq_by(ack));
        let told = !s.run().at_rest().is_empty();
        let (near, far) = (65_000_i64, 140_000);
        let (seq, ack) = (i64::from(seq), i64::from(ack));
        if told {
            assert!(seq.abs() <= far && (-far..=0).contains(&ack), "{seq} {ack}");
        } else {
            assert!(seq.abs() > near || !(-near..=0).contains(&ack), "{seq} {ack}");
        }
        tally[usize::from(told)] += 1;
    }
    assert!(tally[0] > 1_000 && tally[1] > 100, "{tally:?}");
}

/// Servers behind one service, one of them on a port above the clients': the service has the trouble.
#[test]
fn what_one_service_leaks_is_one_incident() {
    let s = ["untranslated_at_the_same_port", "untranslated_and_torn_down", "untranslated_old_duplicate"];
    let s = s.iter().zip([5_000, 41_000, 42_000]).fold(Scenario::v4(), |s, (name, port)| case(name, s.port(port)));
    let found = s.run().at_rest();
    assert!(found.iter().all(|event| event.kind() == Some(Kind::UnNatedLeak)) && found.len() == 3);
    let mut correlator = Correlator::default();
    for event in &found {
        correlator.add(&Finding::new(event, WallClock::epoch(), Place::default()));
    }
    let incidents = correlator.finish();
    let [incident] = &incidents[..] else { panic!("{incidents:#?}") };
    let service = SocketAddr::from(([192, 0, 2, 80], 443));
    assert_eq!(incident.subject, Subject::Service(service, Topic::Kind(Kind::UnNatedLeak)));
    assert_eq!(incident.facts.flows(), 3);
}
