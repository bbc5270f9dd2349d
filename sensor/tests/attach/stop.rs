//! How it ends, and that nothing of it stays.

use std::{thread, time::Duration};

use sensor_common::engine::Stage;

use super::{
    WAN,
    child::{Running, SOON, unloaded},
    forge, ip, lab,
};

/// Programs of one agent: XDP, tc ingress, tc egress, and two for each stage.
const PROGRAMS: usize = 3 + 2 * Stage::ALL.len();

#[test]
fn signals_end_it_with_a_summary() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // Native XDP again each time: the one before has left.
        let mut running = Running::attach(netns, &["-i", WAN]);
        running.stderr.wait_for("ingress by native XDP, egress by tcx\n");
        forge(&lab);
        let programs = running.programs();
        assert_eq!(programs.len(), PROGRAMS);
        running.signal(signal);
        assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
        let stdout = running.stdout.text();
        assert!(stdout.contains("1 alert"), "{stdout}");
        let [matched, submitted, ref rest @ ..] = numbers(&stdout, "matched ")[..] else { panic!("{stdout}") };
        assert_eq!(matched, submitted + rest.iter().sum::<u64>(), "{stdout}");
        let [sent, received, ref rest @ ..] = numbers(&stdout, "events: submitted ")[..] else { panic!("{stdout}") };
        assert_eq!((sent, received), (submitted, rest.iter().sum()), "{stdout}");
        assert!(submitted > 0);
        unloaded(&programs);
    }
}

/// The numbers of the line that begins so.
fn numbers(text: &str, start: &str) -> Vec<u64> {
    let line = text.lines().find(|line| line.starts_with(start)).expect(text);
    line.split(' ').filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn being_killed_leaves_nothing_attached() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let mut running = Running::attach(netns, &["-i", WAN]);
    let programs = running.programs();
    assert_eq!(programs.len(), PROGRAMS);
    running.signal(libc::SIGKILL);
    assert_eq!(running.end(SOON).code(), None);
    unloaded(&programs);
    assert!(!ip(netns, &format!("link show {WAN}")).contains("xdp"));
    drop(Running::attach(netns, &["-i", WAN, "--mode", "native"]));
}

#[test]
fn its_time_ends_it() {
    let Some(lab) = lab() else { return };
    let mut running = Running::attach(lab.server().netns(), &["-i", WAN, "--duration", "1"]);
    assert_eq!(running.end(SOON).code(), Some(0));
    assert!(running.stdout.text().contains("0 findings"));
}

#[test]
fn an_interface_that_goes_away_is_told() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, "link add name spare0 type veth peer name spare1");
    let running = Running::attach(netns, &["-i", WAN, "-i", "spare0"]);
    ip(netns, "link delete spare0");
    running.stderr.wait_for("spare0 is gone and no longer watched");
    // The other is watched on.
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let programs = running.programs();
    ip(netns, &format!("link delete {WAN}"));
    running.ended(
        2,
        &["wan0 is gone and no longer watched", "nothing is left to watch: wan0 is gone", "start the sensor"],
    );
    unloaded(&programs);
}

#[test]
fn an_interface_that_goes_down_and_up_is_watched_on() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let mut running = Running::attach(netns, &["-i", WAN]);
    ip(netns, &format!("link set {WAN} down"));
    thread::sleep(Duration::from_millis(1200));
    ip(netns, &format!("link set {WAN} up"));
    ip(netns, "route replace 0.0.0.0/0 via 203.0.113.1");
    forge(&lab);
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0));
    assert!(running.stdout.text().contains("ttl-rst-mismatch"), "{}", running.stdout.text());
}
