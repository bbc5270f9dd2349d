//! Resets that leave: which of them this host's own stack sent, by the kernel's word, and which a rule of its firewall made.

use std::{
    os::fd::AsRawFd as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use sensor::lab::{Family, Lab, Netns, SERVER_PORT};
use serde_json::Value;

use super::{
    WAN,
    child::{Running, SOON, sensor},
    lab,
};

/// Connections that are cut off.
const VICTIMS: usize = 8;
/// Whether the running kernel tells reasons: Linux 6.10.
const TOLD_SINCE: (u32, u32) = (6, 10);

/// The agent with tracefs where it is looked for, whether or not this machine has it there; or without.
fn attach(netns: &Netns, interface: &str, tracefs: bool) -> Running {
    let mount = if tracefs {
        "mountpoint -q /sys/kernel/tracing || mount -t tracefs nodev /sys/kernel/tracing"
    } else {
        "for d in /sys/kernel/tracing /sys/kernel/debug; do [ ! -d $d ] || mount -t tmpfs nodev $d; done"
    };
    let agent = sensor(&["attach", "-i", interface, "-o", "json", "--min-severity", "info"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("{{ {mount}; }} && exec \"$0\" \"$@\"")]);
    command.arg(agent.get_program()).args(agent.get_args()).stdout(Stdio::piped());
    let running = Running::start(netns, command);
    running.stderr.wait_for("watching ");
    running
}

/// Whether the kernel can tell.
fn told() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|n| n.parse().ok());
    let told = (numbers.next().unwrap(), numbers.next().unwrap()) >= TOLD_SINCE;
    if !told {
        eprintln!("SKIPPED: Linux {} does not tell the reasons of resets", release.trim());
    }
    told
}

pub(super) fn nft(netns: &Netns, rule: &str) -> bool {
    let run = || Command::new("nft").args(rule.split(' ')).stderr(Stdio::null()).status();
    let done = netns.enter(run).unwrap().is_ok_and(|status| status.success());
    if !done {
        eprintln!("SKIPPED: nft {rule} does not work here");
    }
    done
}

/// A socket that will be aborted when it is closed.
fn abort(stream: std::net::TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // SAFETY: of the stated length, and outlives the call.
    let done = unsafe {
        let value = (&raw const linger).cast();
        libc::setsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, value, size_of_val(&linger) as u32)
    };
    assert_eq!(done, 0);
}

fn refused(lab: &Lab) {
    let to = std::net::SocketAddr::new(lab.server().address(Family::V4), SERVER_PORT + 1);
    let refused = lab.client().netns().enter(|| std::net::TcpStream::connect_timeout(&to, SOON)).unwrap();
    assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

/// What was told, once it has ended.
pub(super) fn objects(mut running: Running) -> Vec<Value> {
    thread::sleep(Duration::from_millis(300));
    running.signal(libc::SIGTERM);
    assert!(running.end(SOON).success(), "{}", running.stderr.text());
    running.stdout.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of<'a>(all: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |object| object["kind"] == kind)
}

fn incidents<'a>(all: &'a [Value], topic: &'a str) -> impl Iterator<Item = &'a Value> {
    all.iter().filter(move |object| object["state"] == "closed" && object["about"]["topic"] == topic)
}

#[test]
fn a_closed_port_and_an_aborted_socket_are_the_stacks_own() {
    let Some(lab) = lab().filter(|_| told()) else { return };
    for family in [Family::V4, Family::V6] {
        let running = attach(lab.server().netns(), WAN, true);
        refused(&lab);
        let mut pair = lab.connect(family).unwrap();
        pair.exchange().unwrap();
        abort(pair.server);
        thread::sleep(Duration::from_millis(100));
        let all = objects(running);
        let refused: Vec<_> = of(&all, "rst-refused").collect();
        assert!(
            !refused.is_empty() && refused.iter().all(|r| r["stack"] == "own" && r["stack_reason"] == "NO_SOCKET"),
            "{all:#?}"
        );
        let aborted: Vec<_> = of(&all, "rst-abort").collect();
        assert!(!aborted.is_empty() && aborted.iter().all(|r| r["stack"] == "own"), "{all:#?}");
        assert!(all.iter().all(|object| object["type"] != "incident"), "{all:#?}");
    }
}

#[test]
fn a_firewall_that_rejects_live_connections_is_not_the_stack() {
    let Some(lab) = lab().filter(|_| told()) else { return };
    let server = lab.server().netns();
    if !nft(server, "add table inet t") || !nft(server, "add chain inet t in { type filter hook input priority 0 ; }") {
        return;
    }
    let running = attach(server, WAN, true);
    let mut pairs: Vec<_> = (0..VICTIMS).map(|n| lab.connect([Family::V4, Family::V6][n % 2]).unwrap()).collect();
    for pair in &mut pairs {
        pair.exchange().unwrap();
        pair.exchange().unwrap();
    }
    if !nft(server, &format!("add rule inet t in tcp dport {SERVER_PORT} reject with tcp reset")) {
        return;
    }
    for pair in &mut pairs {
        pair.server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(pair.exchange().is_err());
    }
    // Among these the stack goes on to answer for itself.
    refused(&lab);
    assert!(nft(server, "delete table inet t"));
    let all = objects(running);
    let made: Vec<_> = of(&all, "rst-stateless").filter(|r| r["hook"] == "egress").collect();
    assert!(made.len() >= VICTIMS && made.iter().all(|r| r["stack"].is_null() || r["stack"] == "none"), "{all:#?}");
    // Where another stack of this machine sent a reset at the same time, as other tests' do, nothing is claimed.
    let claimed = made.iter().filter(|r| r["stack"] == "none").count() as u64;
    assert!(claimed > 0, "{all:#?}");
    assert!(of(&all, "rst-refused").all(|r| r["stack"] == "own"), "{all:#?}");
    let incident: Vec<_> = incidents(&all, "rst-not-own").collect();
    assert_eq!(incident.iter().map(|i| i["connections"].as_u64().unwrap()).sum::<u64>(), claimed, "{all:#?}");
    for incident in &incident {
        assert_eq!(incident["causes"][0]["cause"], "local-rule", "{incident:#}");
        assert!(incident["next"][0].as_str().unwrap().contains("nft list ruleset"), "{incident:#}");
    }
    // Whatever else is told of these connections blames nobody else.
    let causes =
        all.iter().filter(|object| object["type"] == "incident").filter_map(|i| i["causes"][0]["cause"].as_str());
    assert!(causes.clone().all(|cause| cause == "local-rule"), "{:?}", causes.collect::<Vec<_>>());
}

#[test]
fn what_is_routed_through_is_never_said_to_be_ours_or_not() {
    let Some(lab) = lab().filter(|_| told()) else { return };
    let router = &lab.routers()[1];
    let running = attach(router, "left", true);
    refused(&lab);
    let mut pair = lab.connect(Family::V4).unwrap();
    pair.exchange().unwrap();
    abort(pair.server);
    thread::sleep(Duration::from_millis(100));
    let all = objects(running);
    let resets: Vec<_> = all.iter().filter(|r| r["hook"] == "egress" && !r["rst_class"].is_null()).collect();
    assert!(resets.len() >= 2, "{all:#?}");
    assert!(resets.iter().all(|r| r["stack"] == "elsewhere"), "the server's namespace is on this machine: {resets:#?}");
}

#[test]
fn without_tracefs_all_else_goes_on() {
    let Some(lab) = lab() else { return };
    let running = attach(lab.server().netns(), WAN, false);
    let (_, line) = running.stderr.wait_for("is not told");
    assert!(line.contains("tracefs is not mounted") && line.contains("mount -t tracefs"), "{line}");
    refused(&lab);
    let all = objects(running);
    assert!(of(&all, "rst-refused").all(|r| r["stack"].is_null() && r["stack_reason"].is_null()), "{all:#?}");
    assert_eq!(of(&all, "rst-refused").count(), 1, "{all:#?}");
}
