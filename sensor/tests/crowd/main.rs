//! A thousand interfaces that come and go. By itself, because it keeps the kernel's lock on interfaces busy for a minute.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../attach/child.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod child;

use sensor::lab::{Lab, LabError, LabOptions};

use child::{Running, SOON, batch, sensor, unloaded};

/// Each lives while four others come, so that most are attached to before they go.
#[test]
fn a_thousand_that_come_and_go_leave_nothing() {
    const CYCLES: usize = 1000;
    const ALIVE: usize = 4;
    let lab = match Lab::build(LabOptions::default()) {
        Ok(lab) => lab,
        Err(LabError::NotRoot) => return eprintln!("SKIPPED: {}", LabError::NotRoot),
        Err(error) => panic!("{error}"),
    };
    let netns = lab.server().netns();
    let mut running = Running::start(netns, sensor(&["attach", "-i", "spare*"]));
    running.stderr.wait_for("waiting for ");
    // Once it has watched and let go, all is open that will be.
    batch(netns, "link add name spare-first type veth peer name other-first\n");
    running.stderr.wait_for("watching spare-first: ");
    batch(netns, "link delete spare-first\n");
    running.stderr.wait_for("spare-first is gone");
    let (before, programs) = (running.descriptors(), running.programs());
    let mut script = String::new();
    for cycle in 0..CYCLES + ALIVE {
        if cycle < CYCLES {
            let name = cycle % (2 * ALIVE);
            script += &format!("link add name spare{name} type veth peer name other{name}\n");
        }
        if cycle >= ALIVE {
            script += &format!("link delete spare{}\n", (cycle - ALIVE) % (2 * ALIVE));
        }
    }
    batch(netns, &script);
    batch(netns, "link add name spare-last type veth peer name other-last\n");
    running.stderr.wait_for("watching spare-last: ");
    batch(netns, "link delete spare-last\n");
    running.stderr.wait_for("spare-last is gone");
    let told = running.stderr.text();
    let [watched, gone] = ["watching spare", "is gone and no longer watched"].map(|words| told.matches(words).count());
    assert_eq!(watched, gone, "each was let go");
    assert!(watched > CYCLES / 100, "only {watched} of {CYCLES} were ever seen");
    assert_eq!(running.descriptors(), before);
    assert_eq!(running.programs(), programs);
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{told}");
    unloaded(&programs);
}
