//! The metrics: a snapshot as OpenMetrics. No label holds an address or a port, so the number of series has a bound that
//! traffic does not move.

use std::collections::BTreeMap;

use sensor_common::{detect::Severity, kind::Kind};

use super::{
    board::BOUNDS,
    exposition::{Text, Type},
    snapshot::Snapshot,
};
use crate::{catalogue, store::Kept};

/// Families made of the kernel program's counters: name, help, label, and each value of the label with the counter's name.
type Family = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const COUNTERS: &[Family] = &[
    ("sensor_packets", "Frames seen by either hook.", "", &[("", "packets")]),
    ("sensor_segments", "TCP segments that were judged.", "", &[("", "segments")]),
    (
        "sensor_frames_not_judged",
        "Frames that were not judged, by reason.",
        "reason",
        &[
            ("not_tcp", "not_tcp"),
            ("truncated", "truncated"),
            ("bad_ip_header", "bad_ip_header"),
            ("bad_tcp_header", "bad_tcp_header"),
            ("fragment", "fragments"),
            ("extension_limit", "extension_limit"),
            ("vlan_limit", "vlan_limit"),
        ],
    ),
    (
        "sensor_segments_by_type",
        "Segments of types that matter; one may be of several.",
        "type",
        &[("syn", "syn"), ("syn_ack", "syn_ack"), ("fin", "fin"), ("rst", "rst"), ("data", "data")],
    ),
    ("sensor_flows_created", "Flows entered into the table.", "", &[("", "flows_created")]),
    ("sensor_flows_established", "Flows whose two sides came to agree.", "", &[("", "flows_established")]),
    ("sensor_strays", "Resets and FINs of flows that are not known.", "", &[("", "strays")]),
    (
        "sensor_flow_evictions",
        "Flows that gave way to others; expired ones were over.",
        "reason",
        &[
            ("expired", "evicted_expired"),
            ("closed", "evicted_closed"),
            ("embryonic", "evicted_embryonic"),
            ("silent", "evicted_silent"),
        ],
    ),
    (
        "sensor_flows_refused",
        "Flows that found no place and are not followed.",
        "reason",
        &[("table_full", "table_full"), ("insert_race", "insert_races")],
    ),
    ("sensor_services_refused", "Connections whose service found no place.", "", &[("", "service_overflow")]),
    ("sensor_stage_missing", "Segments whose judgement could not go on: 0, always.", "", &[("", "stage_missing")]),
    ("sensor_events_submitted", "Findings that the kernel program handed to the ring.", "", &[("", "submitted")]),
    (
        "sensor_events_ring_full",
        "Findings lost because the ring was full; low is below warn.",
        "class",
        &[("low", "ring_full_low"), ("high", "ring_full_high")],
    ),
    (
        "sensor_events_held_back",
        "Findings held back because their connection, or their kind, had told enough.",
        "reason",
        &[("flow", "held_back_flow"), ("rate", "held_back_rate")],
    ),
    (
        "sensor_records_handed_on",
        "Connections that gave way before they were told of, and were handed on for their records.",
        "",
        &[("", "records_handed_on")],
    ),
    ("sensor_records_skipped", "The same that found no place in the ring.", "", &[("", "records_skipped")]),
];

/// The whole text.
pub fn render(snapshot: &Snapshot) -> String {
    let mut text = Text::new();
    text.family("sensor_build", Type::Info, "The agent.").add(&[("version", &snapshot.version)], 1);
    text.family("sensor_uptime_seconds", Type::Gauge, "Since it began to watch.").add(&[], snapshot.uptime);
    text.family("sensor_ready", Type::Gauge, "1 if nothing keeps it from its work, see /readyz.")
        .add(&[], u8::from(snapshot.trouble.is_empty()));
    counters(&mut text, snapshot);
    findings(&mut text, snapshot);
    losses(&mut text, snapshot);
    state(&mut text, snapshot);
    hooks(&mut text, snapshot);
    process(&mut text, snapshot);
    text.finish()
}

/// The kernel program's counters; those that have no family of their own, by name.
fn counters(text: &mut Text, snapshot: &Snapshot) {
    for (name, help, label, members) in COUNTERS {
        let mut family = text.family(name, Type::Counter, help);
        for (value, id) in *members {
            let labels: &[_] = if label.is_empty() { &[] } else { &[(*label, *value)] };
            family.add(labels, snapshot.counter(id));
        }
    }
    let mut family = text.family("sensor_analysis_segments", Type::Counter, "Segments by Wireshark's tcp.analysis.");
    for (row, value) in &snapshot.analysis {
        family.add(&[("row", row)], value);
    }
    let placed = |id: &str| COUNTERS.iter().any(|(.., members)| members.iter().any(|(_, placed)| *placed == id));
    let mut family = text.family("sensor_other", Type::Counter, "Counters without a family of their own, by name.");
    for (id, value) in snapshot.counters.iter().filter(|(id, _)| !placed(id)) {
        family.add(&[("counter", id)], value);
    }
}

/// Findings: by kind as the kernel counts them, by kind and severity as they reached the report. Each kind is there from the
/// start, with the severities that it usually has, so that its first finding is an increase.
fn findings(text: &mut Text, snapshot: &Snapshot) {
    let mut family = text.family("sensor_matched", Type::Counter, "Findings of the kernel program, told or not.");
    for kind in Kind::ALL {
        family.add(&[("kind", kind.id())], snapshot.matched.get(kind.id()).copied().unwrap_or_default());
    }
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for kind in Kind::ALL {
        let [least, most] = catalogue::entry(*kind).severity;
        let usual = Severity::ALL.into_iter().filter(|severity| (least..=most).contains(severity));
        counts.extend(usual.map(|severity| ((kind.id(), severity.name()), 0)));
    }
    counts.extend(snapshot.findings.iter().map(|one| ((&*one.kind, &*one.severity), one.count)));
    let mut family = text.family("sensor_findings", Type::Counter, "Findings that reached the report, printed or not.");
    for ((kind, severity), count) in counts {
        family.add(&[("kind", kind), ("severity", severity)], count);
    }
    // Reasons are an operator's words, which may hold anything.
    text.family(
        "sensor_findings_allowed",
        Type::Counter,
        "Findings and aggregates that an allow-list kept from being told.",
    )
    .add(&[], snapshot.allowed.values().sum::<u64>());
    text.family(
        "sensor_finding_latency_seconds",
        Type::Histogram,
        "From a segment to the report of what the kernel program found.",
    )
    .histogram(&BOUNDS, &snapshot.latency.counts, snapshot.latency.sum);
}

/// What became of events, records and packets after the kernel, and whether the account adds up.
fn losses(text: &mut Text, snapshot: &Snapshot) {
    let (events, sweep) = (&snapshot.events, &snapshot.sweep);
    for (name, help, value) in [
        ("sensor_events_received", "Findings taken out of the ring.", events.received),
        ("sensor_events_queued", "Findings handed on to the report.", events.queued),
        ("sensor_events_dropped", "Findings dropped because the report is read too slowly.", events.dropped),
        ("sensor_events_undecodable", "Findings that are not of this agent's layout: 0, always.", events.undecodable),
        ("sensor_records_received", "Connections that gave way, taken out of the ring.", events.parted),
        ("sensor_records_dropped", "Those of them that the sweep was too busy to take.", events.parted_dropped),
        ("sensor_sweep_findings", "Findings of connections at rest.", sweep.found),
        ("sensor_sweep_told", "Findings at rest and records handed on to the report.", sweep.told),
        ("sensor_sweep_lost", "Findings at rest and records dropped, for the report is read too slowly.", sweep.lost),
        ("sensor_sweep_held_back", "Mild findings at rest that were too many of a kind.", sweep.held),
        (
            "sensor_sweep_leaks_skipped",
            "Rejected segments that were not compared with other connections, for there were too many at a time.",
            sweep.leaks_skipped,
        ),
        ("sensor_records", "Records of connections that reached the report.", sweep.records),
    ] {
        text.family(name, Type::Counter, help).add(&[], value);
    }
    text.family("sensor_records_missed", Type::Gauge, "Connections that left the table before a record was made.")
        .add(&[], sweep.missed);
    if let Some(written) = snapshot.written {
        text.family("sensor_write_findings", Type::Counter, "Findings in the file of --write.")
            .add(&[], written.findings);
        text.family("sensor_write_lost", Type::Counter, "Findings that the file of --write lacks.")
            .add(&[], written.lost);
    }
    if let Some(kept) = &snapshot.kept {
        database(text, kept);
    }
    let mut family = text.family(
        "sensor_account_difference",
        Type::Gauge,
        "A sum of the account minus its parts: what is on its way, and 0 at rest.",
    );
    for identity in &snapshot.identities {
        family.add(&[("sum", &identity.name)], identity.difference);
    }
}

/// What became of what was to be kept.
fn database(text: &mut Text, kept: &Kept) {
    text.family("sensor_db_rows", Type::Counter, "Rows written to the database of --db.")
        .add(&[("table", "incident")], kept.incidents)
        .add(&[("table", "finding")], kept.findings)
        .add(&[("table", "record")], kept.records)
        .add(&[("table", "counters")], kept.counters);
    for (name, help, value) in [
        ("sensor_db_batches", "Transactions of the database.", kept.batches),
        ("sensor_db_lost", "Rows that the database lacks.", kept.lost),
        ("sensor_db_deleted", "Rows deleted from the database, for their age or for room.", kept.deleted),
    ] {
        text.family(name, Type::Counter, help).add(&[], value);
    }
    text.family("sensor_db_bytes", Type::Gauge, "Bytes of the database that are in use.").add(&[], kept.bytes);
    text.family("sensor_db_failing", Type::Gauge, "1 while the database cannot be written.")
        .add(&[], u8::from(kept.failing));
}

/// What there is at the moment.
fn state(text: &mut Text, snapshot: &Snapshot) {
    let flows = &snapshot.flows;
    text.family("sensor_flows", Type::Gauge, "Slots of the flow table that are taken, by state.")
        .add(&[("state", "embryonic")], flows.embryonic)
        .add(&[("state", "established")], flows.established)
        .add(&[("state", "closed")], flows.closed);
    text.family("sensor_flow_table_capacity", Type::Gauge, "All slots of the flow table.").add(&[], flows.capacity);
    text.family("sensor_queue_events", Type::Gauge, "Findings that wait for the report.")
        .add(&[], snapshot.events.waiting);
    let mut family = text.family("sensor_map_bytes", Type::Gauge, "Memory of the kernel program's maps.");
    for map in &snapshot.maps {
        if let Some(bytes) = map.bytes {
            family.add(&[("map", &map.name)], bytes);
        }
    }
    if let Some(names) = &snapshot.kubernetes {
        text.family(
            "sensor_names",
            Type::Gauge,
            "What a cluster told: pods that live, addresses of gone ones, services.",
        )
        .add(&[("of", "pods")], names.pods)
        .add(&[("of", "gone")], names.remembered)
        .add(&[("of", "services")], names.services);
        text.family("sensor_names_refused", Type::Counter, "Pods and services for which there was no room.")
            .add(&[], names.refused);
        text.family("sensor_names_failing", Type::Gauge, "What the API server cannot be asked for at the moment.")
            .add(&[], names.trouble.len());
    }
    let asked = &snapshot.asked;
    text.family("sensor_requests", Type::Counter, "Requests for metrics, health and status, before this one.")
        .add(&[("by", "http"), ("outcome", "answered")], asked.answered)
        .add(&[("by", "http"), ("outcome", "dropped")], asked.dropped)
        .add(&[("by", "socket"), ("outcome", "answered")], asked.told)
        .add(&[("by", "socket"), ("outcome", "refused")], asked.refused);
    if let Some(tail) = snapshot.tail {
        text.family("sensor_tail_readers", Type::Counter, "Readers of sensor tail, by what became of them.")
            .add(&[("outcome", "served")], tail.readers - tail.slow.min(tail.readers))
            .add(&[("outcome", "slow")], tail.slow)
            .add(&[("outcome", "refused")], tail.refused);
        text.family("sensor_tail_lost", Type::Counter, "What readers of sensor tail lost because they were slow.")
            .add(&[], tail.lost);
    }
    if let Some(pinned) = &snapshot.pinned {
        let help = "1 where the sensor outlives its process, by what it found at its start: new, adopted, anew.";
        text.family("sensor_pinned", Type::Gauge, help).add(&[("state", &pinned.state)], 1);
    }
    if let Some(layers) = &snapshot.layers {
        let mut family = text.family("sensor_sealed", Type::Gauge, "1 where a layer that gives up rights holds.");
        for (name, layer) in layers.named() {
            family.add(&[("layer", name)], u8::from(layer.enforced));
        }
    }
}

/// Interfaces and programs.
fn hooks(text: &mut Text, snapshot: &Snapshot) {
    let mut family =
        text.family("sensor_attached", Type::Gauge, "1 where an interface is watched, 0 where it is gone.");
    for one in &snapshot.watching {
        let labels = [("interface", &*one.interface), ("ingress", &*one.ingress), ("egress", &*one.egress)];
        family.add(&labels, u8::from(one.present));
    }
    let entries = || snapshot.programs.iter().filter(|program| program.is_entry());
    let ran = || entries().filter_map(|program| Some((program, program.runs?, program.run_nanos?)));
    let help = "Runs of a kernel program, counted if kernel.bpf_stats_enabled is 1.";
    let mut family = text.family("sensor_program_runs", Type::Counter, help);
    for (program, runs, _) in ran() {
        family.add(&[("program", &program.name)], runs);
    }
    let mut family = text.family("sensor_program_run_seconds", Type::Counter, "Time in a kernel program, likewise.");
    for (program, _, nanos) in ran() {
        family.add(&[("program", &program.name)], nanos as f64 / 1e9);
    }
}

/// The agent's own process, under the names that all exporters have.
fn process(text: &mut Text, snapshot: &Snapshot) {
    let process = &snapshot.process;
    if let Some(seconds) = process.cpu_seconds {
        text.family("process_cpu_seconds", Type::Counter, "CPU that the agent used.").add(&[], seconds);
    }
    if let Some(bytes) = process.resident_bytes {
        text.family("process_resident_memory_bytes", Type::Gauge, "Its resident memory.").add(&[], bytes);
    }
    if let Some(files) = process.open_files {
        text.family("process_open_fds", Type::Gauge, "Files that it has open.").add(&[], files);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sensor_common::counters::Counter;

    use super::*;
    use crate::observe::Identity;

    fn snapshot() -> Snapshot {
        let counters = Counter::ALL.iter().zip(1..).map(|(counter, value)| (counter.id().to_owned(), value));
        Snapshot {
            counters: counters.chain([("of_tomorrow".to_owned(), 77)]).collect(),
            matched: [("rst-abort".to_owned(), 5)].into(),
            identities: vec![Identity { name: "matched".into(), difference: -1, ..Identity::default() }],
            ..Snapshot::default()
        }
    }

    #[test]
    fn every_counter_is_there_once() {
        let text = render(&snapshot());
        for (counter, value) in Counter::ALL.iter().zip(1..) {
            let here = COUNTERS
                .iter()
                .flat_map(|(name, _, label, members)| members.iter().map(move |(value, id)| (name, label, value, id)));
            let lines: Vec<String> = here
                .filter(|(.., id)| **id == counter.id())
                .map(|(name, label, label_value, _)| match *label {
                    "" => format!("\n{name}_total {value}\n"),
                    label => format!("\n{name}_total{{{label}=\"{label_value}\"}} {value}\n"),
                })
                .collect();
            let other = format!("\nsensor_other_total{{counter=\"{}\"}} {value}\n", counter.id());
            match &lines[..] {
                [] => assert!(text.contains(&other), "{other}"),
                [line] => assert!(text.contains(line) && !text.contains(&other), "{line}"),
                more => panic!("{more:?}"),
            }
        }
        assert!(text.contains("\nsensor_other_total{counter=\"of_tomorrow\"} 77\n"), "{text}");
        assert!(text.contains("\nsensor_matched_total{kind=\"rst-abort\"} 5\n"));
        assert!(text.contains("\nsensor_account_difference{sum=\"matched\"} -1\n"));
    }

    #[test]
    fn series_are_unique_and_families_whole() {
        let text = render(&snapshot());
        let mut families = BTreeSet::new();
        let (mut current, mut series) = ("", BTreeSet::new());
        for line in text.lines() {
            if let Some(family) = line.strip_prefix("# TYPE ") {
                current = family.split(' ').next().unwrap();
                assert!(families.insert(current), "{current} twice");
            } else if !line.starts_with('#') {
                assert!(line.starts_with(current), "{line} within {current}");
                assert!(series.insert(line.rsplit_once(' ').unwrap().0), "{line} twice");
            }
        }
        assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
        // Whatever the traffic: all kinds at all severities, and little else.
        assert!(series.len() < Kind::ALL.len() * (1 + Severity::ALL.len()) + 150, "{}", series.len());
    }

    #[test]
    fn a_kind_begins_at_zero() {
        let text = render(&Snapshot::default());
        assert!(text.contains("\nsensor_findings_total{kind=\"ttl-rst-mismatch\",severity=\"alert\"} 0\n"), "{text}");
    }
}
