//! Live: seeds 2 and 3, made by real stacks as far as those can be brought to it.

use std::{
    fs,
    io::Read,
    net::{Shutdown, TcpStream},
    time::Duration,
};

use sensor::{
    kernel::{Kernel, Mode, Options},
    lab::{
        Family, Frame, Host, Lab, LabOptions, Sniffer,
        forge::TcpPacket,
        tamper::{Action, Direction, Tamper},
        traffic::{Outcome, Pair, Traffic},
    },
    report::{Output, Place, Reporter, Style, WallClock},
};
use sensor_common::{
    detect::{Severity, doubt::Provoked, ecn},
    event::Event,
    flow::TcpFlags,
    kind::Kind,
    seq::SeqNumber,
};
use tests::{live, root};

/// For whatever a stack repeats after a second or three.
const PATIENCE: Duration = Duration::from_secs(12);
/// A port that the client chooses.
const PORT: u16 = 31_007;

const RST_ACK: TcpFlags = TcpFlags::RST.with(TcpFlags::ACK);

/// A lab with the sensor at one of its hosts; `None`, and a word, where that is not allowed.
fn lab(at: fn(&Lab) -> &Host) -> Option<(Lab, Kernel)> {
    if !root() {
        return None;
    }
    let lab = Lab::build(LabOptions::default()).expect("the lab");
    let (kernel, _) = live::load(at(&lab), Mode::Native, Options::default());
    Some((lab, kernel))
}

fn findings(mut kernel: Kernel) -> Vec<Event> {
    kernel.detach();
    let events = live::drain(&mut kernel);
    let cpu = kernel.counters().expect("counters");
    assert_eq!(cpu.matched_total(), cpu.accounted_total());
    events
}

fn kinds(events: &[Event]) -> Vec<(Option<Kind>, Severity)> {
    events.iter().map(|event| (event.kind(), event.severity())).collect()
}

fn find(events: &[Event], kind: Kind) -> &Event {
    let found = events.iter().find(|event| event.kind() == Some(kind));
    found.unwrap_or_else(|| panic!("no {}: {:?}", kind.id(), kinds(events)))
}

fn worst(events: &[Event]) -> Option<Severity> {
    events.iter().map(|event| event.severity()).max()
}

/// A connection from [`PORT`] that has been used.
fn used(lab: &Lab, family: Family) -> Pair {
    let mut pair = lab.connect_from(PORT, family, PATIENCE).expect("a connection");
    (0..3).for_each(|_| pair.exchange().expect("an exchange"));
    pair
}

/// The client has closed and is gone; the server knows the first only.
fn half_closed(lab: &Lab, family: Family) -> TcpStream {
    let mut pair = used(lab, family);
    pair.client.shutdown(Shutdown::Write).expect("a FIN");
    assert_eq!(pair.server.read(&mut [0; 8]).expect("its end"), 0);
    pair.vanish_client().expect("it vanishes")
}

/// The connection of [`PORT`], as the middlebox sees it.
fn on_port(mut judge: impl FnMut(Direction, &TcpPacket) -> Action + Send) -> impl Tamper {
    move |direction, frame: &mut Frame| {
        let packet = TcpPacket::parse(frame);
        let packet = packet.filter(|packet| packet.source.port() == PORT || packet.destination.port() == PORT);
        packet.map_or(Action::Forward, |packet| judge(direction, &packet))
    }
}

/// Seed 3, P1: the client's kernel answers the server's FIN by a reset, whose window is 0.
#[test]
fn a_reset_with_window_zero_after_fin_stays_info() {
    for family in [Family::V4, Family::V6] {
        let Some((lab, kernel)) = lab(Lab::server) else { return };
        let host = lab.server();
        let witness = Sniffer::start(host.netns(), host.interface()).expect("a sniffer");
        let server = half_closed(&lab, family);
        server.shutdown(Shutdown::Write).expect("a FIN");
        let reset = |outgoing: bool, packet: &TcpPacket| !outgoing && packet.flags.any(TcpFlags::RST);
        assert!(witness.wait_for(reset, PATIENCE), "the client's kernel has no such socket");
        let events = findings(kernel);
        assert_eq!(find(&events, Kind::RstInsteadOfLastAck).segment.win, 0);
        assert_eq!(worst(&events), Some(Severity::Info), "{:?}", kinds(&events));
    }
}

/// Seed 3, P3: that reset is lost, so the server still waits for its last ACK when the client uses the port again. It answers by a
/// challenge ACK with the old connection's numbers, the client's kernel rejects that, and its next SYN is accepted.
#[test]
fn a_port_used_again_is_proven_by_the_tombstone() {
    for family in [Family::V4, Family::V6] {
        let Some((lab, kernel)) = lab(Lab::server) else { return };
        let host = lab.server();
        let witness = Sniffer::start(host.netns(), host.interface()).expect("a sniffer");
        let server = half_closed(&lab, family);
        let mut asked = false;
        lab.middlebox().add(on_port(move |direction, packet| {
            asked |= packet.flags.is_syn();
            let lost = !asked && direction == Direction::ToServer && packet.flags.any(TcpFlags::RST);
            if lost { Action::Drop } else { Action::Forward }
        }));
        server.shutdown(Shutdown::Write).expect("a FIN");
        let fin = |outgoing: bool, packet: &TcpPacket| outgoing && packet.flags.any(TcpFlags::FIN);
        assert!(witness.wait_for(fin, PATIENCE), "the server's FIN");
        let mut pair = lab.connect_from(PORT, family, PATIENCE).expect("accepted in the end");
        pair.exchange().expect("an exchange");

        let events = findings(kernel);
        let stale = find(&events, Kind::SynBareAckStaleConfirmed);
        assert_eq!((stale.severity(), stale.detail[1]), (Severity::Notice, 0));
        assert_eq!(find(&events, Kind::RstSynSent).segment.win, 0);
        find(&events, Kind::TwReuseOk);
        assert_eq!(worst(&events), Some(Severity::Notice), "{:?}", kinds(&events));
    }
}

/// The client loses its state in mid-connection and asks again from the same port: the server's kernel challenges, the client's resets,
/// the next SYN is accepted.
#[test]
fn a_half_dead_connection_is_challenged_and_cleared() {
    for family in [Family::V4, Family::V6] {
        let Some((lab, kernel)) = lab(Lab::server) else { return };
        let _left = used(&lab, family).vanish_client().expect("it vanishes");
        let mut pair = lab.connect_from(PORT, family, PATIENCE).expect("accepted in the end");
        pair.exchange().expect("an exchange");

        let events = findings(kernel);
        find(&events, Kind::Rfc5961SynOnEst);
        assert_eq!(find(&events, Kind::ChallengeAck).detail[1], Provoked::BySyn as u32);
        assert_eq!(find(&events, Kind::RstAfterChallenge).segment.win, 0);
        assert_eq!(worst(&events), Some(Severity::Info), "{:?}", kinds(&events));
    }
}

/// Seed 2: something on the way swallows the SYNs, answers the second by a plain ACK and takes that back after the third.
fn half_open_box() -> impl Tamper {
    let mut requests = 0;
    on_port(move |direction, packet| {
        if direction == Direction::ToClient || !packet.flags.is_syn() {
            return Action::Forward;
        }
        requests += 1;
        let mut answer = packet.answer();
        answer.seq = SeqNumber(0x1234_5678);
        answer.window = 12_288;
        answer.flags = match requests {
            1 => return Action::Drop,
            2 => TcpFlags::ACK,
            _ => RST_ACK,
        };
        Action::Inject { forward: false, frames: vec![(Direction::ToClient, answer.build())] }
    })
}

/// Seed 2: a plain ACK and then a reset, where all other handshakes with ECN work: told with how many.
#[test]
fn a_half_open_entry_is_told_and_ecn_is_cleared() {
    let Some((lab, kernel)) = lab(Lab::client) else { return };
    let set = |host: &Host, name: &str, value: &str| {
        let write = || fs::write(format!("/proc/sys/net/ipv4/{name}"), value);
        host.netns().enter(write).flatten().expect("a kernel parameter");
    };
    set(lab.client(), "tcp_ecn", "1");
    // The seed's client asked for ECN in its retry, too.
    set(lab.client(), "tcp_ecn_fallback", "0");
    set(lab.server(), "tcp_ecn", "1");
    assert_eq!(Traffic::new(&lab).ordinary(5, Family::V4), [Outcome::Ok; 5]);
    lab.middlebox().add(half_open_box());
    let refused = lab.connect_from(PORT, Family::V4, PATIENCE).err();
    assert_eq!(refused, Some(Outcome::Failed(std::io::ErrorKind::ConnectionRefused)));

    let events = findings(kernel);
    assert_eq!(find(&events, Kind::SynBareAckMatch).severity(), Severity::Warn);
    let given_up = find(&events, Kind::SynBareAckThenRst);
    let (worked, all) = (given_up.detail[1] >> 16, given_up.detail[1] & 0xffff);
    assert_eq!((given_up.severity(), worked, all), (Severity::Warn, 5, 5));
    assert!(ecn::nearly_all(worked.into(), all.into()));
    assert_eq!(find(&events, Kind::EcnNotTheCause).severity(), Severity::Info);
    assert_eq!(worst(&events), Some(Severity::Warn), "{:?}", kinds(&events));
    let text = told(given_up).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("ECN is not the cause: 5 of 5 other ECN handshakes to this service worked"), "{text}");
}

/// A finding as a person reads it.
fn told(event: &Event) -> String {
    let style =
        Style { output: Output::Compact, min_severity: Severity::Info, color: false, analysis: false, dedup: false };
    let mut text = Vec::new();
    let mut reporter = Reporter::new(&mut text, style, WallClock::epoch());
    reporter.event(event, Place::default()).expect("a report");
    drop(reporter);
    String::from_utf8(text).expect("text")
}
