//! `sensor attach` and `sensor demo` as an operator meets them, in a lab. Needs root; without it these tests say that they
//! are skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aggregates;
mod child;
mod config;
mod demo;
mod doctor;
mod floods;
mod flows;
mod hooks;
mod hotplug;
mod limits;
mod memory;
mod observe;
mod output;
mod own;
mod pins;
mod privilege;
mod prometheus;
mod seal;
mod size;
mod soak;
mod state;
mod stop;
mod survive;
mod systemd;
mod tail;
mod write;

use std::{process::Command, thread, time::Duration};

use sensor::lab::{
    Family, Lab, LabError, LabOptions, Netns,
    tamper::{self, AckField},
    traffic::{Pace, Traffic},
};

use child::{Running, sensor};

/// The interface that is watched.
const WAN: &str = "wan0";

fn lab() -> Option<Lab> {
    match Lab::build(LabOptions::default()) {
        Ok(lab) => Some(lab),
        Err(LabError::NotRoot) => {
            eprintln!("SKIPPED: {}", LabError::NotRoot);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs `ip` in a namespace.
fn ip(netns: &Netns, arguments: &str) -> String {
    let output = Command::new("ip").args(["-n", netns.name()]).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Has the firewall forge a reset to the server; tells the client's port.
fn forge(lab: &Lab) -> u16 {
    let pair = lab.connect(Family::V4).unwrap();
    let port = pair.client_port().unwrap();
    lab.middlebox().add(tamper::answer_fin(port, AckField::Conforming));
    Traffic::new(lab).victim(pair, Pace { exchanges: 4, pause: Duration::from_millis(10) }).unwrap();
    // The last findings are on their way for a few milliseconds.
    thread::sleep(Duration::from_millis(100));
    port
}

#[test]
fn interfaces_are_named() {
    let Some(lab) = lab() else { return };
    let server = lab.server().netns();
    let words = ["no interface \"nosuch0\"", "there are: ", WAN, "-i NAME"];
    Running::start(server, sensor(&["attach", "-i", WAN, "-i", "nosuch0"])).ended(2, &words);

    let nowhere = lab.middlebox().netns();
    Running::start(nowhere, sensor(&["attach"])).ended(2, &["no default route", "name one of: ", "near", "-i NAME"]);
    // Half of everything is not everything.
    ip(nowhere, "address add 192.0.2.77/32 dev near");
    ip(nowhere, "route add 0.0.0.0/1 dev near");
    Running::start(nowhere, sensor(&["attach", "--duration", "0"])).ended(2, &["no default route"]);

    let watching = format!("watching {WAN}: ingress by native XDP, egress by tcx");
    Running::start(server, sensor(&["attach", "--duration", "0"])).ended(0, &[&watching]);
}
