//! The lab is a witness in other tests; here it is cross-examined. Needs root; without it these tests say that they are skipped.

use std::{
    fs,
    io::{Read, Write},
    process::Command,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use sensor::lab::{
    Family, Frame, Lab, LabError, LabOptions, Sniffer,
    forge::{TcpPacket, checksums_hold},
    tamper::{self, AckField, Action, Direction, Victims},
    traffic::{End, Fate, Outcome, Pace, Traffic},
};
use sensor_common::flow::TcpFlags;

const SOON: Duration = Duration::from_secs(2);
const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
const BRISK: Pace = Pace { exchanges: 3, pause: Duration::from_millis(20) };

fn lab(vlan: Option<u16>) -> Option<Lab> {
    match Lab::build(LabOptions { vlan }) {
        Ok(lab) => Some(lab),
        Err(LabError::NotRoot) => {
            eprintln!("SKIPPED: {}", LabError::NotRoot);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn at_server(lab: &Lab) -> Sniffer {
    Sniffer::start(lab.server().netns(), lab.server().interface()).expect("a sniffer")
}

/// Resets that reached the server.
fn resets(sniffer: &Sniffer) -> Vec<TcpPacket> {
    let seen = sniffer.packets().into_iter();
    seen.filter(|(outgoing, packet)| !outgoing && packet.flags.any(TcpFlags::RST)).map(|(_, packet)| packet).collect()
}

fn ordinary_traffic_passes(vlan: Option<u16>) {
    let Some(lab) = lab(vlan) else { return };
    let sniffer = at_server(&lab);
    for family in FAMILIES {
        let outcomes = Traffic::new(&lab).ordinary(6, family);
        assert_eq!(outcomes, [Outcome::Ok; 6], "{family:?}");
        full_segments_pass(&lab, family);
    }
    let mut ways = [0, 0];
    for captured in sniffer.captured() {
        let Some(packet) = captured.packet() else {
            continue;
        };
        assert_eq!(packet.ttl, if captured.outgoing { 128 } else { 125 });
        assert_eq!(packet.vlan, vlan);
        // What leaves the server's stack may be cut only after the sniffer's place.
        assert!(captured.outgoing || captured.frame.0.len() <= 1518);
        assert_eq!(checksums_hold(&captured.frame), Some(true), "{packet:?}");
        assert!(!packet.flags.any(TcpFlags::RST), "{packet:?}");
        ways[usize::from(captured.outgoing)] += 1;
    }
    assert!(ways.iter().all(|&packets| packets > 50), "{ways:?}");
}

/// Enough for segments of full size and, were offloads on, for merged ones.
fn full_segments_pass(lab: &Lab, family: Family) {
    const BYTES: usize = 300_000;
    let mut pair = lab.connect(family).expect("a connection");
    for way in [End::Client, End::Server] {
        let (from, to) = match way {
            End::Client => (&mut pair.client, &mut pair.server),
            End::Server => (&mut pair.server, &mut pair.client),
        };
        thread::scope(|scope| {
            scope.spawn(|| from.write_all(&[7; BYTES]));
            let mut heard = vec![0; BYTES];
            assert!(to.read_exact(&mut heard).is_ok(), "{family:?} {way:?}");
        });
    }
    assert_eq!(pair.close(End::Client), Ok(()));
}

#[test]
fn ordinary_traffic_passes_untagged() {
    ordinary_traffic_passes(None);
}

#[test]
fn ordinary_traffic_passes_tagged() {
    ordinary_traffic_passes(Some(5));
}

#[test]
fn the_first_thread_is_retold() {
    let Some(lab) = lab(None) else { return };
    for family in FAMILIES {
        for (variant, pace) in [(AckField::Conforming, Pace::default()), (AckField::Nonconforming, BRISK)] {
            let sniffer = at_server(&lab);
            let pair = lab.connect(family).unwrap();
            let port = pair.client_port().unwrap();
            lab.middlebox().add(tamper::answer_fin(port, variant));
            let fate = Traffic::new(&lab).victim(pair, pace).unwrap();
            assert_eq!(fate, Fate { client: Outcome::TimedOut, server: Outcome::Reset });
            // Nothing else of this connection may come, the dead client included.
            thread::sleep(Duration::from_millis(50));
            let [reset] = resets(&sniffer).try_into().unwrap();
            let (_, fin) = sniffer
                .packets()
                .into_iter()
                .find(|(outgoing, packet)| *outgoing && packet.flags.any(TcpFlags::FIN))
                .unwrap();
            assert_eq!((reset.ttl, reset.window), (255, fin.window));
            assert_eq!(reset.flags, TcpFlags::RST.with(TcpFlags::ACK));
            assert_eq!(reset.seq, fin.ack);
            assert_eq!(reset.ack == fin.next(), variant == AckField::Conforming);
            assert_eq!((reset.source, reset.macs[1]), (fin.destination, fin.macs[0]));
            let last = sniffer.packets().pop().unwrap().1;
            assert_eq!(last, reset);
        }
    }
}

#[test]
fn a_censor_resets_both_ends() {
    let Some(lab) = lab(Some(7)) else { return };
    for family in FAMILIES {
        let mut pair = lab.connect(family).unwrap();
        let port = pair.client_port().unwrap();
        let sniffer = at_server(&lab);
        let censor = tamper::reset(port, 2, 60, Victims::Both);
        lab.middlebox().add(censor);
        pair.exchange().unwrap();
        assert_eq!(pair.exchange(), Err(Outcome::Reset));
        assert!(sniffer.wait_for(|_, packet| packet.ttl == 60, SOON));
        // An unharmed connection beside it.
        assert_eq!(Traffic::new(&lab).ordinary(1, family), [Outcome::Ok]);
    }
}

#[test]
fn forged_ends_and_answers_deceive() {
    let Some(lab) = lab(None) else { return };
    for family in FAMILIES {
        let mut ended = lab.connect(family).unwrap();
        let port = ended.client_port().unwrap();
        lab.middlebox().add(tamper::finish(port, 1, 64));
        ended.client.write_all(b"first").unwrap();
        let mut heard = Vec::new();
        // An end of the stream that the client never sent.
        assert_eq!(ended.server.read_to_end(&mut heard).unwrap(), 5);
        ended.vanish_client().unwrap();

        let mut deceived = lab.connect(family).unwrap();
        let port = deceived.client_port().unwrap();
        let payload = b"sooner than you think".to_vec();
        let towards = Direction::ToClient;
        let race = tamper::inject_data(port, towards, 1, 64, payload);
        lab.middlebox().add(race);
        assert_eq!(deceived.exchange(), Err(Outcome::Corrupted));
    }
}

#[test]
fn frames_can_be_swallowed_and_delayed() {
    let Some(lab) = lab(None) else { return };
    let middlebox = lab.middlebox();
    middlebox.delay(Direction::ToServer, Duration::from_millis(5));
    middlebox.delay(Direction::ToClient, Duration::from_millis(15));
    let mut pair = lab.connect(Family::V6).unwrap();
    let started = Instant::now();
    pair.exchange().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(20));

    let port = pair.client_port().unwrap();
    middlebox.add(tamper::cut(port, Direction::ToClient));
    let impatient = Some(Duration::from_millis(100));
    pair.client.set_read_timeout(impatient).unwrap();
    assert_eq!(pair.exchange(), Err(Outcome::TimedOut));
    middlebox.clear();
    let outcomes = Traffic::new(&lab).ordinary(2, Family::V6);
    assert_eq!(outcomes, [Outcome::Ok; 2]);
}

#[test]
fn closures_tamper_too() {
    let Some(lab) = lab(None) else { return };
    let (tell, told) = mpsc::channel();
    lab.middlebox().add(move |direction, frame: &mut Frame| {
        if let Some(packet) = TcpPacket::parse(frame)
            && packet.flags.is_syn()
        {
            let _ = tell.send((direction, packet.ttl));
        }
        Action::Forward
    });
    let pair = lab.connect(Family::V4).unwrap();
    assert_eq!(pair.close(End::Client), Ok(()));
    assert_eq!(told.recv_timeout(SOON), Ok((Direction::ToServer, 125)));
}

/// Namespaces whose name begins so.
fn namespaces(prefix: &str) -> Vec<String> {
    fs::read_dir("/run/netns")
        .map(|entries| {
            entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .filter(|name| name.starts_with(prefix))
                .collect()
        })
        .unwrap_or_default()
}

#[test]
fn nothing_is_left_behind() {
    let started = Instant::now();
    let Some(lab) = lab(Some(9)) else { return };
    let built = started.elapsed();
    eprintln!("built in {built:?}");
    assert!(built < SOON);
    let name = lab.server().netns().name().to_owned();
    let own = name.strip_suffix("server").unwrap();
    assert_eq!(namespaces(own).len(), 6);

    // A panic drops the lab like anything else.
    let panicked = thread::scope(|scope| {
        let holder = move || {
            let _lab = lab;
            panic!("on purpose");
        };
        scope.spawn(holder).join().is_err()
    });
    assert!(panicked);
    assert_eq!(namespaces(own), [""; 0]);

    // Those of the living stay; nobody was ever born in tick 0.
    let kept = self::lab(None).unwrap();
    let orphan = format!("sensorlab-{}-0-0-client", std::process::id());
    let added = Command::new("ip").args(["netns", "add", &orphan]).status().unwrap();
    assert!(added.success());
    Lab::remove_leftovers().unwrap();
    assert_eq!(namespaces(&orphan), [""; 0]);
    assert_eq!(Traffic::new(&kept).ordinary(1, Family::V4), [Outcome::Ok]);
}
