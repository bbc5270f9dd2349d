//! What TCP gets through a veth, with and without the agent: iperf3.

use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::Agent;
use super::room::{ADDRESSES, RECEIVER, Room, SENDER};
use crate::process::{read, succeeds};

/// Seconds of one turn, and how many there are.
const SECONDS: u32 = 3;
const TURNS: usize = 3;

/// Where the agent looks, the arguments for it, and none for no agent.
const WAYS: [(&str, Option<&[&str]>); 3] = [
    ("no sensor", None),
    ("sensor, as it chooses by itself (tc)", Some(&[])),
    ("sensor, native XDP", Some(&["--mode", "native"])),
];

/// One way.
#[derive(Serialize, Deserialize)]
pub(in crate::bench) struct Stream {
    /// What it is.
    pub(in crate::bench) way: String,
    /// Gbit/s of payload, the best turn and the one in the middle.
    pub(in crate::bench) most: f64,
    pub(in crate::bench) median: f64,
}

/// Measures every way in turn.
pub(super) fn measure(binary: &Path) -> Result<Vec<Stream>> {
    let room = Room::build()?;
    let mut rates: Vec<(&str, Vec<f64>)> = WAYS.iter().map(|(way, _)| (*way, Vec::new())).collect();
    for _ in 0..TURNS {
        for ((way, arguments), (_, rates)) in WAYS.iter().zip(&mut rates) {
            let agent = arguments.map(|arguments| Agent::start(&room, binary, arguments, Stdio::null())).transpose()?;
            rates.push(turn(&room).with_context(|| (*way).to_owned())?);
            if let Some(agent) = agent {
                let segments = agent.status()?["counters"]["segments"].as_u64().unwrap_or(0);
                ensure!(segments > 1_000, "{way}: the agent saw {segments} segments");
            }
        }
    }
    let told = rates.into_iter().map(|(way, mut rates)| {
        rates.sort_by(f64::total_cmp);
        Stream { way: way.to_owned(), most: rates[TURNS - 1], median: rates[TURNS / 2] }
    });
    Ok(told.collect())
}

/// Gbit/s that the receiver counts.
fn turn(room: &Room) -> Result<f64> {
    let mut server = room.command(RECEIVER, "iperf3");
    let mut server = server.args(["--server", "--one-off"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let result = listening(room).and_then(|()| {
        let mut client = room.command(SENDER, "iperf3");
        client.args(["--client", ADDRESSES[RECEIVER], "--json", "--time", &SECONDS.to_string()]);
        let told: Value = serde_json::from_str(&read(&mut client)?)?;
        let rate = told["end"]["sum_received"]["bits_per_second"].as_f64();
        rate.map(|rate| rate / 1e9).context("iperf3 tells no rate")
    });
    // It ends by itself after a test, and only then.
    let _ = server.kill();
    let _ = server.wait();
    result
}

/// Waits until the server takes connections; asking it would be its one connection.
fn listening(room: &Room) -> Result<()> {
    let begun = Instant::now();
    let listens = || succeeds(room.command(RECEIVER, "sh").args(["-c", "ss -Htln sport = :5201 | grep -q LISTEN"]));
    while !listens() {
        ensure!(begun.elapsed() < Duration::from_secs(30), "iperf3 does not listen");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
