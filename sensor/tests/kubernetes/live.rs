//! `sensor attach` beside an API server on its namespace's loopback: sealed, it learns names and makes events.

use std::{
    net::{IpAddr, TcpListener},
    process::Stdio,
    thread,
    time::Duration,
};

use sensor::lab::{
    Family, Lab, LabError, LabOptions,
    tamper::{self, AckField},
    traffic::{Pace, Traffic},
};
use serde_json::{Value, json};

use super::{
    api::{Api, Mood},
    child::{Running, sensor},
    kubeconfig,
    objects::{NODE, host_pod, pod, service},
    wait,
};

pub(crate) fn lab() -> Option<Lab> {
    match Lab::build(LabOptions::default()) {
        Ok(lab) => Some(lab),
        Err(LabError::NotRoot) => {
            eprintln!("SKIPPED: {}", LabError::NotRoot);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// An API server that only the server's namespace reaches.
pub(crate) fn api(lab: &Lab, mood: Mood) -> Api {
    Api::at(lab.server().netns().enter(|| TcpListener::bind("127.0.0.1:0").unwrap()).unwrap(), mood)
}

/// Has the firewall forge a reset to the server.
fn forge(lab: &Lab) {
    let pair = lab.connect(Family::V4).unwrap();
    let port = pair.client_port().unwrap();
    lab.middlebox().add(tamper::answer_fin(port, AckField::Conforming));
    Traffic::new(lab).victim(pair, Pace { exchanges: 4, pause: Duration::from_millis(10) }).unwrap();
}

pub(crate) fn addresses(lab: &Lab) -> [String; 2] {
    [lab.client(), lab.server()].map(|host| IpAddr::to_string(&host.address(Family::V4)))
}

/// `sensor attach` as an operator of a node would start it, and what has to live as long as it does.
fn attach(lab: &Lab, api: &Api, arguments: &[&str]) -> (tempfile::TempDir, Running) {
    let (folder, file) = kubeconfig(api.address);
    let cluster = ["attach", "-i", "wan0", "--node-name", NODE, "--kubeconfig", file.to_str().unwrap()];
    let mut command = sensor(&[&cluster, arguments].concat());
    command.stdout(Stdio::piped());
    let running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    (folder, running)
}

/// Until a finding says so, makes more of them.
pub(crate) fn until(lab: &Lab, running: &Running, word: &str) -> String {
    wait(word, || {
        forge(lab);
        // Each leaves a client that hangs.
        thread::sleep(Duration::from_millis(500));
        running.stdout.text().contains(word)
    });
    running.stdout.wait_for(word).1
}

#[test]
fn a_finding_carries_the_pods_names() {
    let Some(lab) = lab() else { return };
    let api = api(&lab, Mood::Fine);
    let [client, server] = addresses(&lab);
    api.put("pods", pod("web-6d4cf56db6-x2x4z", "u1", &server));
    let mut asking = pod("batch-1", "u2", &client);
    asking["metadata"]["ownerReferences"] = json!([]);
    asking["metadata"]["labels"] = json!({});
    api.put("pods", asking);
    let mut own = service("10.96.14.2");
    own["spec"]["ports"][0]["targetPort"] = json!(8080);
    api.put("services", own);
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("tail.sock");
    let socket = socket.to_str().unwrap();
    let arguments = ["--kubernetes", "--output", "json", "--records", "--socket", socket];
    let (_folder, running) = attach(&lab, &api, &arguments);
    let line = until(&lab, &running, "web-6d4cf56db6-x2x4z");
    let object: Value = serde_json::from_str(&line).unwrap();
    let names = &object["kubernetes"];
    let either = |end: &str, field: &str| names[end][field].clone();
    let (from, to) = if object["src_addr"] == *client { ("src", "dst") } else { ("dst", "src") };
    assert_eq!(either(from, "pod"), "batch-1", "{line}");
    assert_eq!(either(from, "workload"), Value::Null);
    assert_eq!(either(to, "namespace"), "shop");
    assert_eq!(either(to, "workload"), json!({ "kind": "Deployment", "name": "web" }));
    assert_eq!((either(to, "services"), either(to, "node")), (json!(["web"]), json!(NODE)));
    assert_eq!(either(to, "ambiguous"), false);
    // Whoever follows, and knows no cluster, is told the same.
    let tail = |arguments: &[&str]| {
        let mut tail = sensor(&[&["tail", "--socket", socket, "-o", "ecs"], arguments].concat());
        tail.stdout(Stdio::piped());
        let mut tail = Running::start(lab.server().netns(), tail);
        assert_eq!(tail.end(super::child::SOON).code(), Some(0), "{}", tail.stderr.text());
        let lines = tail.stdout.text();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let told = tail(&["--pod", "shop/web-*", "--severity", "alert"]);
    let of = |kind: &str| told.iter().find(|one| one["event"]["dataset"] == kind).cloned().unwrap_or_default();
    let finding = of("sensor.finding");
    assert_eq!(finding["orchestrator"]["resource"]["name"], "web-6d4cf56db6-x2x4z", "{told:?}");
    assert_eq!(finding["kubernetes"]["deployment"]["name"], "web", "{told:?}");
    assert!(tail(&["--pod", "nobody"]).is_empty() && !tail(&["--namespace", "shop"]).is_empty());
    // Whoever is not asked to, writes nothing.
    assert!(api.posted().is_empty());
    // And whoever asks is told how it stands.
    let mut status = sensor(&["status"]);
    status.stdout(Stdio::piped());
    let mut status = Running::start(lab.server().netns(), status);
    assert_eq!(status.end(super::child::SOON).code(), Some(0), "{}", status.stderr.text());
    let told = status.stdout.text();
    assert!(told.contains("names     2 pods, 1 services"), "{told}");
    assert!(
        told.contains(&format!("no new port but {}", api.address.port())) || told.contains("landlock no"),
        "{told}"
    );
    // Connections tell names too.
    let record = running.stdout.wait_for("\"type\":\"flow\"").1;
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["kubernetes"]["server"]["pod"], "web-6d4cf56db6-x2x4z", "{record}");
    assert!(!running.stderr.text().contains("Kubernetes"), "{}", running.stderr.text());
    stop(running);
}

#[test]
fn without_an_api_server_all_is_as_ever_and_it_is_said_once() {
    let Some(lab) = lab() else { return };
    let api = api(&lab, Mood::Broken);
    let [_, server] = addresses(&lab);
    api.put("pods", host_pod("cni", "u1"));
    let (_folder, running) = attach(&lab, &api, &["--kubernetes"]);
    running.stderr.wait_for("cannot be asked for");
    let line = until(&lab, &running, "ttl-rst-mismatch");
    assert!(!line.contains("node-1") && !line.contains("shop"), "no names: {line}");
    // It comes to life, and names are there.
    api.put("pods", pod("web-0", "u2", &server));
    api.mood(Mood::Fine);
    running.stderr.wait_for("answers again");
    let named = format!("{server}:8080 (shop/web-0)");
    until(&lab, &running, &named);
    assert_eq!(running.stderr.text().matches("cannot be asked for").count(), 1, "{}", running.stderr.text());
    assert!(running.stderr.text().matches("answers again").count() == 1, "{}", running.stderr.text());
    stop(running);
}

#[test]
fn a_pod_has_one_event_of_a_kind() {
    let Some(lab) = lab() else { return };
    let api = api(&lab, Mood::Fine);
    let [_, server] = addresses(&lab);
    api.put("pods", pod("web-0", "u1", &server));
    let (_folder, running) = attach(&lab, &api, &["--kubernetes-events"]);
    until(&lab, &running, "(shop/web-0)");
    wait("the event", || !api.posted().is_empty());
    for _ in 0..3 {
        forge(&lab);
    }
    let stdout = stop(running);
    assert!(stdout.contains("Kubernetes Events: made "), "{stdout}");
    let posted = api.posted();
    let of_kind = |event: &&Value| event["reason"] == "TtlRstMismatch";
    assert_eq!(posted.iter().filter(of_kind).count(), 1, "{posted:?}");
    let event = posted.iter().find(of_kind).unwrap();
    let regarding = json!({ "apiVersion": "v1", "kind": "Pod", "name": "web-0", "namespace": "shop", "uid": "u1" });
    assert_eq!(event["regarding"], regarding);
    assert_eq!((&event["type"], &event["reportingController"]), (&json!("Warning"), &json!("sensor")));
    assert_eq!(event["metadata"]["namespace"], "shop");
    assert!(event["note"].as_str().unwrap().contains(&server), "{event}");
}

/// Ends it as an operator would; what it said on stdout.
pub(crate) fn stop(mut running: Running) -> String {
    running.signal(libc::SIGTERM);
    let status = running.end(super::child::SOON);
    assert_eq!(status.code(), Some(0), "{}", running.stderr.text());
    running.stdout.text()
}
