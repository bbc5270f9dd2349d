//! Which hooks are taken, and what is said about those that are not.

use std::path::Path;

use super::{
    WAN,
    child::{Running, sensor},
    forge, ip, lab,
};

#[test]
fn another_xdp_program_is_named_and_left() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let first = Running::attach(netns, &["-i", WAN]);
    let show = format!("-details link show {WAN}");
    let xdp = |shown: String| shown.split("prog/xdp id ").nth(1).map(|rest| rest.split(' ').next().unwrap().to_owned());
    let id = xdp(ip(netns, &show)).expect("an XDP program");
    let second = Running::attach(netns, &["-i", WAN, "--mode", "auto"]);
    let (_, line) = second.stderr.wait_for("watching ");
    assert!(line.contains("ingress by tcx"), "{line}");
    assert!(line.contains(&format!("XDP is taken by program sensor_xdp (id {id}), which is left alone")), "{line}");
    let native = sensor(&["attach", "-i", WAN, "--mode", "native"]);
    Running::start(netns, native).ended(2, &["cannot attach to wan0 in native mode", "sensor_xdp", "--mode auto"]);
    // Both see what happens.
    forge(&lab);
    for running in [&first, &second] {
        running.stdout.wait_for("ttl-rst-mismatch");
    }
    drop(second);
    assert_eq!(xdp(ip(netns, &show)), Some(id));
}

/// Whose bulk XDP would slow to a quarter.
#[test]
fn on_a_veth_it_takes_tc_by_itself() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN, "--mode", "auto"]);
    running.stderr.wait_for(
        "watching wan0: ingress by tcx, egress by tcx (on a veth XDP would break up packets of 64 KB: --mode native takes it)\n",
    );
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
}

#[test]
fn two_interfaces_are_two_and_one_is_one() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, "link add name spare0 type veth peer name spare1");
    ip(netns, "link set spare0 up");
    ip(netns, "link property add dev wan0 altname the-way-out");
    let arguments = ["attach", "-i", WAN, "-i", "spare0", "-i", WAN, "-i", "the-way-out", "--duration", "0"];
    let mut running = Running::start(netns, sensor(&arguments));
    assert_eq!(running.end(super::child::SOON).code(), Some(0));
    let stderr = running.stderr.text();
    assert_eq!(stderr.lines().filter(|line| line.starts_with("watching ")).count(), 2, "{stderr}");
    assert_eq!(stderr.matches("ingress by native XDP, egress by tcx\n").count(), 2, "{stderr}");
}

#[test]
fn refusals_are_told() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let words = ["watching lo: ingress by generic XDP", "native XDP refused: the driver does not support it"];
    Running::start(netns, sensor(&["attach", "-i", "lo", "--mode", "auto", "--duration", "0"])).ended(0, &words);
    let native = sensor(&["attach", "-i", "lo", "--mode", "native"]);
    Running::start(netns, native).ended(2, &["cannot attach to lo in native mode", "use --mode auto"]);
}

#[test]
fn an_interface_that_has_nothing_to_show_is_told() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    ip(netns, &format!("link set {WAN} down"));
    let down = sensor(&["attach", "-i", WAN, "--duration", "0"]);
    Running::start(netns, down).ended(0, &["egress by tcx (it is down for now)\n"]);
    if !Path::new("/dev/net/tun").exists() {
        eprintln!("SKIPPED: no tunnels here");
        return;
    }
    ip(netns, "tuntap add dev tun0 mode tun");
    let tunnel = sensor(&["attach", "-i", "tun0"]);
    Running::start(netns, tunnel).ended(2, &["tun0 carries no Ethernet frames", "watch the interface beneath"]);
}

#[test]
fn large_frames_are_no_obstacle() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    for mtu in [9000, 65_535] {
        ip(netns, &format!("link set {WAN} mtu {mtu}"));
        let running = Running::attach(netns, &["-i", WAN]);
        running.stderr.wait_for("ingress by native XDP, egress by tcx\n");
        forge(&lab);
        running.stdout.wait_for("ttl-rst-mismatch");
    }
}
