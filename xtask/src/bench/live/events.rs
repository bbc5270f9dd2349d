//! The way of an event: how many a second the agent drains, and how long one takes from its packet to its line. And what an agent
//! costs that has nothing to do.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::thread::{self, sleep};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::agent::Agent;
use super::room::{INDEX, Room, SENDER};
use crate::bench::kernel::Rig;
use crate::bench::mix;
use crate::bench::traffic::Traffic;

/// Connections that are struck, each a few times: so that no limit of one connection holds findings back.
const FLOWS: usize = 20_000;

/// Findings a second while latency is measured, and for how long.
const PACE: u32 = 10_000;
const TIME: Duration = Duration::from_secs(5);

/// What such a reset is told as when it is seen. What the connection comes to is told once it rests, which takes seconds.
const AT_ONCE: &str = "rst-stateless";

/// Native XDP, as a veth takes frames from the kernel's test-run only where its far end polls; and no limit on what is told.
const TELL_ALL: [&str; 6] = ["--mode", "native", "--rate", "0", "--per-connection", "15"];

/// Frames that a veth's queue takes at once: it has room for 256. After each burst the kernel waits for a grace period, 24 ms on a machine
/// at rest, so that smaller ones could not keep the pace.
const BURST: u32 = 250;

/// What an event takes.
#[derive(Serialize, Deserialize)]
pub(in crate::bench) struct Events {
    /// Events taken out of a full ring, for each second of CPU time of the thread that does it.
    pub(in crate::bench) drained_a_second: f64,
    /// How many they were.
    pub(in crate::bench) drained: u64,
    /// Milliseconds from the packet to the line, for half and for 99 of 100 of the findings that are told at once.
    pub(in crate::bench) p50: f64,
    pub(in crate::bench) p99: f64,
    /// How many of them a second.
    pub(in crate::bench) pace: f64,
}

/// An agent with nothing to do.
#[derive(Serialize, Deserialize)]
pub(in crate::bench) struct Idle {
    /// Per cent of one CPU.
    pub(in crate::bench) cpu: f64,
    /// MiB resident, and of these what belongs to no file and no map.
    pub(in crate::bench) resident: f64,
    pub(in crate::bench) anonymous: f64,
}

/// Measures both.
pub(super) fn measure(bench: &Path, binary: &Path) -> Result<Events> {
    let (drained, drained_a_second) = drain(bench, binary).context("draining")?;
    let (p50, p99, pace) = latency(bench, binary).context("latency")?;
    Ok(Events { drained_a_second, drained, p50, p99, pace })
}

/// An agent that watches a quiet interface for ten seconds.
pub(super) fn idle(binary: &Path) -> Result<Idle> {
    let room = Room::build()?;
    let agent = Agent::start(&room, binary, &[], Stdio::null())?;
    // What it does at the beginning is done once.
    sleep(Duration::from_secs(3));
    let (before, begun) = (agent.cpu_time()?.0, Instant::now());
    sleep(Duration::from_secs(10));
    let cpu = (agent.cpu_time()?.0 - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    let (resident, anonymous) = agent.resident()?;
    Ok(Idle { cpu, resident, anonymous })
}

/// The agent sleeps until its ring is full, and then drains it.
fn drain(bench: &Path, binary: &Path) -> Result<(u64, f64)> {
    let room = Room::build()?;
    let arguments = [&["--ring", "64"][..], &TELL_ALL].concat();
    let agent = Agent::start(&room, binary, &arguments, Stdio::null())?;
    let mut rig = strike(bench, &room)?;
    let (before, worked) = (agent.events("received")?, agent.cpu_time()?.1);
    agent.signal(libc::SIGSTOP);
    paced(&room, &mut rig, 150_000, Duration::from_micros(500))?;
    agent.signal(libc::SIGCONT);
    let (begun, mut received, mut drained) = (Instant::now(), before, 0);
    // Until it has begun, and has no more to take.
    while drained == 0 || received - before > drained {
        drained = received - before;
        agent.patient(begun, "does not drain its ring")?;
        sleep(Duration::from_millis(300));
        received = agent.events("received")?;
    }
    let worked = (agent.cpu_time()?.1 - worked).as_secs_f64();
    ensure!(drained > 50_000, "only {drained} events came through the ring");
    Ok((drained, drained as f64 / worked))
}

/// Milliseconds for half and for 99 of 100 lines, and lines a second.
fn latency(bench: &Path, binary: &Path) -> Result<(f64, f64, f64)> {
    let room = Room::build()?;
    let arguments = [&["--output", "json"][..], &TELL_ALL].concat();
    let mut agent = Agent::start(&room, binary, &arguments, Stdio::piped())?;
    let lines = BufReader::new(agent.child.stdout.take().context("no standard output")?).lines();
    // Taken in as they come and looked into later: whoever reads slowly is waited for, which is no delay of the agent's.
    let reader =
        thread::spawn(move || lines.map_while(Result::ok).map(|line| (SystemTime::now(), line)).collect::<Vec<_>>());
    let mut rig = strike(bench, &room)?;
    let frames = PACE * TIME.as_secs() as u32;
    paced(&room, &mut rig, frames, Duration::from_secs(1) * BURST / PACE)?;
    sleep(Duration::from_secs(1));
    drop(agent);
    let lines = reader.join().ok().context("the reader gave up")?;
    let mut delays: Vec<_> = lines.iter().filter_map(|(now, line)| Some((*now, delay(*now, line)?))).collect();
    ensure!(delays.len() > frames as usize / 2, "{} lines were told of {frames} forged resets", delays.len());
    let span = delays.last().zip(delays.first()).and_then(|(last, first)| last.0.duration_since(first.0).ok());
    let pace = delays.len() as f64 / span.unwrap_or(TIME).as_secs_f64();
    delays.sort_by_key(|(_, delay)| *delay);
    let at = |hundredths: usize| delays[delays.len() * hundredths / 100].1.as_secs_f64() * 1_000.0;
    Ok((at(50), at(99), pace))
}

/// How long after its packet a reset's line was read.
fn delay(read: SystemTime, line: &str) -> Option<Duration> {
    let told: Value = serde_json::from_str(line).ok()?;
    let at_once = told["kind"] == AT_ONCE;
    let time: jiff::Timestamp = at_once.then(|| told["time"].as_str()?.parse().ok()).flatten()?;
    read.duration_since(time.into()).ok()
}

/// A rig that has made its connections known to the agent, and strikes next.
fn strike(bench: &Path, room: &Room) -> Result<Rig> {
    let traffic = Traffic::resets(INDEX, FLOWS, &mix::config(FLOWS, false))?;
    let mut rig = Rig::load_live(bench, &traffic, 64, (INDEX, u64::MAX))?;
    let handshakes = rig.begin_with_handshakes();
    paced(room, &mut rig, handshakes, Duration::from_micros(500))?;
    rig.rewind();
    Ok(rig)
}

/// Sends frames in small bursts, the next one no sooner than a while after the last.
fn paced(room: &Room, rig: &mut Rig, frames: u32, pause: Duration) -> Result<()> {
    room.enter(SENDER, || {
        let mut next = Instant::now();
        for sent in (0..frames).step_by(BURST as usize) {
            rig.send_live(BURST.min(frames - sent))?;
            next += pause;
            sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    })
}
