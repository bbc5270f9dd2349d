//! What happened last night: a sealed agent keeps it, and it is told after the agent is gone.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::{
    WAN,
    child::{Running, SOON, sensor},
    forge, lab,
    privilege::{THREE, as_nobody},
};

/// What `sensor` prints, and its exit code.
fn said(arguments: &[&str]) -> (String, String, Option<i32>) {
    let output = sensor(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

/// Asks until the answer has `word` in it.
fn until(arguments: &[&str], word: &str) -> String {
    let end = Instant::now() + SOON;
    loop {
        let (stdout, stderr, _) = said(arguments);
        if stdout.contains(word) {
            return stdout;
        }
        assert!(Instant::now() < end, "{word}: {stdout}{stderr}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn nobody_keeps_what_root_reads_and_a_kill_loses_next_to_nothing() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(folder.path(), Some(65534), Some(65534)).unwrap();
    let file = folder.path().join("s.db");
    let db = file.to_str().unwrap();
    let (_directory, mut command) = as_nobody(THREE, &["--db", db]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    let port = forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");

    // While it runs, sealed.
    let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("CapEff:\t0000000000000000"), "{status}");
    let listed = until(&["incidents", "--db", db, "--since", "1h", "--severity", "warn"], "1 incident\n");
    assert!(listed.contains("ALERT  incident") && listed.contains(", and went on until "), "{listed}");
    assert!(listed.contains(&format!("watched {WAN} from ")) && listed.contains(", goes on"), "{listed}");
    assert_eq!(said(&["incidents", "--db", db, "--until", "1h"]).0.lines().next(), Some("0 incidents"));

    // Killed: what was written is there, and both the reader and the next one say what happened.
    running.signal(libc::SIGKILL);
    running.end(SOON);
    let id = listed.split_whitespace().find(|word| word.len() == 10 && word.chars().all(|c| c.is_ascii_hexdigit()));
    let packets = folder.path().join("x.pcapng");
    let show = ["incidents", "show", &id.unwrap()[..6], "--db", db, "--write", packets.to_str().unwrap()];
    let (shown, stderr, code) = said(&show);
    assert_eq!(code, Some(0), "{stderr}");
    let client = format!("198.51.100.10:{port} > ");
    for words in ["ALERT  ttl-rst-mismatch", "< the suspect", &client, "of 1 finding", "write: 1 finding, "] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let replayed = said(&["replay", packets.to_str().unwrap()]).0;
    assert!(replayed.contains("ttl-rst-mismatch"), "{replayed}");

    let mut again = Running::attach(lab.server().netns(), &["-i", WAN, "--db", db]);
    again.stderr.wait_for("the sensor before was broken off after 20");
    until(&["incidents", "--db", db], "broken off after ");
    again.signal(libc::SIGTERM);
    assert_eq!(again.end(SOON).code(), Some(0), "{}", again.stderr.text());
    assert!(again.stdout.text().contains("\ndb: "), "{}", again.stdout.text());
    let (listed, ..) = said(&["incidents", "--db", db]);
    assert!(listed.contains(", until 20") && !listed.contains("goes on"), "{listed}");
}

#[test]
fn a_database_that_cannot_be_had_is_named_before_anything_is_loaded() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.db");
    let start =
        |db: &Path| Running::start(lab.server().netns(), sensor(&["attach", "-i", WAN, "--db", db.to_str().unwrap()]));
    start(&folder.path().join("none/s.db")).ended(2, &["none/s.db cannot be written", "in a folder that exists"]);
    let running = Running::attach(lab.server().netns(), &["-i", WAN, "--db", file.to_str().unwrap()]);
    start(&file).ended(2, &["is in use by another sensor"]);
    drop(running);
    let other = folder.path().join("t.db");
    fs::write(&other, "something else").unwrap();
    start(&other).ended(2, &["is no database of this program"]);
    assert_eq!(fs::read(&other).unwrap(), b"something else");
}

#[test]
fn status_and_metrics_know_what_is_kept() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.db");
    let running = Running::attach(lab.server().netns(), &["-i", WAN, "--db", file.to_str().unwrap()]);
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let pid = running.pid().to_string();
    let ask = || {
        let mut command = sensor(&["status", "--pid", &pid]);
        command.stdout(Stdio::piped());
        let output = lab.server().netns().enter(|| command.output()).flatten().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let end = Instant::now() + SOON;
    while !ask()
        .lines()
        .any(|line| line.contains(" rows written in ") && line.contains(" 0 lost") && !line.contains(" 0 rows"))
    {
        assert!(Instant::now() < end, "{}", ask());
        thread::sleep(Duration::from_millis(50));
    }
    assert!(ask().contains("files to write in one folder"), "{}", ask());

    // Moved away while it is written, sealed: a new one is begun, and the old one is whole.
    let (moved, db) = (folder.path().join("old.db"), file.to_str().unwrap());
    fs::rename(&file, &moved).unwrap();
    forge(&lab);
    until(&["incidents", "--db", db, "--severity", "warn"], "1 incident\n");
    assert!(said(&["incidents", "--db", moved.to_str().unwrap()]).0.contains("1 incident\n"));
}
