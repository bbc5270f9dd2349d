//! A real Prometheus scrapes a running agent, with the alerting rules and the dashboard's queries of `deploy`.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sensor::lab::Lab;
use serde_json::Value;

use super::{
    WAN,
    child::{Running, sensor},
    forge, lab,
};

/// Where it listens, in a network of its own.
const PROMETHEUS: &str = "127.0.0.1:9090";
const SENSOR: &str = "127.0.0.1:9464";

/// How long it may take to start, or to scrape and judge.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, where the environment names its folder or PATH has it.
fn prometheus() -> Option<PathBuf> {
    let named = std::env::var_os("SENSOR_PROMETHEUS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join("prometheus"));
    let found = found.into_iter().find(|program| program.exists());
    if found.is_none() {
        eprintln!("SKIPPED: there is no prometheus here (SENSOR_PROMETHEUS names its folder)");
    }
    found
}

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(file)
}

/// Asks Prometheus something; none while it does not answer.
fn ask(lab: &Lab, path: &str) -> Option<Value> {
    let mut stream = lab.server().netns().enter(|| TcpStream::connect(PROMETHEUS)).ok()?.ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    // In 1.0 the answer comes in one piece, and ends the connection.
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
}

/// The result of a query.
fn query(lab: &Lab, expression: &str) -> Option<Value> {
    let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
    ask(lab, &format!("/api/v1/query?query={encoded}"))
}

/// Asks again until the first value of a query is as wanted.
fn wait_for(lab: &Lab, expression: &str, wanted: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let answer = query(lab, expression).unwrap_or_default();
        if answer["data"]["result"][0]["value"][1] == wanted {
            return answer;
        }
        assert!(Instant::now() < end, "{expression} is not {wanted}: {answer}");
        thread::sleep(Duration::from_millis(250));
    }
}

#[test]
fn it_scrapes_a_running_agent_and_alerts() {
    let (Some(lab), Some(prometheus)) = (lab(), prometheus()) else { return };
    let netns = lab.server().netns();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("prometheus.yml");
    // That of `deploy`, at a pace for tests.
    let text = fs::read_to_string(deploy("prometheus/prometheus.yml")).unwrap();
    let fast = text.replace("scrape_interval: 15s", "scrape_interval: 1s\n  evaluation_interval: 1s");
    let rules = deploy("prometheus/rules.yml").canonicalize().unwrap();
    let fast = fast.replace("[rules.yml]", &format!("[{rules:?}]"));
    assert!(fast.contains("evaluation_interval") && fast.contains(SENSOR), "{fast}");
    fs::write(&config, fast).unwrap();

    let mut agent = sensor(&["attach", "-i", WAN, "--metrics"]);
    agent.stdout(Stdio::piped());
    let agent = Running::start(netns, agent);
    agent.stderr.wait_for(SENSOR);
    let mut command = Command::new(prometheus);
    command.arg(format!("--config.file={}", config.display())).arg(format!("--web.listen-address={PROMETHEUS}"));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
    command.stdout(Stdio::null());
    let server = Running::start(netns, command);

    wait_for(&lab, "up{job=\"sensor\"}", "1");
    let alerts = "sensor_findings_total{kind=\"ttl-rst-mismatch\",severity=\"alert\"}";
    wait_for(&lab, alerts, "0");
    forge(&lab);
    agent.stdout.wait_for("ttl-rst-mismatch");
    wait_for(&lab, alerts, "1");
    let alert = wait_for(&lab, "ALERTS{alertname=\"TcpInterference\",alertstate=\"firing\"}", "1");
    assert_eq!(alert["data"]["result"][0]["metric"]["kind"], "ttl-rst-mismatch", "{alert}");
    wait_for(&lab, "sensor_ready", "1");
    wait_for(&lab, "sensor_build_info", "1");
    // Its own parser has read each family as what it is.
    let metadata = ask(&lab, "/api/v1/metadata").unwrap();
    for (family, kind) in [
        ("sensor_segments", "counter"),
        ("sensor_flows", "gauge"),
        ("sensor_finding_latency_seconds", "histogram"),
        ("sensor_build", "info"),
    ] {
        assert_eq!(metadata["data"][family][0]["type"], kind, "{metadata}");
    }
    let rules = ask(&lab, "/api/v1/rules").unwrap();
    let rules = rules["data"]["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let rules: Vec<&Value> = rules.collect();
    assert!(rules.len() > 10 && rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");

    let dashboard: Value = serde_json::from_slice(&fs::read(deploy("grafana/sensor.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    for target in panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten()) {
        let expression = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m").replace("$instance", ".*");
        let answer = query(&lab, &expression).unwrap();
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
    }
    drop(server);
    drop(agent);
}
