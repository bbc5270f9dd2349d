//! `sensor demo`, which brings its own lab.

use std::{fs, io, process::Stdio, thread, time::Duration};

use super::child::{Running, SOON, sensor, unloaded};

/// Starts a demonstration that prints there; nothing without root.
fn start(stdout: impl Into<Stdio>) -> Option<Running> {
    // SAFETY: passes no memory and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("SKIPPED: needs root");
        return None;
    }
    let mut command = sensor(&["demo"]);
    command.stdout(stdout);
    Some(Running::spawn(None, command))
}

/// The namespaces that a demonstration made.
fn namespaces(pid: u32) -> Vec<String> {
    let prefix = format!("sensorlab-{pid}-");
    let Ok(entries) = fs::read_dir("/run/netns") else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with(&prefix)).collect()
}

#[test]
fn it_shows_a_forged_reset_and_cleans_up() {
    let Some(mut running) = start(Stdio::piped()) else { return };
    running.stderr.wait_for("watching the server's wan0");
    assert_eq!(namespaces(running.pid()).len(), 6);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let stdout = running.stdout.text();
    for words in ["ALERT  ttl-rst-mismatch", "  next  ", "1 finding", "matched "] {
        assert!(stdout.contains(words), "{words}: {stdout}");
    }
    assert!(running.stderr.text().contains("the server saw Reset, the client TimedOut"));
    assert_eq!(namespaces(running.pid()), [""; 0]);
}

#[test]
fn an_interrupted_one_cleans_up() {
    // While the lab is built, while the program is loaded, and while its traffic runs.
    for word in ["", "client ", "one more, from port"] {
        let Some(mut running) = start(Stdio::piped()) else { return };
        while word.is_empty() && namespaces(running.pid()).is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        if !word.is_empty() {
            running.stderr.wait_for(word);
        }
        let programs = running.programs();
        running.signal(libc::SIGINT);
        let status = running.end(SOON);
        let stderr = running.stderr.text();
        assert!(status.success() && stderr.contains("interrupted: cleaning up"), "{word}: {status} {stderr}");
        assert_eq!(namespaces(running.pid()), [""; 0]);
        unloaded(&programs);
    }
}

#[test]
fn nobody_reading_ends_it() {
    let (reader, writer) = io::pipe().unwrap();
    let Some(mut running) = start(writer) else { return };
    drop(reader);
    assert!(running.end(SOON).success(), "{}", running.stderr.text());
    assert_eq!(namespaces(running.pid()), [""; 0]);
}
