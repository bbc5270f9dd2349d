//! What the formats of others have in common: names of connections, and what has no field there.

use std::net::SocketAddr;

use sensor_common::{
    detect::{Evidence, origin},
    event::Hook,
    flow::{Key, Side},
    time::millis,
};
use serde_json::{Map, Value, json};

use super::{
    Finding, Word,
    flow::Told,
    json::{flags, hook},
    story,
};
use crate::{catalogue, enrich::Ends};

/// The Community ID, version 1 with seed 0: the same for both directions, in Zeek, Suricata and Arkime too.
pub(super) fn community_id(ends: [SocketAddr; 2]) -> Option<String> {
    let [from, to] = ends;
    let tcp = 6;
    community_id::calculate_community_id(0, from.ip(), to.ip(), Some(from.port()), Some(to.port()), tcp, false).ok()
}

/// A number for a connection that findings and the record of it share: of 53 bits, which readers of JSON keep exactly. It is
/// made from addresses, ports, place and the millisecond of the first segment (FNV-1a).
pub(super) fn flow_number(key: &Key, first: u32) -> u64 {
    let words = key.a.iter().chain(&key.b).chain([&key.ports, &key.link.ifindex, &key.link.version_vlans, &first]);
    let bytes = words.flat_map(|word| word.to_be_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash >> 11
}

/// That of a finding's connection.
pub(super) fn finding_number(finding: &Finding<'_>) -> u64 {
    flow_number(&finding.event.flow.head.key, finding.event.flow.head.first)
}

/// That of a record's.
pub(super) fn record_number(told: &Told<'_>) -> u64 {
    flow_number(&told.record().key, millis(told.record().first))
}

/// VLAN ids, the outer one first.
pub(super) fn vlans(key: &Key) -> Vec<u16> {
    let (outer, inner) = key.link.vlans();
    [outer, inner].into_iter().filter(|id| *id != 0).collect()
}

/// A finding in a few words.
pub(super) fn words(finding: &Finding<'_>) -> String {
    story::line(finding).0
}

/// What others have no field for, of a finding. Named as in its own JSON line.
pub(super) fn of_finding(finding: &Finding<'_>) -> Value {
    let (event, segment) = (finding.event, finding.event.segment);
    let ids = |bits: Evidence| bits.pieces().map(|(id, _)| id).collect::<Vec<_>>();
    let micros = |duration: std::time::Duration| duration.as_micros() as u64;
    json!({
        "kind": finding.kind.id(),
        "family": catalogue::family(finding.kind),
        "severity": finding.severity.name(),
        "confidence": finding.confidence.name(),
        "score": finding.score(),
        "text": words(finding),
        "evidence": ids(Evidence(event.evidence.0 & !Evidence::AGAINST.0)),
        "against": ids(event.evidence.only(Evidence::AGAINST)),
        "hook": hook(event.hook()),
        "frame": finding.place.frame,
        "rst_class": event.rst_class().map(|class| class.kind().id()),
        "flags": flags(segment.flags),
        "ttl": segment.ttl,
        "expected_ttl": finding.own.map(|own| own.ttl),
        "hops": origin::hops(segment.ttl),
        "expected_hops": finding.own.map(|own| own.hops),
        "window": segment.win,
        "seq": segment.seq.0,
        "ack": segment.ack.0,
        "len": segment.len,
        "ipid": segment.ipid,
        "delay_us": finding.delay.map(micros),
        "idle_us": finding.idle.map(micros),
        "age_us": micros(finding.age),
        "detail": finding.numbers(),
        "held_back": event.held_back,
        "stack": finding.place.word.map(Word::id),
        "stack_reason": finding.place.word.and_then(Word::name),
        "kubernetes": named(&finding.who, ["src", "dst"]),
    })
}

/// The same of a connection's record: both sides' payload is told modulo 2^32, as in its own JSON line.
pub(super) fn of_record(told: &Told<'_>) -> Value {
    let record = told.record();
    let [client, server] = told.totals();
    let side = |total: sensor_common::record::Total| {
        json!({
            "data_segments": total.data,
            "payload_bytes": total.bytes,
            "repeated": total.repeated,
            "reordered": total.reordered,
            "skipped": total.skipped,
            "unseen": total.unseen,
            "rtt_us": (total.rtt > 0).then_some(total.rtt / 1000),
        })
    };
    json!({
        "ended": record.ending.id(),
        "roles_known": record.client.is_some(),
        "conn_state": record.conn_state,
        "history": record.history.to_string(),
        "completeness": record.completeness,
        "client": side(client),
        "server": side(server),
        "findings": { "mild": record.findings[0], "severe": record.findings[1] },
        "kubernetes": named(told.who(), ["client", "server"]),
    })
}

/// Whom the ends belonged to, as a cluster says.
fn named(who: &Ends, ends: [&str; 2]) -> Option<Value> {
    let known = ends.into_iter().zip(who.both()).filter(|(_, who)| who.is_some());
    who.known().then(|| known.map(|(end, who)| (end.to_owned(), json!(who))).collect::<Map<_, _>>().into())
}

/// Whether the side that sent it asked for the connection; none where that is not known.
pub(super) fn from_client(finding: &Finding<'_>) -> Option<bool> {
    finding.cast.client().map(|client: Side| client == finding.side)
}

/// In or out, where the sensor knows.
pub(super) fn direction(hook: Hook) -> Option<&'static str> {
    match hook {
        Hook::Ingress => Some("ingress"),
        Hook::Egress => Some("egress"),
        Hook::Observer => None,
    }
}

/// Takes out what is null, in objects within objects too: elsewhere a field that does not apply is not there.
pub(super) fn bare(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(fields.map(|(name, field)| (name, bare(field))).collect::<Map<_, _>>())
        }
        other => other,
    }
}
