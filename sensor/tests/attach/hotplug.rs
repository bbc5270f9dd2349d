//! Interfaces that come, change their names and go while the sensor runs.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sensor::{
    kernel::{Egress, Kernel, Mode, Options},
    lab::Netns,
};

use super::{
    WAN,
    child::{Running, SOON, batch, sensor},
    forge, ip, lab,
};

/// `sensor attach` that may have nothing to watch yet.
fn waiting(netns: &Netns, arguments: &[&str]) -> Running {
    let mut command = sensor(&[&["attach"], arguments].concat());
    command.stdout(Stdio::piped());
    let running = Running::start(netns, command);
    running.stderr.wait_for("waiting for ");
    running
}

#[test]
fn what_fits_a_pattern_is_watched_when_it_comes_and_let_go_when_it_goes() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let mut running = waiting(netns, &["-i", "spare*"]);
    // Once it has watched and let go, all is open that will be.
    ip(netns, "link add name spare-first type veth peer name other-first");
    running.stderr.wait_for("watching spare-first: ");
    ip(netns, "link delete spare-first");
    running.stderr.wait_for("spare-first is gone");
    let before = running.descriptors();
    ip(netns, "link add name spare0 type veth peer name other0");
    running.stderr.wait_for("watching spare0: ingress by native XDP, egress by tcx");
    ip(netns, "link set spare0 name spare9");
    running.stderr.wait_for("spare0 is called spare9 now, and watched on");
    ip(netns, "link add name spare1 type veth peer name other1");
    running.stderr.wait_for("watching spare1: ");
    ip(netns, "link delete spare1");
    running.stderr.wait_for("spare1 is gone and no longer watched");
    ip(netns, "link delete spare9");
    running.stderr.wait_for("spare9 is gone and no longer watched");
    // It waits again, and holds nothing of what is gone.
    running.stderr.wait_for("waiting for spare*\n");
    assert_eq!(running.descriptors(), before);
    ip(netns, "link add name spare7 type veth peer name other7");
    running.stderr.wait_for("watching spare7: ");
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    assert!(!running.stderr.text().contains("watching other"), "{}", running.stderr.text());
}

#[test]
fn an_interface_that_came_later_is_judged_like_any_other() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let running = waiting(netns, &["-i", "late*"]);
    batch(netns, &format!("link set {WAN} down\nlink set {WAN} name late0\nlink set late0 up\n"));
    running.stderr.wait_for("watching late0: ");
    ip(netns, "route replace 0.0.0.0/0 via 203.0.113.1");
    ip(netns, "link set late0 mtu 1400");
    forge(&lab);
    let (_, line) = running.stdout.wait_for("ttl-rst-mismatch");
    assert!(line.trim_end().ends_with("late0"), "{line}");
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let running = waiting(netns, &["-i", "spare*"]);
    ip(netns, "link add name spare\u{1b}[2J type veth peer name other0");
    running.stderr.wait_for("watching spare\\u{1b}[2J: ");
    ip(netns, "link delete spare\u{1b}[2J");
    running.stderr.wait_for("spare\\u{1b}[2J is gone");
    assert!(!running.stderr.text().contains('\u{1b}'));
}

#[test]
fn an_interface_that_moves_away_is_let_go_of_where_it_is() {
    let Some(lab) = lab() else { return };
    let (here, there) = (lab.server().netns(), lab.client().netns());
    ip(here, "link add name spare0 type veth peer name other0");
    let running = Running::attach(here, &["-i", "spare*"]);
    assert!(ip(here, "link show spare0").contains("xdp"));
    ip(here, &format!("link set spare0 netns {}", there.name()));
    running.stderr.wait_for("spare0 is gone and no longer watched");
    assert!(!ip(there, "link show spare0").contains("xdp"));
}

#[test]
fn a_name_that_returns_is_watched_again_while_others_are() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, "link add name spare0 type veth peer name other0");
    let running = Running::attach(netns, &["-i", "spare0", "-i", WAN, "--keep-caps"]);
    running.stderr.wait_for("watching wan0: ");
    ip(netns, "link delete spare0");
    running.stderr.wait_for("spare0 is gone");
    ip(netns, "link add name spare0 type veth peer name other0");
    let end = Instant::now() + SOON;
    while running.stderr.text().matches("watching spare0: ").count() < 2 {
        assert!(Instant::now() < end, "{}", running.stderr.text());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_cannot_be_watched_is_told_once_and_stops_nobody() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let bonds = Command::new("ip").args(["-n", netns.name(), "link", "add", "name", "wbond", "type", "bond"]).output();
    let bonds = bonds.unwrap().status.success();
    let mut expected = Vec::new();
    if bonds {
        batch(netns, "link add name wslave type veth peer name other0\nlink set wslave master wbond\n");
        expected.push("wslave is not watched: it belongs to wbond, which is watched and shows the same frames\n");
    } else {
        eprintln!("SKIPPED in part: this kernel has no bonds");
    }
    let tunnels = fs::exists("/dev/net/tun").unwrap();
    if tunnels {
        ip(netns, "tuntap add dev wtun mode tun");
        expected.push("wtun is not watched: it carries no Ethernet frames");
    }
    let running = Running::attach(netns, &["-i", "w*", "--mode", "auto"]);
    running.stderr.wait_for("watching wan0: ");
    // Rounds go by.
    thread::sleep(Duration::from_millis(2500));
    let told = running.stderr.text();
    for words in expected {
        assert_eq!(told.matches(words).count(), 1, "{words}: {told}");
    }
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
}

/// Links need no right but the loaded program, which the sensor holds. The clsact qdisc does.
#[test]
fn a_missing_right_is_named() {
    let Some(lab) = lab() else { return };
    let without_rights = |clsact| {
        let attach = || {
            let mut kernel = Kernel::load(&Options { flows: 64, clsact, ..Options::default() }).unwrap();
            // Those of this thread alone, which ends.
            drop_capabilities();
            kernel.attach(WAN, Mode::Auto).map(|attached| attached.egress)
        };
        lab.server().netns().enter(attach).unwrap()
    };
    let words = "not enough privilege: CAP_NET_ADMIN and CAP_PERFMON and CAP_BPF missing";
    let told = without_rights(true).unwrap_err().to_string();
    assert!(told.starts_with(words), "{told}");
    match without_rights(false) {
        Ok(egress) => assert_eq!(egress, Egress::Tcx),
        // Before Linux 6.6 there is no tcx.
        Err(error) => assert!(error.to_string().starts_with(words), "{error}"),
    }
    assert!(!ip(lab.server().netns(), &format!("link show {WAN}")).contains("xdp"));
}

fn drop_capabilities() {
    let header: [u32; 2] = [0x2008_0522, 0];
    let none = [0u32; 6];
    // SAFETY: the third version of the call's structures, none of which it writes to.
    assert_eq!(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }, 0);
}
