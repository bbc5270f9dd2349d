//! What is printed, and what happens where nobody takes it.

use std::{
    fs::File,
    io::{self, PipeReader},
    os::fd::AsRawFd,
    process::Stdio,
};

use sensor::lab::Lab;
use serde_json::Value;

use super::{
    WAN,
    child::{Running, SOON, sensor},
    forge, lab,
};

#[test]
fn a_forged_reset_is_an_object_a_line() {
    let Some(lab) = lab() else { return };
    let mut running = Running::attach(lab.server().netns(), &["-i", WAN, "--output", "json"]);
    let port = forge(&lab);
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0));
    let stdout = running.stdout.text();
    let objects: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let alert = objects.iter().find(|object| object["kind"] == "ttl-rst-mismatch").expect(&stdout);
    assert_eq!((&alert["schema"], &alert["severity"]), (&1.into(), &"alert".into()));
    let evidence = alert["evidence"].as_array().unwrap();
    assert!(evidence.contains(&"ttl-rst-mismatch".into()) && evidence.contains(&"win-mirror-peer".into()), "{alert}");
    assert_eq!((&alert["src_addr"], &alert["src_port"]), (&"198.51.100.10".into(), &port.into()));
    assert_eq!((&alert["dst_addr"], &alert["dst_port"]), (&"203.0.113.10".into(), &8080.into()));
    assert_eq!((&alert["interface"], &alert["hook"]), (&WAN.into(), &"ingress".into()));
    assert_eq!((&alert["ttl"], &alert["expected_ttl"]), (&255.into(), &125.into()));
    assert!(running.stderr.text().contains("matched "), "the summary is not for programs");
}

#[test]
fn a_forged_reset_is_explained() {
    let Some(lab) = lab() else { return };
    let mut running = Running::attach(lab.server().netns(), &["-i", WAN]);
    let port = forge(&lab);
    running.signal(libc::SIGINT);
    running.end(SOON);
    let stdout = running.stdout.text();
    let line = format!("198.51.100.10:{port} > 203.0.113.10:8080");
    let block = ["  what  ", "  who  ", "  how far  ", "  evidence  ", "  not  ", "  segments  ", "  next  "];
    for words in ["ALERT  ttl-rst-mismatch", &line, "TTL 255, the client's 125"].iter().chain(&block) {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
}

/// `sensor attach`, its stdout a pipe of one page, which is returned.
fn into_pipe(lab: &Lab, arguments: &[&str]) -> (Running, PipeReader) {
    let (reader, writer) = io::pipe().unwrap();
    // SAFETY: no memory is passed; the descriptor is open.
    assert!(unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) } >= 0);
    let running = into(lab, writer, arguments);
    (running, reader)
}

fn into(lab: &Lab, stdout: impl Into<Stdio>, arguments: &[&str]) -> Running {
    let mut command = sensor(&[&["attach", "-i", WAN], arguments].concat());
    command.stdout(stdout);
    let running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    running
}

#[test]
fn nobody_reading_is_no_error() {
    let Some(lab) = lab() else { return };
    let (mut running, reader) = into_pipe(&lab, &[]);
    drop(reader);
    forge(&lab);
    // Nobody had to tell it.
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let stderr = running.stderr.text();
    // At the start it says what it takes, and what it goes without where there is no tracefs.
    let usual = ["watching ", "memory: ", "whether this host's own stack sent a reset is not told"];
    let unsaid = |line: &&str| !usual.iter().any(|start| line.starts_with(start));
    assert_eq!(stderr.lines().find(unsaid), None, "{stderr}");
}

#[test]
fn a_full_disk_is_named() {
    let Some(lab) = lab() else { return };
    let running = into(&lab, File::options().write(true).open("/dev/full").unwrap(), &[]);
    forge(&lab);
    running.ended(2, &["the report cannot be written (No space left", "make room"]);
}

#[test]
fn a_reader_that_sleeps_does_not_keep_it() {
    let Some(lab) = lab() else { return };
    let (mut running, reader) = into_pipe(&lab, &[]);
    for _ in 0..4 {
        forge(&lab);
    }
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(2));
    let stderr = running.stderr.text();
    assert!(stderr.contains("has stopped reading") && stderr.contains("events: submitted "), "{stderr}");
    drop(reader);
}
