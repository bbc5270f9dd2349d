//! Truth: what is found in captures that others made, against what others say of them. Writes the table of `docs/accuracy.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use sensor::{capture::Reader, host::Host};
use sensor_common::{
    config::Config,
    counters::Counter,
    detect::Severity,
    engine::Seen,
    event::{Event, Hook},
    flow::Side,
    kind::Kind,
    wire::Slice,
};
use serde_json::Value;
use tests::{captures, document};

/// Connections whose resets a third party labels as injected, by client port.
const LABELLED: [(&str, &[u16]); 3] = [
    ("tripwire__airtel.pcap", &[41972, 41974, 41976]),
    ("tripwire__server_side_http_luke.pcap", &[59710]),
    (
        "tripwire__tripwire-1597963966.frames0001-0595.pcap",
        &[
            47374, 47376, 47378, 47380, 47382, 47384, 47386, 47388, 47390, 47392, 50926, 50928, 50930, 50932, 50934,
            50936, 50938, 50940, 50942,
        ],
    ),
];

/// Captures that were published as injections of payload.
const INJECTED: &str = "qinsert__";

/// A finding and the frame that led to it.
struct Found {
    frame: u64,
    event: Event,
}

impl Found {
    fn ports(&self) -> [u16; 2] {
        [Side::A, Side::B].map(|side| self.event.flow.head.key.port(side))
    }
}

/// One capture: what was found above info, and how much was looked at.
fn look(file: &Path) -> (Vec<Found>, u64) {
    let mut host = Host::new(Config::replay(16_383));
    let mut reader = Reader::new(fs::File::open(file).expect("the capture")).expect("a capture");
    let mut found = Vec::new();
    while let Some(frame) = reader.next_frame().expect("a whole capture") {
        let seen = Seen { ifindex: frame.interface, tag: 0, hook: Hook::Observer };
        host.observe(frame.time, &Slice::new(frame.bytes, frame.wire_len as usize), seen);
        let number = frame.number;
        found.extend(host.drain().map(|event| Found { frame: number, event }));
    }
    found.retain(|found| found.event.severity() > Severity::Info);
    (found, host.cpu().get(Counter::Segments))
}

/// Why a finding is no false alarm, by the facts alone; `None` if they do not tell.
fn explained(found: &Found, name: &str, labelled: &[u16], facts: &Value) -> Option<&'static str> {
    let fact = |list: &str, matches: &dyn Fn(&Value) -> bool| {
        facts[list].as_array().is_some_and(|list| list.iter().any(matches))
    };
    let frame = found.frame;
    if found.ports().iter().any(|port| labelled.contains(port)) {
        return Some("labelled as injected by a third party");
    }
    if matches!(found.event.kind(), Some(Kind::SynBareAckStale | Kind::SynBareAckStaleConfirmed)) {
        let rejects = |rst: &Value| rst["seq"] == found.event.segment.ack.0 && rst["n"].as_u64() > Some(frame);
        return fact("rsts", &rejects).then_some("an answer to a SYN that its client rejects by a reset");
    }
    match found.event.kind() {
        Some(Kind::WsReusedPorts) => {
            return fact("frames_reused", &|number: &Value| *number == frame)
                .then_some("ports that tshark sees reused");
        }
        Some(Kind::ZeroWindowStall | Kind::WsZeroWindow) => {
            return fact("frames_zerowin", &|number: &Value| number.as_u64() <= Some(frame))
                .then_some("a window that tshark sees closed before");
        }
        // tests/tshark.rs holds each segment's row to tshark's.
        Some(Kind::WsRetransmission | Kind::WsRto) => return Some("segments that tshark sees repeated"),
        _ => {}
    }
    if found.event.is_reset() {
        let odd = |rst: &Value| rst["n"] == frame && rst["ttl_mis"] == true;
        return fact("rsts", &odd).then_some("a TTL that no other segment of that side has");
    }
    if found.event.kind() == Some(Kind::RstSeqData) {
        let spoke_again = |rst: &Value| rst["later_own"].as_u64() > Some(0) && rst["n"].as_u64() < Some(frame);
        return fact("rsts", &spoke_again).then_some("its sender went on after the reset");
    }
    if name.starts_with(INJECTED) {
        return Some("published as an injection");
    }
    fact("ttl_out", &|out: &Value| out[1] == frame).then_some("a TTL off its side's usual")
}

#[test]
fn captures_with_independent_truth() {
    let Some(folder) = captures::folder() else { return };
    let facts: Value = serde_json::from_slice(&fs::read(folder.join("facts.json")).expect("facts")).expect("JSON");
    let mut table =
        String::from("| capture | segments | resets | labelled | found | alert | warn | notice | explained by |\n");
    table.push_str("|---|---|---|---|---|---|---|---|---|\n");
    let mut quiet = (0, 0, 0);
    for file in captures::all() {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let facts = &facts[&name];
        let labelled = LABELLED.iter().find(|(file, _)| *file == name).map_or(&[][..], |(_, ports)| ports);
        let (found, segments) = look(&file);
        let resets = facts["c"]["rst"].as_u64().unwrap_or(0);

        let caught: BTreeSet<_> = found.iter().flat_map(Found::ports).filter(|port| labelled.contains(port)).collect();
        let missed: Vec<_> = labelled.iter().filter(|port| !caught.contains(port)).collect();
        assert!(missed.is_empty(), "{name}: labelled as injected and not found: {missed:?}");

        let mut reasons = BTreeMap::new();
        for one in &found {
            let kind = one.event.kind().map_or("?", Kind::id);
            let reason = explained(one, &name, labelled, facts);
            let reason = reason.unwrap_or_else(|| panic!("{name}: frame {} is told as {kind}: why?", one.frame));
            *reasons.entry(reason).or_insert(0) += 1;
        }
        if found.is_empty() {
            quiet = (quiet.0 + 1, quiet.1 + segments, quiet.2 + resets);
            continue;
        }
        let of = |severity| found.iter().filter(|found| found.event.severity() == severity).count();
        let reasons: Vec<_> = reasons.iter().map(|(reason, n)| format!("{reason} ({n})")).collect();
        let labels = if labelled.is_empty() { String::new() } else { labelled.len().to_string() };
        let hits = if labelled.is_empty() { String::new() } else { caught.len().to_string() };
        let (alert, warn, notice) = (of(Severity::Alert), of(Severity::Warn), of(Severity::Notice));
        let reasons = reasons.join(", ");
        writeln!(
            table,
            "| {name} | {segments} | {resets} | {labels} | {hits} | {alert} | {warn} | {notice} | {reasons} |"
        )
        .expect("a string");
    }
    let (files, segments, resets) = quiet;
    writeln!(table, "| {files} others | {segments} | {resets} | | | 0 | 0 | 0 | |").expect("a string");
    document::hold("accuracy table", &table);
}
