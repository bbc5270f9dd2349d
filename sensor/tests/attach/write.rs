//! Findings as packets, while the agent runs.

use std::{fs, process::Stdio};

use super::{
    WAN,
    child::{Running, SOON, sensor},
    forge, lab,
};

#[test]
fn findings_are_in_the_file_as_soon_as_they_are_told() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("findings.pcapng");
    let path = path.to_str().unwrap();
    let mut running = Running::attach(lab.server().netns(), &["-i", WAN, "--write", path]);
    let port = forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let live = fs::read(path).unwrap();
    running.signal(libc::SIGINT);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let stdout = running.stdout.text();
    assert!(stdout.contains("write: 1 finding, ") && stdout.contains(&format!(" segments in {path}")), "{stdout}");
    assert_eq!(live, fs::read(path).unwrap(), "nothing is left for the end");

    let again = sensor(&["replay", path]).stdout(Stdio::piped()).output().unwrap();
    let again = String::from_utf8(again.stdout).unwrap();
    assert!(
        again.contains("ALERT  ttl-rst-mismatch") && again.contains(&format!("198.51.100.10:{port} > ")),
        "{again}"
    );
    assert!(again.contains(&format!("  {WAN}  #")), "the interface by its name: {again}");
    assert!(!again.contains("not judged"), "{again}");
}
