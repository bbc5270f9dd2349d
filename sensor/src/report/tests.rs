//! Golden reports: the catalogue's first seed, from frames to words.

use std::collections::BTreeSet;

use sensor_common::{
    config::Config,
    detect::{Severity, rest::at_rest},
    engine::Seen,
    event::Hook,
    flow::TcpFlags,
    seq::SeqNumber,
    wire::Slice,
};

use super::*;
use crate::{host::Host, lab::forge::TcpPacket};

mod outside;
mod repeats;
mod siem;
mod write;

const MS: u64 = 1_000_000;
/// 2013-05-20T14:40:25Z.
const START: u64 = 1_369_060_825_000 * MS;
const SYN_ACK: TcpFlags = TcpFlags::SYN.with(TcpFlags::ACK);
const PUSH: TcpFlags = TcpFlags::PSH.with(TcpFlags::ACK);
const FIN_ACK: TcpFlags = TcpFlags::FIN.with(TcpFlags::ACK);
const RST_ACK: TcpFlags = TcpFlags::RST.with(TcpFlags::ACK);

/// Which hooks there are.
#[derive(Clone, Copy, PartialEq)]
enum Vantage {
    Server,
    Observer,
}

struct Scene {
    host: Host,
    vantage: Vantage,
    events: Vec<(Event, u64)>,
    frame: u64,
    client: TcpPacket,
    server: TcpPacket,
}

impl Scene {
    fn new(vantage: Vantage) -> Self {
        let client = TcpPacket {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            vlan: None,
            source: "203.0.113.9:51234".parse().unwrap(),
            destination: "198.51.100.80:80".parse().unwrap(),
            ttl: 125,
            id: 100,
            dont_fragment: true,
            flags: TcpFlags::SYN,
            seq: SeqNumber(1000),
            ack: SeqNumber(0),
            window: 65535,
            options: Vec::new(),
            payload: Vec::new(),
        };
        let server = TcpPacket { ttl: 128, id: 7000, seq: SeqNumber(900_000), ..client.answer() };
        Self { host: Host::new(Config::replay(15)), vantage, events: Vec::new(), frame: 0, client, server }
    }

    /// A segment with `len` bytes, `ms` after the start.
    fn send(&mut self, ms: u64, client: bool, flags: TcpFlags, window: u16, len: usize) {
        let (from, to) =
            if client { (&mut self.client, &mut self.server) } else { (&mut self.server, &mut self.client) };
        let packet = TcpPacket { flags, window, payload: vec![7; len], ..from.clone() };
        from.seq = packet.next();
        from.id = from.id.wrapping_add(1);
        to.ack = packet.next();
        self.inject(ms, client, &packet);
    }

    fn inject(&mut self, ms: u64, client: bool, packet: &TcpPacket) {
        self.frame += 1;
        let hook = match (self.vantage, client) {
            (Vantage::Observer, _) => Hook::Observer,
            (Vantage::Server, true) => Hook::Ingress,
            (Vantage::Server, false) => Hook::Egress,
        };
        let frame = packet.build().0;
        let seen = Seen { ifindex: 0, tag: 0, hook };
        self.host.observe(START + ms * MS, &Slice::new(&frame, frame.len()), seen);
        let number = self.frame;
        self.events.extend(self.host.drain().map(|event| (event, number)));
    }

    /// A handshake and a short exchange.
    fn exchange(vantage: Vantage) -> Self {
        let mut scene = Self::new(vantage);
        scene.send(0, true, TcpFlags::SYN, 65535, 0);
        scene.send(1, false, SYN_ACK, 16384, 0);
        scene.send(12, true, TcpFlags::ACK, 1460, 0);
        for at in [13, 400, 800] {
            scene.send(at, true, PUSH, 65535, 300);
            scene.send(at + 1, false, TcpFlags::ACK, 65323, 0);
            scene.send(at + 2, false, PUSH, 65323, 900);
            scene.send(at + 14, true, TcpFlags::ACK, 65535, 0);
        }
        scene
    }

    /// The first seed, thinned out: the exchange, a FIN, and a reset from next door.
    fn seed_1(vantage: Vantage) -> Self {
        let mut scene = Self::exchange(vantage);
        scene.send(1814, false, FIN_ACK, 65323, 0);
        let reset = TcpPacket { ttl: 255, id: 4321, flags: RST_ACK, window: 65323, ..scene.client.clone() };
        scene.inject(1815, true, &reset);
        scene
    }

    /// What its connection comes to once all is quiet, in place of what was found on the way.
    fn rests(mut self) -> Self {
        let flows = self.host.flows().iter().zip(self.host.extras());
        let judged = flows.filter_map(|(flow, extra)| at_rest(flow, extra, 0, START + 60_000 * MS));
        self.events = judged.map(|event| (event, self.frame)).collect();
        assert_eq!(self.events.len(), 1);
        self
    }

    fn report(&self, output: Output) -> String {
        let mut text = Vec::new();
        let style = style(output);
        let mut reporter = Reporter::new(&mut text, style, WallClock::epoch());
        for (event, frame) in &self.events {
            let place = Place { interface: Some("eth0"), frame: Some(*frame), ..Place::default() };
            reporter.event(event, place).unwrap();
        }
        String::from_utf8(text).unwrap()
    }
}

/// All is told, each time.
fn style(output: Output) -> Style {
    Style { output, min_severity: Severity::Info, color: false, analysis: false, dedup: false }
}

#[test]
fn seed_1_says_what_the_catalogue_asks_for() {
    let text = Scene::seed_1(Vantage::Server).report(Output::Compact);
    assert_eq!(text, include_str!("tests/seed_1_server.txt"), "\n{text}");
}

#[test]
fn seed_1_from_a_mirror_port_speaks_of_no_us() {
    let text = Scene::seed_1(Vantage::Observer).report(Output::Compact);
    for words in [
        "window 65323 is the server's",
        "was made 0 hops from the capture point; the client",
        "it copies the server's window (65323), which the client never used.",
        "only the server",
        "server > client",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains(" us ") && !text.contains(" our ") && !text.contains("this host"), "{text}");
}

#[test]
fn seed_1_as_json() {
    let text = Scene::seed_1(Vantage::Server).report(Output::Json);
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(object["recorder"].as_array().unwrap().len(), 9);
    let head = text.split(",\"recorder\":").next().unwrap();
    assert_eq!(head, include_str!("tests/seed_1.json").trim_end());
}

/// The names of an object's fields, its objects' included.
fn fields(value: &serde_json::Value, path: &str, names: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => map.iter().for_each(|(name, value)| {
            names.insert(format!("{path}/{name}"));
            fields(value, &format!("{path}/{name}"), names);
        }),
        serde_json::Value::Array(values) => values.iter().for_each(|value| fields(value, path, names)),
        _ => {}
    }
}

/// The names of the fields that a schema describes.
fn described(schema: &serde_json::Value, path: &str, names: &mut BTreeSet<String>) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        names.insert(format!("{path}/{name}"));
        described(field, &format!("{path}/{name}"), names);
    }
    if schema.get("items").is_some() {
        described(&schema["items"], path, names);
    }
}

#[test]
fn lines_are_as_the_schema_says() {
    let schema = crate::schema::schema();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let mut expected = BTreeSet::new();
    described(&schema, "", &mut expected);
    // Which of these there are goes by the kind.
    expected.retain(|name| !name.starts_with("/detail/"));

    let mut carried_on = Scene::seed_1(Vantage::Server);
    carried_on.send(1900, true, PUSH, 65535, 50);
    let mut abort = Scene::exchange(Vantage::Observer);
    let reset = TcpPacket { flags: RST_ACK, ..abort.client.clone() };
    abort.inject(900, true, &reset);
    let text = [carried_on, abort].map(|scene| scene.report(Output::Json)).concat();
    let mut kinds = Vec::new();
    for line in text.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        let errors: Vec<_> = validator.iter_errors(&object).map(|e| format!("{} {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}\n{line}");
        let mut names = BTreeSet::new();
        fields(&object, "", &mut names);
        assert_eq!(names, expected, "all fields, and no others");
        kinds.push(object["kind"].as_str().unwrap().to_owned());

        for (name, wrong) in
            [("kind", "rst"), ("severity", "fatal"), ("flags", "RST;ACK"), ("src_addr", "x"), ("time", "")]
        {
            let mut object = object.clone();
            object[name] = wrong.into();
            assert!(!validator.is_valid(&object), "{name} {wrong}");
        }
    }
    assert_eq!(kinds, ["ttl-rst-mismatch", "rst-seq-data", "rst-abort"]);
}

#[test]
fn an_ordinary_abort_gets_no_explanation() {
    let mut scene = Scene::exchange(Vantage::Server);
    let abort = TcpPacket { flags: RST_ACK, window: 65535, ..scene.client.clone() };
    scene.inject(900, true, &abort);
    let text = scene.report(Output::Compact);
    assert!(!text.contains("  what "), "{text}");
    assert!(text.contains("INFO   rst-abort") && text.contains("a live socket was aborted"), "{text}");
}

#[test]
fn what_follows_upgrades_the_first_finding() {
    let mut scene = Scene::seed_1(Vantage::Server);
    scene.send(1900, true, PUSH, 65535, 50);
    let text = scene.report(Output::Compact);
    assert_eq!(text.matches("  what ").count(), 1, "{text}");
    let last = text.lines().last().unwrap();
    assert!(
        last.contains("ALERT  rst-seq-data") && last.contains("the client went on 85 ms after \"its\" reset"),
        "{last}"
    );
    assert!(last.contains("proven") && last.ends_with("upgraded to proven: ttl-rst-mismatch of frame 17"), "{last}");
}

#[test]
fn a_cut_connection_is_told_by_its_stage() {
    let mut scene = Scene::new(Vantage::Server);
    scene.send(0, true, TcpFlags::SYN, 65535, 0);
    scene.send(1, false, SYN_ACK, 16384, 0);
    scene.send(12, true, TcpFlags::ACK, 1460, 0);
    scene.send(13, true, PUSH, 65535, 300);
    for (at, id) in [(14, 9), (15, 77)] {
        let reset = TcpPacket { ttl: 50, id, flags: RST_ACK, ..scene.client.clone() };
        scene.inject(at, true, &reset);
    }
    let text = scene.rests().report(Output::Compact);
    let first = text.lines().next().unwrap();
    for words in
        ["2013-05-20T14:40:25.01", "ALERT  ct-psh-rstack-rstack", "one data segment, then resets with ACK, TTL 50"]
    {
        assert!(first.contains(words), "{words}\n{text}");
    }
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(
        "The first request 203.0.113.9:51234 > 198.51.100.80:80 arrived, and the connection then was reset."
    ));
    assert!(flat.contains("1. Does it depend on the name or path that was asked for?"), "{text}");
}

#[test]
fn silence_is_told_without_a_reset() {
    let mut scene = Scene::new(Vantage::Observer);
    scene.send(0, true, TcpFlags::SYN, 65535, 0);
    scene.send(1, false, SYN_ACK, 16384, 0);
    scene.send(12, true, TcpFlags::ACK, 1460, 0);
    let text = scene.rests().report(Output::Compact);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("INFO   ct-ack-none") && text.contains("  a handshake, then silence"), "{text}");
}
