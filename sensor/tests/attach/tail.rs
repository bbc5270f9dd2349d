//! `sensor tail`, beside a running sensor.

use std::{
    fs,
    io::{self, Write as _},
    net::TcpStream,
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    WAN,
    child::{Running, SOON, sensor},
    forge, ip, lab,
};

/// A folder that everybody may enter, and a socket's place in it.
fn place() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("tail.sock").to_str().unwrap().to_owned();
    (folder, path)
}

fn tail(socket: &str, arguments: &[&str]) -> Running {
    let mut command = sensor(&[&["tail", "--socket", socket], arguments].concat());
    command.stdout(Stdio::piped());
    Running::spawn(None, command)
}

/// What it tells until it ends by itself.
fn told(socket: &str, arguments: &[&str]) -> (String, String) {
    let mut running = tail(socket, arguments);
    let code = running.end(SOON).code();
    assert_eq!(code, Some(0), "{}", running.stderr.text());
    (running.stdout.text(), running.stderr.text())
}

#[test]
fn what_was_found_and_what_is_found_is_told_as_the_sensor_tells_it() {
    let Some(lab) = lab() else { return };
    let (_folder, socket) = place();
    let mut running = Running::attach(lab.server().netns(), &["-i", WAN, "--socket", &socket]);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o660);
    let mut people = tail(&socket, &["-f"]);
    let mut programs = tail(&socket, &["-f", "-o", "json", "--severity", "alert"]);
    let mut nobody = tail(&socket, &["-f", "--not", "--port", "8080", "-o", "json"]);
    let first = forge(&lab);
    let line = running.stdout.wait_for(&first.to_string()).1;
    assert_eq!(people.stdout.wait_for(&first.to_string()).1, line, "the very same");
    people.stdout.wait_for("  next  ");
    let object: Value = serde_json::from_str(&programs.stdout.wait_for("ttl-rst-mismatch").1).unwrap();
    assert_eq!((&object["src_port"], &object["interface"]), (&first.into(), &WAN.into()));

    // Remembered, with all that is milder, and filtered.
    let second = forge(&lab);
    people.stdout.wait_for(&second.to_string());
    let alerts = |arguments: &[&str]| {
        let (text, _) = told(&socket, &[&["-o", "json"], arguments].concat());
        let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ports = objects.filter(|object| object["kind"] == "ttl-rst-mismatch").map(|o| o["src_port"].clone());
        ports.collect::<Vec<_>>()
    };
    assert_eq!(alerts(&[]), [first, second]);
    // The very last is the incident, which has grown by it.
    assert_eq!(alerts(&["--last", "2", "--kind", "ttl-rst-mismatch"]), [second]);
    assert_eq!(alerts(&["--from-port", &first.to_string()]), [first]);
    assert_eq!(alerts(&["--since", "1h", "--to-ip", "203.0.113.0/24"]), [first, second]);
    assert!(alerts(&["--until", "1h"]).is_empty() && alerts(&["--from-ip", "203.0.113.10"]).is_empty());
    let (eve, _) = told(&socket, &["-o", "eve", "--kind", "distance"]);
    assert_eq!(eve.matches("\"stream.ttl-rst-mismatch\"").count(), 2, "{eve}");
    assert!(told(&socket, &["--severity", "alert", "--last", "0"]).0.is_empty());

    running.signal(libc::SIGTERM);
    for reader in [&mut people, &mut programs, &mut nobody] {
        assert_eq!(reader.end(SOON).code(), Some(0), "{}", reader.stderr.text());
        assert!(reader.stderr.text().contains("the sensor has ended"), "{}", reader.stderr.text());
    }
    assert_eq!(nobody.stdout.text(), "");
    assert!(nobody.stderr.text().contains("that came were not asked for"), "{}", nobody.stderr.text());
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    assert!(running.stdout.text().contains("tail: readers 11, let go for being slow 0"), "{}", running.stdout.text());
    // Sealed as it is, it has its own folder to remove from, where there is Landlock to say which.
    if Path::new(&socket).exists() {
        assert!(running.stderr.text().contains("going on without landlock"), "{}", running.stderr.text());
    }
}

#[test]
fn a_reader_that_stands_still_is_let_go_and_the_sensor_goes_on() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, "link set lo up");
    let (_folder, socket) = place();
    // Findings of connections that are refused, as many as there are.
    let arguments = ["-i", "lo", "--mode", "auto", "--socket", &socket, "--rate", "0", "--min-severity", "alert"];
    let mut running = Running::attach(netns, &arguments);
    let mut still = tail(&socket, &["-f", "-o", "json", "--last", "0"]);
    let refuse = |n: usize| netns.enter(move || (0..n).for_each(|_| drop(TcpStream::connect("127.0.0.1:9")))).unwrap();
    let end = Instant::now() + 10 * SOON;
    // What comes before it follows is not told to it.
    while !still.stdout.text().contains("127.0.0.1") {
        refuse(1);
        assert!(Instant::now() < end, "{}", still.stderr.text());
    }
    still.signal(libc::SIGSTOP);
    // One that does nothing but read gets all.
    let mut good = UnixStream::connect(&socket).unwrap();
    let good = thread::spawn(move || io::copy(&mut good, &mut io::sink()).unwrap());
    let let_go = loop {
        // Few at a time, for this machine may be slow.
        refuse(100);
        let text = status(&lab);
        let followers = text["tail"].clone();
        if followers["slow"] == 1 {
            break followers;
        }
        assert!(Instant::now() < end, "{text}");
    };
    assert_eq!(let_go["readers"], 2, "{let_go}");
    still.signal(libc::SIGCONT);
    assert_eq!(still.end(SOON).code(), Some(2));
    let words = still.stderr.text();
    assert!(words.contains("sensor: this reader was too slow, and the sensor let it go: "), "{words}");
    // One that comes now gets what comes.
    refuse(10);
    assert!(told(&socket, &["-o", "json", "--last", "5"]).0.lines().count() == 5);
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(10 * SOON).code(), Some(0), "{}", running.stderr.text());
    assert!(good.join().unwrap() > 4096 * 552);
    let summary = running.stdout.text();
    assert!(summary.contains("let go for being slow 1, frames lost to these "), "{summary}");
    // The account knows of no loss: a reader's is the reader's alone.
    let sum = summary.lines().find(|line| line.starts_with("events: submitted ")).unwrap();
    assert!(sum.ends_with(" + dropped 0 + undecodable 0"), "{sum}");
}

#[test]
fn it_ends_when_nobody_reads_it() {
    let Some(lab) = lab() else { return };
    let (_folder, socket) = place();
    let _running = Running::attach(lab.server().netns(), &["-i", WAN, "--socket", &socket]);
    let (reader, writer) = io::pipe().unwrap();
    let mut command = sensor(&["tail", "--socket", &socket, "-f"]);
    command.stdout(writer);
    let mut follower = Running::spawn(None, command);
    drop(reader);
    // Without a finding that could not be written.
    assert_eq!(follower.end(SOON).code(), Some(0), "{}", follower.stderr.text());
}

/// What the sensor says of itself.
fn status(lab: &sensor::lab::Lab) -> Value {
    let mut command = sensor(&["status", "--output", "json"]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    serde_json::from_str(&running.stdout.text()).unwrap()
}

#[test]
fn others_are_kept_out_and_told_who_may() {
    let Some(lab) = lab() else { return };
    let (folder, socket) = place();
    let _running = Running::attach(lab.server().netns(), &["-i", WAN, "--socket", &socket]);
    let binary = folder.path().join("sensor");
    fs::copy(env!("CARGO_BIN_EXE_sensor"), &binary).unwrap();
    // Owner and group may; whoever is neither may not.
    for (user, group, code) in [("65534", "65534", 2), ("65534", "0", 0)] {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups", "--inh-caps=-all"]);
        command.arg(&binary).args(["tail", "--socket", &socket]).stdout(Stdio::null());
        let words = ["is closed to you: ask as root, as its user (0), or as a member of its group (0)"];
        Running::spawn(None, command).ended(code, if code == 2 { &words } else { &[] });
    }
}

#[test]
fn whom_it_cannot_ask_it_names() {
    let (folder, socket) = place();
    tail(&socket, &[]).ended(2, &["no sensor listens at", "start one with sensor attach", "--socket PATH"]);
    drop(UnixListener::bind(&socket).unwrap());
    tail(&socket, &["-f"]).ended(2, &["no sensor listens at", "Connection refused"]);
    // Somebody else took its place.
    for says in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"",
        b"sensor-tail\n\xff\xff\xff\xff",
        b"sensor-tail\n\x01\0\0\0\x63",
    ] {
        let other = folder.path().join("other");
        let listener = UnixListener::bind(&other).unwrap();
        let answering = thread::spawn(move || {
            let (mut stream, _): (UnixStream, _) = listener.accept().unwrap();
            stream.write_all(says).unwrap();
        });
        tail(other.to_str().unwrap(), &[]).ended(2, &["is no sensor's, or one of another version"]);
        answering.join().unwrap();
        fs::remove_file(&other).unwrap();
    }
    tail(&socket, &["--analysis"]).ended(2, &["sensor status"]);
}

#[test]
fn a_socket_that_is_asked_for_must_be_had() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let (folder, socket) = place();
    let attach = |socket: &str| {
        Running::start(netns, sensor(&["attach", "-i", WAN, "--mode", "auto", "--duration", "0", "--socket", socket]))
    };
    let file = folder.path().join("file");
    fs::write(&file, "dear").unwrap();
    attach(file.to_str().unwrap()).ended(2, &["is no socket, and is left alone", "--socket PATH"]);
    attach("/nowhere/at/all.sock").ended(2, &["No such file", "--socket PATH"]);
    let running = Running::attach(netns, &["-i", WAN, "--socket", &socket]);
    attach(&socket).ended(2, &["another sensor listens there"]);
    // Killed, it leaves a stale one, which the next replaces.
    running.signal(libc::SIGKILL);
    drop(running);
    assert!(Path::new(&socket).exists());
    attach(&socket).ended(0, &["watching wan0"]);
}
