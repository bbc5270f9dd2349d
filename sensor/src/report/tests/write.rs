//! Findings as packets, read back with the reader for captures.

use std::fs;

use sensor_common::{
    counters::Counter,
    flow::{LinkId, Segment, Side},
    kind::Kind,
    time::Stamp,
};

use super::*;
use crate::capture::Reader;

/// A frame that was read back.
struct Packet {
    time: u64,
    bytes: Vec<u8>,
    wire_len: u32,
    interface: Option<String>,
}

/// Writes events, milder ones than `min_severity` left out, and reads the file; with what the summary says of it.
fn written(events: &[(Event, u64)], min_severity: Severity) -> (Vec<Packet>, Vec<u8>, String) {
    let place = |frame| Place { interface: Some("eth0"), frame: Some(frame), ..Place::default() };
    written_at(events.iter().map(|(event, frame)| (event, place(*frame))), min_severity)
}

fn written_at<'a>(
    events: impl Iterator<Item = (&'a Event, Place<'a>)>,
    min_severity: Severity,
) -> (Vec<Packet>, Vec<u8>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("findings.pcapng");
    let style = Style { output: Output::Compact, min_severity, color: false, analysis: false, dedup: false };
    let packets = PacketFile::create(&path, None).unwrap();
    let mut text = Vec::new();
    let mut reporter = Reporter::new(&mut text, style, WallClock::epoch()).with_packets(Some(packets));
    for (event, place) in events {
        reporter.event(event, place).unwrap();
    }
    // Not at the end only.
    let file = fs::read(path).unwrap();
    reporter.finish(&Cpu::default(), &[]).unwrap();
    let mut reader = Reader::new(file.as_slice()).unwrap();
    let mut packets = Vec::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let (time, bytes, wire_len, interface) = (frame.time, frame.bytes.to_vec(), frame.wire_len, frame.interface);
        let interface = reader.interface_name(interface).map(str::to_owned);
        packets.push(Packet { time, bytes, wire_len, interface });
    }
    (packets, file, String::from_utf8(text).unwrap())
}

fn says(file: &[u8], words: &str) -> bool {
    file.windows(words.len()).any(|part| part == words.as_bytes())
}

/// What the engine makes of the packets.
fn replayed(packets: &[Packet]) -> (Host, Vec<Segment>) {
    let mut host = Host::new(Config::replay(15));
    let mut segments = Vec::new();
    for packet in packets {
        let seen = Seen { ifindex: 0, tag: 0, hook: Hook::Observer };
        host.observe(packet.time, &Slice::new(&packet.bytes, packet.wire_len as usize), seen);
        segments.push(host.packet().segment(Stamp(0)));
    }
    (host, segments)
}

#[test]
fn segments_come_back_as_they_were_recorded() {
    let scene = Scene::seed_1(Vantage::Server);
    let (packets, file, text) = written(&scene.events, Severity::Info);
    let finding = Finding::new(&scene.events[0].0, WallClock::epoch(), Place::default());
    let recorded = finding.rows.iter().map(|row| Segment { time: Stamp(0), ..row.segment });
    let (mut host, segments) = replayed(&packets);
    assert_eq!(segments, recorded.collect::<Vec<_>>());
    assert!(segments.iter().any(|segment| segment.len == 900), "payload is announced");
    assert!(packets.iter().all(|packet| packet.bytes.len() == 54 && packet.interface.as_deref() == Some("eth0")));
    for packet in &packets {
        let sum: u32 = packet.bytes[14..34].chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff, "the checksum of the IP header holds");
    }
    for counter in [Counter::BadIpHeader, Counter::BadTcpHeader, Counter::Truncated] {
        assert_eq!(host.cpu().get(counter), 0);
    }
    assert_eq!(host.drain().filter_map(|event| event.kind()).collect::<Vec<_>>(), [Kind::TtlRstMismatch]);

    let [.., fin, reset] = packets.as_slice() else { panic!("two packets at least") };
    assert_eq!(reset.time, START + 1815 * MS, "exact for the finding's own");
    assert!((START + 1814 * MS).abs_diff(fin.time) < 2048);
    assert!(packets.is_sorted_by_key(|packet| packet.time));

    assert!(says(&file, concat!("sensor ", env!("CARGO_PKG_VERSION"))));
    assert!(says(
        &file,
        "ttl-rst-mismatch alert, confidence likely: TTL 255, the client's 125 (0 hops, not 3), window"
    ));
    assert!(says(&file, "; evidence ttl-rst-mismatch "));
    assert!(says(&file, "frame 17 of the capture"));
    assert!(text.contains("write: 1 finding, 9 segments in "), "{text}");
}

#[test]
fn what_is_not_told_is_not_written() {
    let mut scene = Scene::exchange(Vantage::Server);
    let abort = TcpPacket { flags: RST_ACK, window: 65535, ..scene.client.clone() };
    scene.inject(900, true, &abort);
    assert_eq!(scene.events[0].0.severity(), Severity::Info);
    let (packets, _, text) = written(&scene.events, Severity::Notice);
    assert!(packets.is_empty() && text.contains("write: 0 findings, 0 segments"), "{text}");
}

#[test]
fn findings_of_one_flow_share_their_segments() {
    let mut scene = Scene::seed_1(Vantage::Server);
    scene.send(1900, true, PUSH, 65535, 50);
    assert_eq!(scene.events.len(), 2);
    let (packets, file, _) = written(&scene.events, Severity::Info);
    assert_eq!(packets.len(), 10, "one more");
    assert!(says(&file, "rst-seq-data alert, confidence proven"));
    // Its own segment comes with each finding, for the comment.
    let twice = [scene.events[0], scene.events[0]];
    assert_eq!(written(&twice, Severity::Info).0.len(), 10);
}

#[test]
fn tags_and_long_segments_keep_their_lengths() {
    let (mut event, frame) = Scene::seed_1(Vantage::Server).events[0];
    event.flow.head.key.link = LinkId::new(3, 6, 100, 200);
    event.segment.len = u16::MAX;
    event.segment.ipid = 0xbeef;
    let (packets, file, _) = written(&[(event, frame)], Severity::Info);
    let last = packets.last().unwrap();
    assert_eq!(last.bytes[12..20], [0x81, 0, 0, 100, 0x81, 0, 0, 200]);
    assert_eq!((last.bytes.len(), last.wire_len), (14 + 8 + 40 + 20, 14 + 8 + 40 + 20 + 65495));
    assert!(says(&file, "; longer than IP can announce"));
    let (host, segments) = replayed(&packets);
    let own = segments.last().unwrap();
    assert_eq!((own.len, own.ipid, own.seq), (65495, 0xbeef, event.segment.seq));
    let key = &host.packet().key;
    assert_eq!(
        (key.addr(Side::A), key.addr(Side::B)),
        (event.flow.head.key.addr(Side::A), event.flow.head.key.addr(Side::B))
    );
    assert_eq!(key.link.vlans(), (100, 200));
}

#[test]
fn an_hour_of_silence_is_an_hour() {
    const HOUR: u64 = 3_600_000;
    let mut scene = Scene::exchange(Vantage::Server);
    let abort = TcpPacket { flags: RST_ACK, window: 65535, ..scene.client.clone() };
    scene.inject(900 + HOUR, true, &abort);
    let (packets, ..) = written(&scene.events, Severity::Info);
    let [.., before, abort] = packets.as_slice() else { panic!("two packets at least") };
    assert_eq!(abort.time, START + (900 + HOUR) * MS);
    assert!((START + 814 * MS).abs_diff(before.time) < 2048);
}

#[test]
fn interfaces_without_end_share_the_last_description() {
    let (event, _) = Scene::seed_1(Vantage::Server).events[0];
    let names: Vec<String> = (0..1100).map(|n| format!("eth{n}")).collect();
    let places: Vec<Place<'_>> = names.iter().map(|name| Place { interface: Some(name), ..Place::default() }).collect();
    let (packets, ..) = written_at(places.iter().map(|place| (&event, *place)), Severity::Info);
    let seen: Vec<&str> = packets.iter().filter_map(|packet| packet.interface.as_deref()).collect();
    // The first finding has nine segments, the others their own.
    assert_eq!((seen.len(), seen[0], seen[8], seen[9], seen[1030]), (9 + 1099, "eth0", "eth0", "eth1", "eth1022"));
    assert!(seen[1031..].iter().all(|name| *name == "others"));
}
