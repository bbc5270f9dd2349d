//! Firewalls on the way, real ones: one that rejects live connections, one that forgets idle ones. Each is its incident, with the
//! likeliest cause first, and no other.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use sensor::lab::{Family, Netns, SERVER_PORT, traffic::Pair};
use serde_json::Value;

use super::{
    child::Running,
    lab,
    own::{nft, objects},
};

/// Where the client's packets leave.
const LAN: &str = "lan0";
const VICTIMS: usize = 5;
/// What is idle for so long is a silence to the sensor (30 s), and long forgotten by the firewall.
const SILENCE: Duration = Duration::from_secs(34);
/// Three repetitions of an unanswered request take 200 + 400 + 800 ms; on a busy machine more.
const REPEATS: Duration = Duration::from_secs(8);

fn attach(netns: &Netns) -> Running {
    Running::attach(netns, &["-i", LAN, "-o", "json", "--min-severity", "info"])
}

fn conversing(lab: &sensor::lab::Lab) -> Vec<Pair> {
    let mut pairs: Vec<_> = (0..VICTIMS).map(|_| lab.connect(Family::V4).unwrap()).collect();
    for pair in &mut pairs {
        pair.exchange().unwrap();
        pair.exchange().unwrap();
    }
    pairs
}

/// The incidents when all is over.
fn closed(all: &[Value]) -> Vec<&Value> {
    let told =
        |object: &&Value| object["type"] == "incident" && object["state"] == "closed" && object["severity"] != "info";
    all.iter().filter(told).collect()
}

fn ruled_out(incident: &Value) -> impl Iterator<Item = &str> {
    incident["ruled_out"].as_array().unwrap().iter().filter_map(|cause| cause["cause"].as_str())
}

#[test]
fn a_firewall_that_rejects_is_a_device_and_no_timeout() {
    let Some(lab) = lab() else { return };
    let router = &lab.routers()[0];
    if !nft(router, "add table ip t") || !nft(router, "add chain ip t way { type filter hook forward priority 0 ; }") {
        return;
    }
    let running = attach(lab.client().netns());
    let mut pairs = conversing(&lab);
    // Delayed acknowledgments would be rejected all at once.
    thread::sleep(Duration::from_millis(200));
    if !nft(router, &format!("add rule ip t way tcp dport {SERVER_PORT} reject with tcp reset")) {
        return;
    }
    for pair in &mut pairs {
        pair.server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(pair.exchange().is_err());
    }
    let all = objects(running);
    let told = closed(&all);
    let [incident] = told[..] else { panic!("{told:#?}") };
    assert_eq!((&incident["about"]["of"], &incident["about"]["hops"]), (&"device".into(), &0.into()), "{incident:#}");
    assert_eq!(incident["connections"], VICTIMS, "{incident:#}");
    assert_eq!(incident["causes"][0]["cause"], "device", "{incident:#}");
    assert!(ruled_out(incident).any(|cause| cause == "idle-timeout"), "{incident:#}");
}

#[test]
fn a_firewall_that_forgets_idle_connections_is_a_timeout() {
    let Some(lab) = lab() else { return };
    let router = &lab.routers()[1];
    let chain = "add chain ip t way { type filter hook forward priority 0 ; }";
    if !nft(router, "add table ip t") || !nft(router, chain) || !nft(router, "add rule ip t way ct state invalid drop")
    {
        return;
    }
    let settings = [("nf_conntrack_tcp_timeout_established", "15"), ("nf_conntrack_tcp_loose", "0")];
    let set = |(name, value): (&str, &str)| fs::write(format!("/proc/sys/net/netfilter/{name}"), value);
    if router.enter(|| settings.into_iter().try_for_each(set)).flatten().is_err() {
        return eprintln!("SKIPPED: conntrack cannot be told its timeouts here");
    }
    let running = attach(lab.client().netns());
    let mut pairs = conversing(&lab);
    // Who goes on talking is not forgotten.
    let mut talker = lab.connect(Family::V4).unwrap();
    let end = Instant::now() + SILENCE;
    while Instant::now() < end {
        talker.exchange().unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    for pair in &mut pairs {
        pair.server.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        assert!(pair.exchange().is_err());
    }
    let end = Instant::now() + REPEATS;
    while Instant::now() < end {
        talker.exchange().unwrap();
        thread::sleep(Duration::from_millis(300));
    }
    let all = objects(running);
    let told = closed(&all);
    let [incident] = told[..] else { panic!("{told:#?}") };
    assert_eq!(incident["about"]["topic"], "idle-then-silence", "{incident:#}");
    assert_eq!(incident["connections"], VICTIMS, "{incident:#}");
    assert_eq!(incident["causes"][0]["cause"], "idle-timeout", "{incident:#}");
    assert_eq!(incident["causes"].as_array().unwrap().len(), 1, "{incident:#}");
}
