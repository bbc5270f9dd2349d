//! JSON lines: one object an event, its fields in a stable order. Fields that do not apply are null.

use std::io::{self, Write};

use sensor_common::{
    detect::Evidence,
    event::Hook,
    flow::{Segment, TcpFlags},
};
use serde::Serialize;

use super::{Finding, Mark, Word, rfc3339, siem::community_id};
use crate::{catalogue::numbers::Detail, enrich::Who};

/// Version of the objects: fields may be added within one, nothing else.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Object<'a> {
    schema: u32,
    time: String,
    kind: &'static str,
    severity: &'static str,
    confidence: &'static str,
    score: f32,
    evidence: Vec<&'static str>,
    against: Vec<&'static str>,
    src_addr: String,
    src_port: u16,
    dst_addr: String,
    dst_port: u16,
    flow_id: String,
    community_id: Option<String>,
    interface: Option<&'a str>,
    stack: Option<&'static str>,
    stack_reason: Option<&'a str>,
    hook: &'static str,
    frame: Option<u64>,
    vlan: Vec<u16>,
    rst_class: Option<&'static str>,
    flags: String,
    ttl: u8,
    expected_ttl: Option<u8>,
    hops: u8,
    expected_hops: Option<u8>,
    window: u16,
    seq: u32,
    ack: u32,
    len: u16,
    ipid: u16,
    delay_us: Option<u64>,
    min_rtt_us: Option<u64>,
    age_us: u64,
    idle_us: Option<u64>,
    detail: Detail,
    held_back: u32,
    service: Service,
    roles: Roles,
    recorder: Vec<Recorded>,
    kubernetes: Option<Kubernetes<'a>>,
}

/// Whom the ends belonged to.
#[derive(Serialize)]
struct Kubernetes<'a> {
    src: Option<&'a Who>,
    dst: Option<&'a Who>,
}

#[derive(Serialize)]
struct Service {
    established: u64,
    flagged: u64,
    rst: u64,
}

#[derive(Serialize)]
struct Roles {
    client: Option<String>,
    server: Option<String>,
    local: Option<String>,
}

#[derive(Serialize)]
struct Recorded {
    /// Microseconds after the event's own segment, negative before it; null where the capture's clock jumps.
    offset_us: Option<i64>,
    from: &'static str,
    flags: String,
    ttl: u8,
    window: u16,
    seq: u32,
    ack: u32,
    len: u16,
    ipid: u16,
    part: Option<&'static str>,
}

/// Writes the object and ends the line.
pub(super) fn line(out: &mut impl Write, finding: &Finding<'_>) -> io::Result<()> {
    object_line(out, &object(finding))
}

/// Writes any object and ends the line.
pub(super) fn object_line(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

fn object<'a>(finding: &'a Finding<'_>) -> Object<'a> {
    let Finding { event, cast, side, .. } = finding;
    let (src, dst, segment) = (finding.src(), finding.dst(), event.segment);
    let ids = |bits: Evidence| bits.pieces().map(|(id, _)| id).collect();
    let end = |side: Option<_>| side.map(|side| cast.end(side).to_string());
    let (outer, inner) = event.flow.head.key.link.vlans();
    let micros = |duration: std::time::Duration| duration.as_micros() as u64;
    Object {
        schema: SCHEMA,
        time: rfc3339(finding.time),
        kind: finding.kind.id(),
        severity: finding.severity.name(),
        confidence: finding.confidence.name(),
        score: finding.score(),
        evidence: ids(Evidence(event.evidence.0 & !Evidence::AGAINST.0)),
        against: ids(event.evidence.only(Evidence::AGAINST)),
        src_addr: src.ip().to_string(),
        src_port: src.port(),
        dst_addr: dst.ip().to_string(),
        dst_port: dst.port(),
        flow_id: format!("{:016x}", finding.flow_id()),
        community_id: community_id([src, dst]),
        interface: finding.place.interface,
        stack: finding.place.word.map(Word::id),
        stack_reason: finding.place.word.and_then(Word::name),
        hook: hook(event.hook()),
        frame: finding.place.frame,
        vlan: [outer, inner].into_iter().filter(|id| *id != 0).collect(),
        rst_class: event.rst_class().map(|class| class.kind().id()),
        flags: flags(segment.flags),
        ttl: segment.ttl,
        expected_ttl: finding.own.map(|own| own.ttl),
        hops: sensor_common::detect::origin::hops(segment.ttl),
        expected_hops: finding.own.map(|own| own.hops),
        window: segment.win,
        seq: segment.seq.0,
        ack: segment.ack.0,
        len: segment.len,
        ipid: segment.ipid,
        delay_us: finding.delay.map(micros),
        min_rtt_us: finding.min_rtt.map(micros),
        age_us: micros(finding.age),
        idle_us: finding.idle.map(micros),
        detail: finding.numbers(),
        held_back: event.held_back,
        service: Service {
            established: event.service.established,
            flagged: event.service.flagged,
            rst: event.service.rst,
        },
        roles: Roles {
            client: end(cast.client()),
            server: end(cast.client().map(|client| client.other())),
            local: end(cast.local()),
        },
        recorder: finding
            .rows
            .iter()
            .map(|row| {
                recorded(
                    &row.segment,
                    row.side == *side,
                    row.mark,
                    finding.steady.then(|| offset_us(&row.segment, &segment)),
                )
            })
            .collect(),
        kubernetes: finding.who.known().then(|| {
            let [src, dst] = finding.who.both();
            Kubernetes { src, dst }
        }),
    }
}

fn recorded(row: &Segment, from_src: bool, mark: Mark, offset_us: Option<i64>) -> Recorded {
    Recorded {
        offset_us,
        from: if from_src { "src" } else { "dst" },
        flags: flags(row.flags),
        ttl: row.ttl,
        window: row.win,
        seq: row.seq.0,
        ack: row.ack.0,
        len: row.len,
        ipid: row.ipid,
        part: part(mark),
    }
}

/// Where it was seen.
pub(crate) fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Ingress => "ingress",
        Hook::Egress => "egress",
        Hook::Observer => "observer",
    }
}

/// A recorded segment's part in the finding.
pub(crate) fn part(mark: Mark) -> Option<&'static str> {
    match mark {
        Mark::Plain => None,
        Mark::Trigger => Some("trigger"),
        Mark::Suspect => Some("suspect"),
        Mark::Proof => Some("proof"),
    }
}

/// Microseconds from `origin` to `segment`.
pub(super) fn offset_us(segment: &Segment, origin: &Segment) -> i64 {
    let units = segment.time.0.wrapping_sub(origin.time.0) as i32;
    i64::from(units) * 1024 / 1000
}

/// Flags and their names, in the order in which Wireshark lists them.
pub(crate) const FLAGS: [(TcpFlags, &str); 8] = [
    (TcpFlags::FIN, "FIN"),
    (TcpFlags::SYN, "SYN"),
    (TcpFlags::RST, "RST"),
    (TcpFlags::PSH, "PSH"),
    (TcpFlags::ACK, "ACK"),
    (TcpFlags::URG, "URG"),
    (TcpFlags::ECE, "ECE"),
    (TcpFlags::CWR, "CWR"),
];

/// Flags by name.
pub(super) fn flags(flags: TcpFlags) -> String {
    let set: Vec<&str> = FLAGS.iter().filter(|(flag, _)| flags.any(*flag)).map(|(_, name)| *name).collect();
    set.join(",")
}
