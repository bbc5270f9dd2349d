//! Metrics, health and `sensor status` of a running agent.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use aya::sys::{Stats, enable_stats};
use sensor::lab::{
    Family, Lab,
    traffic::{Outcome, Traffic},
};
use serde_json::Value;

use super::{
    WAN,
    child::{Running, SOON, sensor},
    forge, ip, lab,
    privilege::{THREE, as_nobody},
};

/// Any free port.
const ANY: &str = "--metrics=127.0.0.1:0";

/// Where the agent serves metrics.
fn address(running: &Running) -> SocketAddr {
    let (_, line) = running.stderr.wait_for("metrics at http://");
    line.trim().trim_start_matches("metrics at http://").trim_end_matches("/metrics").parse().unwrap()
}

/// A connection to the agent, from where it runs.
fn connect(lab: &Lab, address: SocketAddr) -> TcpStream {
    let stream = lab.server().netns().enter(|| TcpStream::connect(address)).unwrap().unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Status line and body.
fn get(lab: &Lab, address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = connect(lab, address);
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

/// Asks again until `done`.
fn until<T>(mut ask: impl FnMut() -> T, done: impl Fn(&T) -> bool) -> T {
    let end = Instant::now() + SOON;
    loop {
        let answer = ask();
        if done(&answer) || Instant::now() > end {
            return answer;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// `sensor status`, in the server's namespace.
fn status(lab: &Lab, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = sensor(&[&["status"], arguments].concat());
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    let code = running.end(SOON).code();
    (code, running.stdout.text(), running.stderr.text())
}

#[test]
fn a_finding_is_counted_all_the_way_and_the_account_adds_up() {
    let Some(lab) = lab() else { return };
    // For as long as it is held: the kernel counts runs of programs.
    let _counting = enable_stats(Stats::RunTime).unwrap();
    let (_directory, mut command) = as_nobody(THREE, &[ANY, "--records", "--flows", "65536"]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    let address = address(&running);
    for (path, body) in [("/livez", "alive\n"), ("/readyz", "ready\n"), ("/startupz", "started\n")] {
        assert_eq!(get(&lab, address, path), ("HTTP/1.1 200 OK".into(), body.into()), "{path}");
    }
    let alerts = "sensor_findings_total{kind=\"ttl-rst-mismatch\",severity=\"alert\"}";
    assert_eq!(value(&get(&lab, address, "/metrics").1, alerts), 0.0);
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let text = until(|| get(&lab, address, "/metrics").1, |text| value(text, alerts) == 1.0);
    let of = |series: &str| value(&text, series);
    assert_eq!((of(alerts), of("sensor_matched_total{kind=\"ttl-rst-mismatch\"}")), (1.0, 1.0), "{text}");
    assert!(of("sensor_segments_total") > 4.0 && of("sensor_packets_total") >= of("sensor_segments_total"));
    assert!(of("sensor_events_submitted_total") >= 1.0);
    assert_eq!(of("sensor_events_submitted_total"), of("sensor_events_received_total"));
    for sum in ["matched", "submitted", "received", "records handed on"] {
        assert_eq!(of(&format!("sensor_account_difference{{sum=\"{sum}\"}}")), 0.0, "{text}");
    }
    // Landlock is not in every kernel.
    for layer in ["capabilities", "no_new_privs", "seccomp"] {
        assert_eq!(of(&format!("sensor_sealed{{layer=\"{layer}\"}}")), 1.0, "{layer}");
    }
    assert_eq!(of("sensor_attached{interface=\"wan0\",ingress=\"xdp-native\",egress=\"tcx\"}"), 1.0);
    assert_eq!(of("sensor_flow_table_capacity"), 65_536.0);
    assert!(of("sensor_flows{state=\"established\"}") + of("sensor_flows{state=\"closed\"}") >= 1.0, "{text}");
    assert!(of("sensor_finding_latency_seconds_count") >= 1.0);
    for program in ["sensor_xdp", "sensor_egress"] {
        assert!(of(&format!("sensor_program_runs_total{{program=\"{program}\"}}")) > 1.0, "{text}");
        assert!(of(&format!("sensor_program_run_seconds_total{{program=\"{program}\"}}")) > 0.0, "{text}");
    }
    assert!(of("sensor_map_bytes{map=\"FLOWS\"}") >= 65_536.0 * 384.0);

    let (code, stdout, stderr) = status(&lab, &["--output", "json"]);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    let object: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&object["schema"], &object["pid"], &object["alive"]), (&1.into(), &running.pid().into(), &true.into()));
    assert_eq!(object["threads"]["effective"], 0, "{object}");
    assert_eq!((&object["threads"]["no_new_privs"], &object["threads"]["seccomp"]), (&true.into(), &true.into()));
    assert_eq!(object["watching"][0]["interface"], WAN);
    let sums = object["identities"].as_array().unwrap();
    assert!(sums.len() == 4 && sums.iter().all(|sum| sum["difference"] == 0), "{object}");
    let known: Vec<u64> = object["programs"].as_array().unwrap().iter().filter_map(|p| p["id"].as_u64()).collect();
    assert_eq!(known, running.programs().into_iter().map(u64::from).collect::<Vec<_>>());

    let (code, stdout, _) = status(&lab, &["--pid", &running.pid().to_string()]);
    assert_eq!(code, Some(0));
    for words in ["of user 65534", "wan0: ingress by xdp-native", "CapEff 0, NoNewPrivs yes, Seccomp yes", "1 alert"] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let (code, _, stderr) = status(&lab, &[]);
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("sensor: no running sensor found"), "{stderr}");
}

#[test]
fn other_users_are_told_nothing() {
    let Some(lab) = lab() else { return };
    let (_directory, command) = as_nobody(THREE, &[ANY]);
    let running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    // Not everybody may read where the binary lies.
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("sensor");
    std::fs::copy(env!("CARGO_BIN_EXE_sensor"), &binary).unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    for (user, code) in [("65533", 2), ("65534", 0)] {
        let mut command = std::process::Command::new("setpriv");
        command.args([&format!("--reuid={user}"), "--regid=65533", "--clear-groups", "--inh-caps=-all"]);
        command.arg(&binary).arg("status").stdout(Stdio::null());
        let words = ["does not answer; ask as its user (65534) or as root"];
        Running::start(lab.server().netns(), command).ended(code, if code == 2 { &words } else { &[] });
    }
    let of = |outcome| format!("sensor_requests_total{{by=\"socket\",outcome=\"{outcome}\"}}");
    let ask = || get(&lab, address(&running), "/metrics").1;
    let text = until(ask, |text| value(text, &of("refused")) + value(text, &of("answered")) >= 2.0);
    assert_eq!((value(&text, &of("refused")), value(&text, &of("answered"))), (1.0, 1.0));
}

#[test]
fn slow_scrapers_are_dropped_and_keep_nobody_out() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN, ANY]);
    let address = address(&running);
    let mut slow: Vec<TcpStream> = (0..48).map(|_| connect(&lab, address)).collect();
    for stream in &mut slow {
        let _ = stream.write_all(b"GET /met");
    }
    assert_eq!(get(&lab, address, "/livez").0, "HTTP/1.1 200 OK");
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    // The last of them had its time, and all are gone.
    for stream in &mut slow {
        match stream.read(&mut [0; 64]) {
            Ok(0) => {}
            Ok(read) => panic!("{read} bytes for half a request"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
    let dropped = "sensor_requests_total{by=\"http\",outcome=\"dropped\"}";
    let text = until(|| get(&lab, address, "/metrics").1, |text| value(text, dropped) >= 48.0);
    assert_eq!(value(&text, dropped), 48.0, "each of them, once");
    let mut long = connect(&lab, address);
    let _ = long.write_all(&[b'x'; 8192]);
    let mut answer = String::new();
    // What it had not read may reset the connection, answer and all.
    if long.read_to_string(&mut answer).is_ok() {
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert_eq!(get(&lab, address, "/readyz").0, "HTTP/1.1 200 OK");
}

#[test]
fn traffic_makes_no_series() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN, ANY]);
    let address = address(&running);
    let series = || {
        let text = get(&lab, address, "/metrics").1;
        let names: Vec<String> = text.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect();
        (names, text)
    };
    let (before, _) = series();
    assert_eq!(Traffic::new(&lab).ordinary(12, Family::V4), [Outcome::Ok; 12]);
    let flows = "sensor_flows_established_total";
    let (after, text) = until(series, |(_, text)| value(text, flows) >= 12.0);
    assert_eq!(value(&text, flows), 12.0);
    assert_eq!(before, after);
    assert!(!text.contains("203.0.113.10") && !text.contains("8080"), "{text}");
}

#[test]
fn a_taken_port_is_named() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN, ANY]);
    let address = address(&running).to_string();
    let second = sensor(&["attach", "-i", WAN, "--metrics", &address]);
    let words = [&*format!("no metrics at {address} (Address already in use"), "free the port"];
    Running::start(lab.server().netns(), second).ended(2, &words);
}

#[test]
fn trouble_is_told() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, "link add name spare0 type veth peer name spare1");
    let (reader, writer) = io::pipe().unwrap();
    // SAFETY: no memory is passed; the descriptor is open.
    assert!(unsafe { libc::fcntl(std::os::fd::AsRawFd::as_raw_fd(&writer), libc::F_SETPIPE_SZ, 4096) } >= 0);
    let mut command = sensor(&["attach", "-i", WAN, "-i", "spare0", ANY]);
    command.stdout(writer);
    let running = Running::start(netns, command);
    let address = address(&running);
    ip(netns, "link delete spare0");
    let gone = "sensor_attached{interface=\"spare0\",ingress=\"xdp-native\",egress=\"tcx\"}";
    let text = until(|| get(&lab, address, "/metrics").1, |text| value(text, gone) == 0.0);
    assert_eq!((value(&text, gone), value(&text, "sensor_ready")), (0.0, 1.0));
    assert!(status(&lab, &[]).1.contains("spare0: gone"));
    // Nobody reads a page of explanations.
    for _ in 0..4 {
        forge(&lab);
    }
    let (line, body) = until(|| get(&lab, address, "/readyz"), |(line, _)| line.contains("503"));
    assert_eq!(line, "HTTP/1.1 503 Service Unavailable");
    assert_eq!(body, "whoever reads the report has stopped reading\n");
    assert_eq!(get(&lab, address, "/livez").0, "HTTP/1.1 200 OK", "it is no reason to restart it");
    drop(reader);
}
