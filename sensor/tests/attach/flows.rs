//! `sensor flows` beside a running sensor, and records of connections that end.

use std::{collections::BTreeSet, process::Stdio, thread, time::Duration};

use sensor::lab::{
    Family,
    traffic::{Pace, Traffic},
};
use serde_json::Value;

use super::{
    WAN,
    child::{Running, SOON, sensor},
    lab,
};

/// What a command that ends by itself has to say.
fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = sensor(arguments).stdout(Stdio::piped()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn flows_live_and_end() {
    let Some(lab) = lab() else { return };
    let mut attached = Running::attach(lab.server().netns(), &["-i", WAN, "--records", "--output", "json"]);
    let mut pair = lab.connect(Family::V4).unwrap();
    let port = pair.client_port().unwrap().to_string();
    let pid = attached.pid().to_string();
    pair.exchange().unwrap();

    let flows = |arguments: &[&'static str]| {
        let (code, stdout, stderr) = output(&[&["flows", "--pid", &pid], arguments].concat());
        assert_eq!(code, Some(0), "{stderr}");
        stdout
    };
    let stdout = flows(&["--ip", "198.51.100.10"]);
    let row = stdout.lines().find(|line| line.contains(&format!("198.51.100.10:{port}"))).expect(&stdout);
    assert!(row.contains("203.0.113.10:8080") && stdout.starts_with("CLIENT "), "{stdout}");
    assert!(stdout.ends_with("1 of 1 connections\n"), "{stdout}");
    let stdout = flows(&["--port", "8080", "--output", "json"]);
    let flow: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&flow["type"], &flow["ended"], &flow["roles_known"]), (&"flow".into(), &Value::Null, &true.into()));
    assert!(flow["client"]["bytes"].as_u64() > Some(0) && flow["server"]["bytes"].as_u64() > Some(0), "{flow}");
    assert!(flows(&["--ip", "192.0.2.1"]).ends_with("0 of 0 connections\n"));

    let mut follow = sensor(&["flows", "--pid", &pid, "--closed", "--port", &port, "--limit", "1"]);
    follow.stdout(Stdio::piped());
    let mut followed = Running::spawn(None, follow);
    thread::sleep(Duration::from_secs(1));
    Traffic::new(&lab).victim(pair, Pace { exchanges: 1, pause: Duration::ZERO }).unwrap();
    assert_eq!(followed.end(Duration::from_secs(20)).code(), Some(0));
    let line = followed.stdout.text();
    assert!(line.contains(" FLOW   fin ") && line.contains(&format!(":{port} > ")), "{line}");

    let (_, line) = attached.stdout.wait_for(&format!("\"client_port\":{port},"));
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&record["ended"], &record["interface"]), (&"fin".into(), &WAN.into()), "{record}");
    attached.signal(libc::SIGTERM);
    assert_eq!(attached.end(SOON).code(), Some(0));
    assert!(attached.stderr.text().contains("sweep: told "), "{}", attached.stderr.text());
    drop(attached);
    let (code, _, stderr) = output(&["flows", "--pid", &pid]);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("sensor: no running sensor found") && stderr.lines().count() == 1, "{stderr}");
}

/// More connections than the table has slots: those that give way are told through the ring, each once.
#[test]
fn connections_that_gave_way_are_told() {
    let Some(lab) = lab() else { return };
    let arguments = ["-i", WAN, "--records", "--flows", "64", "--output", "json"];
    let mut attached = Running::attach(lab.server().netns(), &arguments);
    let mut ports = BTreeSet::new();
    for _ in 0..100 {
        let mut pair = lab.connect(Family::V4).unwrap();
        ports.insert(u64::from(pair.client_port().unwrap()));
        pair.exchange().unwrap();
    }
    thread::sleep(Duration::from_secs(8));
    attached.signal(libc::SIGTERM);
    assert_eq!(attached.end(SOON).code(), Some(0));
    let (stdout, stderr) = (attached.stdout.text(), attached.stderr.text());
    let records = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut told: Vec<u64> =
        records.filter(|record| record["type"] == "flow").map(|flow| flow["client_port"].as_u64().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, ports.into_iter().collect::<Vec<_>>(), "{stderr}");
    assert!(stderr.contains("records: handed on ") && stderr.contains("records_missed 0"), "{stderr}");
}
