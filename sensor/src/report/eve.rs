//! Suricata's EVE: findings and incidents as `anomaly`, connections as `flow`, one object a line.
//!
//! An incident is no `alert`: that is the match of a signature, by its number, on one packet. Bytes of a `flow` are left out,
//! since Suricata counts whole packets and the sensor payload. What EVE has no field for is below `sensor`.
//!
//! Fields and their values: etc/schema.json in Suricata's sources, and "Eve JSON Format" in its user guide
//! (docs.suricata.io, output/eve/eve-json-format).

use std::io::{self, Write};

use sensor_common::record::Ending;
use serde_json::{Value, json};

use super::{
    Finding, Place,
    flow::Told,
    json::object_line,
    rfc3339,
    siem::{bare, community_id, finding_number, from_client, of_finding, of_record, record_number, vlans},
};
use crate::correlate::View;

/// Writes a finding.
pub(super) fn finding(out: &mut impl Write, finding: &Finding<'_>) -> io::Result<()> {
    let (src, dst, key) = (finding.src(), finding.dst(), &finding.event.flow.head.key);
    let Place { interface, frame, .. } = finding.place;
    let object = json!({
        "timestamp": timestamp(finding.time),
        "event_type": "anomaly",
        "flow_id": finding_number(finding),
        "in_iface": interface,
        "pcap_cnt": frame,
        "vlan": some(vlans(key)),
        "src_ip": src.ip(),
        "src_port": src.port(),
        "dest_ip": dst.ip(),
        "dest_port": dst.port(),
        "proto": "TCP",
        "ip_v": key.link.ip_version(),
        "direction": from_client(finding).map(|client| if client { "to_server" } else { "to_client" }),
        "community_id": community_id([src, dst]),
        "anomaly": anomaly(finding.kind.id()),
        "sensor": of_finding(finding),
    });
    object_line(out, &bare(object))
}

/// Writes the record of a connection.
pub(super) fn record(out: &mut impl Write, told: &Told<'_>) -> io::Result<()> {
    let record = told.record();
    let ([src, dst], [asked, answered]) = (told.ends(), told.totals());
    let object = json!({
        "timestamp": timestamp(told.last()),
        "event_type": "flow",
        "flow_id": record_number(told),
        "in_iface": told.interface(),
        "vlan": some(vlans(&record.key)),
        "src_ip": src.ip(),
        "src_port": src.port(),
        "dest_ip": dst.ip(),
        "dest_port": dst.port(),
        "proto": "TCP",
        "ip_v": record.key.link.ip_version(),
        "community_id": community_id([src, dst]),
        "flow": {
            "pkts_toserver": asked.segments,
            "pkts_toclient": answered.segments,
            "start": timestamp(told.first()),
            "end": timestamp(told.last()),
            "age": record.duration() / 1_000_000_000,
            "state": state(record.ending, record.conn_state),
            "reason": reason(record.ending),
            "alerted": record.findings[1] > 0,
        },
        "sensor": of_record(told),
    });
    object_line(out, &bare(object))
}

/// Writes an incident. The service that it is about is the destination, and who does it the source.
pub(super) fn incident(out: &mut impl Write, incident: &View) -> io::Result<()> {
    let server = incident.about.server();
    let object = json!({
        "timestamp": timestamp(incident.last),
        "event_type": "anomaly",
        "in_iface": incident.about.interface(),
        "src_ip": incident.about.source(),
        "dest_ip": server.map(|server| server.ip()),
        "dest_port": server.map(|server| server.port()),
        "proto": "TCP",
        "anomaly": anomaly("incident"),
        "sensor": { "incident": incident },
    });
    object_line(out, &bare(object))
}

/// Events of this type begin with its name. `layer` is for `applayer` alone.
fn anomaly(id: &str) -> Value {
    json!({ "type": "stream", "event": format!("stream.{id}") })
}

/// As Suricata writes it: with an offset, in digits.
fn timestamp(nanos: u64) -> String {
    rfc3339(nanos).replace('Z', "+0000")
}

fn some(ids: Vec<u16>) -> Option<Vec<u16>> {
    (!ids.is_empty()).then_some(ids)
}

/// Of Suricata's states: `new`, `established`, `closed`.
fn state(ending: Ending, conn_state: &str) -> &'static str {
    match (ending, conn_state) {
        (Ending::Fin | Ending::Rst, _) => "closed",
        (_, "S0" | "SH" | "SHR" | "REJ" | "RSTOS0" | "RSTRH") => "new",
        _ => "established",
    }
}

/// Why it is told of: closed ones are told after a while, too.
fn reason(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Fin | Ending::Rst | Ending::Silence => Some("timeout"),
        Ending::Eviction => Some("forced"),
        Ending::CaptureEnd => Some("shutdown"),
        Ending::Live => None,
    }
}
