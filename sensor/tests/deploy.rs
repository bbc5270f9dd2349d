//! What `deploy` ships names metrics that exist, and the runbook knows each metric and each alert.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sensor::{
    enrich::Standing,
    observe::{Identity, Pinned, Snapshot, render},
    report::Written,
    seal::Layers,
    store::Kept,
};
use serde_json::Value;

fn root(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn read(file: &str) -> String {
    fs::read_to_string(root(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The names of all families, and of all their samples.
fn metrics() -> (BTreeSet<String>, BTreeSet<String>) {
    let mut snapshot = Snapshot {
        written: Some(Written::default()),
        tail: Some(sensor::tail::Account::default()),
        kept: Some(Kept::default()),
        layers: Some(Layers::default()),
        pinned: Some(Pinned::default()),
        identities: vec![Identity::default()],
        kubernetes: Some(Standing::default()),
        ..Snapshot::default()
    };
    snapshot.process.resident_bytes = Some(1);
    snapshot.process.cpu_seconds = Some(1.0);
    snapshot.process.open_files = Some(1);
    let (mut families, mut samples) = (BTreeSet::new(), BTreeSet::new());
    for line in render(&snapshot).lines().filter_map(|line| line.strip_prefix("# TYPE ").map(str::to_owned)) {
        let (name, kind) = line.split_once(' ').unwrap();
        families.insert(name.to_owned());
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        samples.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    (families, samples)
}

/// The words of a text that are metrics by their name.
fn named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("sensor_") || word.starts_with("process_")).collect()
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let (_, samples) = metrics();
    for file in ["deploy/prometheus/rules.yml", "deploy/prometheus/rules.test.yml", "deploy/grafana/sensor.json"] {
        let text = read(file);
        let names = named(&text);
        assert!(names.len() > 10, "{file}");
        for name in names {
            assert!(samples.contains(name), "{file}: {name}");
        }
    }
}

#[test]
fn the_runbook_knows_each_metric_and_each_alert() {
    let runbook = read("docs/operations.md");
    let (families, samples) = metrics();
    for family in &families {
        assert!(runbook.contains(&format!("`{family}`")), "docs/operations.md says nothing of {family}");
    }
    for name in named(&runbook) {
        assert!(families.contains(name) || samples.contains(name), "docs/operations.md: there is no {name}");
    }
    let rules = read("deploy/prometheus/rules.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    let tested = read("deploy/prometheus/rules.test.yml");
    for alert in alerts {
        assert!(runbook.contains(&format!("\n#### {alert}\n")), "docs/operations.md has no section {alert}");
        let link = format!("runbook: \"docs/operations.md#{}\"", alert.to_lowercase());
        assert!(rules.contains(&link), "{link}");
        assert!(tested.contains(alert), "no test of {alert}");
    }
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(&read("deploy/grafana/sensor.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut taken = BTreeSet::new();
    for panel in panels {
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{panel}");
        for place in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y))) {
            assert!(taken.insert(place), "{} lies over another panel", panel["title"]);
        }
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(target["expr"].as_str().unwrap().contains("$instance"), "{panel}");
        }
    }
}

#[test]
fn promtool_accepts_the_rules_and_their_tests_pass() {
    let named = std::env::var_os("SENSOR_PROMETHEUS").map(PathBuf::from);
    let promtool = named.map_or("promtool".into(), |folder| folder.join("promtool"));
    if Command::new(&promtool).arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no promtool here (SENSOR_PROMETHEUS names its folder)");
        return;
    }
    for arguments in
        [["check", "rules", "rules.yml"], ["test", "rules", "rules.test.yml"], ["check", "config", "prometheus.yml"]]
    {
        let output = Command::new(&promtool).current_dir(root("deploy/prometheus")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}
