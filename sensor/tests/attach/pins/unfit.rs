//! What is pinned and cannot be gone on with.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use sensor::lab::Lab;
use tempfile::TempDir;

use super::{
    super::{
        WAN,
        child::{Running, sensor, unloaded},
        forge, ip, lab,
    },
    BpfFs, attach, command, conversing, detach, end, object, started,
};

/// Ends a sensor on these pins and starts another so that it cannot go on; it says why, and works.
fn anew(lab: &Lab, pins: &Path, mut other: Command, why: &str) {
    let mut first = attach(lab, pins, &["--flows", "1024"]);
    let pair = conversing(lab);
    end(&mut first);
    other.stdout(Stdio::piped());
    let mut running = started(lab, other, pins);
    let (_, line) = running.stderr.wait_for("is not taken over: ");
    assert!(line.contains(why), "{line}");
    // Known from what it sees itself.
    drop(pair);
    forge(lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    end(&mut running);
    // And the next goes on with that.
    assert!(running.stderr.text().contains("watches on"), "{}", running.stderr.text());
    detach(lab, pins);
}

#[test]
fn what_does_not_fit_begins_anew() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let (pins, folder) = (bpf.pins(), TempDir::new().unwrap());
    anew(&lab, &pins, command(&pins, &["--flows", "2048"]), "it has room for 1024 connections, not for 2048");
    anew(&lab, &pins, command(&pins, &["--flows", "1024", "--ring", "1"]), "its ring has 4 MiB, not 1");
    let mut other = command(&pins, &["--flows", "1024"]);
    other.env("SENSOR_BPF_OBJECT", object(folder.path(), "sensor.bpf.o", b"\0hash_keys\0", b"\0hash_kegs\0"));
    anew(&lab, &pins, other, "it is laid out otherwise, by another version");
}

#[test]
fn what_is_damaged_begins_anew() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let pins = bpf.pins();
    for (damage, why) in [("FLOWS", "it is not whole (FLOWS is missing)"), ("AGENT", "it is not whole")] {
        let mut first = attach(&lab, &pins, &[]);
        end(&mut first);
        fs::remove_file(pins.join(damage)).unwrap();
        let mut second = attach(&lab, &pins, &[]);
        let (_, line) = second.stderr.wait_for("is not taken over: ");
        assert!(line.contains(why), "{line}");
        forge(&lab);
        second.stdout.wait_for("ttl-rst-mismatch");
        end(&mut second);
    }
    // A link that is gone is made anew, and the rest goes on.
    let link =
        fs::read_dir(&pins).unwrap().flatten().find(|file| file.file_name().to_str().unwrap().starts_with("xdp-"));
    fs::remove_file(link.unwrap().path()).unwrap();
    let third = attach(&lab, &pins, &[]);
    third.stderr.wait_for("took over from ");
    forge(&lab);
    third.stdout.wait_for("ttl-rst-mismatch");
    drop(third);
    detach(&lab, &pins);
}

#[test]
fn pins_that_are_removed_beneath_it_end_with_it() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let pins = bpf.pins();
    let mut running = attach(&lab, &pins, &[]);
    fs::remove_dir_all(&pins).unwrap();
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let programs = running.programs();
    end(&mut running);
    assert!(running.stderr.text().contains("is gone, at least in part"), "{}", running.stderr.text());
    unloaded(&programs);
    assert!(!ip(lab.server().netns(), &format!("link show {WAN}")).contains("xdp"));
}

#[test]
fn what_cannot_be_is_refused_in_a_sentence() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let (pins, plain) = (bpf.pins(), TempDir::new().unwrap());
    let start = |pins: &Path, more: &[&str]| Running::start(lab.server().netns(), command(pins, more));
    start(&plain.path().join("x"), &[]).ended(2, &["is not on a BPF file system", "mount -t bpf bpf /sys/fs/bpf"]);
    assert!(!plain.path().join("x").exists());
    // A start that fails leaves nothing of its own.
    start(&pins, &["-i", "lo", "--mode", "native"]).ended(2, &["cannot attach to lo in native mode"]);
    assert!(!pins.exists());

    let running = attach(&lab, &pins, &[]);
    let who = format!("belongs to sensor (process {}), which runs", running.pid());
    start(&pins, &[]).ended(2, &[&who, "end it first"]);
    Running::start(lab.server().netns(), sensor(&["detach", pins.to_str().unwrap()])).ended(2, &[&who]);
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    drop(running);
    detach(&lab, &pins);
}
