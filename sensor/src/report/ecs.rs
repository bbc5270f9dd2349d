//! Elastic Common Schema: one document a line. What it has no field for is below `sensor`, a name of our own.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    net::{IpAddr, SocketAddr},
};

use sensor_common::{
    detect::Severity,
    event::Hook,
    flow::{Key, Side},
};
use serde_json::{Value, json};

use super::{
    Finding,
    flow::Told,
    json::object_line,
    owner::{self, kubernetes, orchestrator},
    rfc3339,
    siem::{bare, community_id, direction, of_finding, of_record, vlans, words},
};
use crate::{
    catalogue,
    correlate::{About, State, View},
};

/// The version whose fields these are.
const VERSION: &str = "9.3.0";

/// Writes a finding: an `alert` from warn up, else an `event`.
pub(super) fn finding(out: &mut impl Write, finding: &Finding<'_>) -> io::Result<()> {
    let (src, dst, kind) = (finding.src(), finding.dst(), finding.kind);
    let key = &finding.event.flow.head.key;
    let hook = finding.event.hook();
    let [client, server] = match finding.cast.client() {
        Some(client) => [client, client.other()].map(|side: Side| end(finding.cast.end(side))),
        None => [Value::Null, Value::Null],
    };
    let text = words(finding);
    // The sensor's own side is what an operator can look at.
    let near = finding.cast.local().map_or(1, |local| usize::from(local != finding.side));
    let pod = owner::pod(&finding.who, [src, dst], near);
    let object = json!({
        "@timestamp": rfc3339(finding.time),
        "ecs": { "version": VERSION },
        "message": format!("{}: {src} > {dst}  {text}", kind.id()),
        "log": { "level": level(finding.severity) },
        "event": {
            "kind": if finding.severity >= Severity::Warn { "alert" } else { "event" },
            "category": categories(finding.elsewhere()),
            "type": ["info"],
            "action": kind.id(),
            "module": "sensor",
            "dataset": "sensor.finding",
            "provider": "sensor",
            "severity": number(finding.severity),
            "reason": text,
        },
        "rule": {
            "id": kind.id(),
            "name": kind.id(),
            "category": catalogue::family(kind),
            "description": catalogue::entry(kind).brief,
            "ruleset": "sensor",
        },
        "source": end(src),
        "destination": end(dst),
        "client": client,
        "server": server,
        "network": network(key, [src, dst], direction(hook)),
        "observer": observer(finding.place.interface, hook == Hook::Egress),
        "related": { "ip": related([src, dst]) },
        "orchestrator": orchestrator(pod),
        "kubernetes": kubernetes(pod),
        "sensor": of_finding(finding),
    });
    object_line(out, &bare(object))
}

/// Writes the record of a connection.
pub(super) fn record(out: &mut impl Write, told: &Told<'_>) -> io::Result<()> {
    let (record, ends) = (told.record(), told.ends());
    let totals = told.totals();
    let near = record.local.map_or(1, |local| usize::from(local == record.server));
    let pod = owner::pod(told.who(), ends, near);
    let [client, server] = [0, 1].map(|side: usize| {
        let mut end = end(ends[side]);
        end["packets"] = totals[side].segments.into();
        end["bytes"] = totals[side].bytes.into();
        end
    });
    let mut network = network(&record.key, ends, None);
    network["packets"] = totals.iter().map(|total| u64::from(total.segments)).sum::<u64>().into();
    network["bytes"] = totals.iter().map(|total| u64::from(total.bytes)).sum::<u64>().into();
    let object = json!({
        "@timestamp": rfc3339(told.last()),
        "ecs": { "version": VERSION },
        "message": format!("{} > {}  {}", ends[0], ends[1], record.ending.id()),
        "event": {
            "kind": "event",
            "category": ["network"],
            "type": ["connection", "end"],
            "action": "connection-end",
            "module": "sensor",
            "dataset": "sensor.flow",
            "provider": "sensor",
            "start": rfc3339(told.first()),
            "end": rfc3339(told.last()),
            "duration": record.duration(),
            "reason": record.ending.id(),
        },
        "source": client,
        "destination": server,
        "client": client,
        "server": server,
        "network": network,
        "observer": observer(told.interface(), false),
        "related": { "ip": related(ends) },
        "orchestrator": orchestrator(pod),
        "kubernetes": kubernetes(pod),
        "sensor": of_record(told),
    });
    object_line(out, &bare(object))
}

/// Writes an incident.
pub(super) fn incident(out: &mut impl Write, incident: &View) -> io::Result<()> {
    let (server, interface) = (incident.about.server(), incident.about.interface());
    let stage = match incident.state {
        State::Open => "start",
        State::Grown => "info",
        State::Closed => "end",
    };
    let examples = incident.examples.iter().flat_map(|example| [example.src, example.dst]);
    let object = json!({
        "@timestamp": rfc3339(incident.last),
        "ecs": { "version": VERSION },
        "message": incident.what,
        "log": { "level": level(incident.severity) },
        "event": {
            "id": incident.id,
            "kind": if incident.severity >= Severity::Warn { "alert" } else { "event" },
            "category": categories(server.is_none()),
            "type": [stage],
            "action": format!("incident-{}", incident.state.id()),
            "module": "sensor",
            "dataset": "sensor.incident",
            "provider": "sensor",
            "severity": number(incident.severity),
            "start": rfc3339(incident.first),
            "end": rfc3339(incident.last),
            "duration": incident.last.saturating_sub(incident.first),
            "reason": incident.causes.first().map(|cause| &cause.name),
        },
        "source": incident.about.source().map(|source| json!({ "address": source, "ip": source })),
        "server": server.map(end),
        "network": { "transport": "tcp", "iana_number": "6" },
        "observer": observer(interface, matches!(incident.about, About::Device { outgoing: true, .. })),
        "related": { "ip": related(examples.chain(incident.services.iter().map(|share| share.server))) },
        "sensor": { "incident": incident },
    });
    object_line(out, &bare(object))
}

fn end(end: SocketAddr) -> Value {
    json!({ "address": end.ip(), "ip": end.ip(), "port": end.port() })
}

/// What somebody on the way does is an intrusion as well.
fn categories(device: bool) -> &'static [&'static str] {
    if device { &["network", "intrusion_detection"] } else { &["network"] }
}

fn network(key: &Key, ends: [SocketAddr; 2], direction: Option<&str>) -> Value {
    let vlans = vlans(key);
    let id = |at: usize| vlans.get(at).map(|id| json!({ "id": id.to_string() }));
    json!({
        "transport": "tcp",
        "type": if key.link.ip_version() == 4 { "ipv4" } else { "ipv6" },
        "iana_number": "6",
        "direction": direction,
        "community_id": community_id(ends),
        "vlan": id(0),
        "inner": id(1).map(|vlan| json!({ "vlan": vlan })),
    })
}

fn observer(interface: Option<&str>, outgoing: bool) -> Value {
    let interface = interface.map(|name| json!({ "interface": { "name": name } }));
    let way = if outgoing { "egress" } else { "ingress" };
    json!({ "product": "sensor", "type": "ids", "version": env!("CARGO_PKG_VERSION"), way: interface })
}

/// Addresses, each once.
fn related(ends: impl IntoIterator<Item = SocketAddr>) -> BTreeSet<IpAddr> {
    ends.into_iter().map(|end| end.ip()).collect()
}

/// The name that syslog has for it.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Notice => "notice",
        Severity::Warn => "warning",
        Severity::Alert => "alert",
    }
}

/// 1 for info to 4 for alert.
fn number(severity: Severity) -> u8 {
    severity as u8 + 1
}
