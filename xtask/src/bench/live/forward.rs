//! Packets a second that come in through native XDP on a veth, with this program or that one in their way.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sensor_common::counters::Counter;
use sensor_common::table::WAYS;
use serde::{Deserialize, Serialize};

use super::room::{INDEX, INTERFACES, RECEIVER, Room, SENDER};
use crate::bench::kernel::Rig;
use crate::bench::sensor::Sensor;
use crate::bench::traffic::{Layout, Traffic};
use crate::bench::{Effort, cpu, mix};
use crate::process;

/// Connections that the frames belong to.
pub(super) const FLOWS: usize = 100_000;

/// How long one turn lasts.
const TURN: Duration = Duration::from_millis(1_000);

/// Frames sent in one system call.
const BATCH: u32 = 200_000;

/// What is in the way, the least first.
const PROGRAMS: [&str; 6] = [NOTHING, "null_xdp", "parse", "floor_array", "floor_lru", "sensor_xdp"];

const NOTHING: &str = "no program";

/// One program.
#[derive(Serialize, Deserialize)]
pub(in crate::bench) struct Received {
    /// Its name.
    pub(in crate::bench) program: String,
    /// Million packets a second of the receiving thread's CPU time: the best turn and the one in the middle.
    pub(in crate::bench) most: f64,
    pub(in crate::bench) median: f64,
    /// Million packets a second by the clock, which whoever else runs makes fewer: the best turn.
    pub(in crate::bench) by_the_clock: f64,
}

/// Measures every program in turn.
pub(super) fn measure(bench: &Path, object: &Path, effort: &Effort) -> Result<Vec<Received>> {
    let config = mix::config(FLOWS, effort.fine);
    let traffic = Traffic::established_at(INDEX, FLOWS, Layout::PLAIN, &config)?;
    let sensor = Sensor::load(object, &config)?;
    let mut told = Vec::new();
    for program in PROGRAMS {
        let mut rates = turns(bench, &traffic, program, &sensor, effort, (config.bucket_mask + 1) * WAYS as u32)
            .with_context(|| format!("live packets, {program}"))?;
        let clock = rates.iter().map(|rate| rate.1).fold(0.0, f64::max);
        rates.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (most, median) = (rates.last().map(|rate| rate.0), rates.get(rates.len() / 2).map(|rate| rate.0));
        let [most, median, by_the_clock] =
            [most.unwrap_or(0.0), median.unwrap_or(0.0), clock].map(|rate| (rate * 1_000.0).round() / 1_000.0);
        told.push(Received { program: program.to_owned(), most, median, by_the_clock });
    }
    Ok(told)
}

/// One program's turns, in million packets a second: of the receiving thread's CPU time, and by the clock.
fn turns(
    bench: &Path,
    traffic: &Traffic,
    program: &str,
    sensor: &Sensor,
    effort: &Effort,
    capacity: u32,
) -> Result<Vec<(f64, f64)>> {
    let room = Room::build()?;
    // Without a program nobody counts frames at the far end, nor minds those that are lost.
    let window = if program == NOTHING { u64::MAX } else { 192 };
    let mut rig = Rig::load_live(bench, traffic, capacity, (INDEX, window))?;
    let ours = program == "sensor_xdp";
    if program == NOTHING {
        // What makes a veth poll, as it does with a program.
        process::read(room.command(RECEIVER, "ethtool").args(["-K", INTERFACES[RECEIVER], "gro", "on"]))?;
        rig.rewind();
    } else {
        let target = if ours { sensor.target(program)? } else { rig.target(program)? };
        rig.aim(&target)?;
        room.enter(RECEIVER, || {
            rig.receive_at(INTERFACES[RECEIVER])?;
            rig.shake_hands_at(INDEX, &target)
        })?;
    }
    let thread = poll_on(&room, effort.cpus.get(1).copied())?;
    let before = sensor.counters()?;
    let mut rates = Vec::new();
    let mut received = 0;
    // The first turn fills tables and caches, and is not counted.
    for turn in 0..=effort.runs.min(3) {
        let count = |rig: &Rig| if program == NOTHING { room.received(RECEIVER) } else { Ok(rig.live_received()) };
        let (first, worked, begun) = (count(&rig)?, cpu::time_of(thread)?, Instant::now());
        while begun.elapsed() < TURN {
            room.enter(SENDER, || {
                cpu::pin(effort.cpus[0])?;
                rig.send_live(BATCH)
            })?;
        }
        let (last, worked, took) = (count(&rig)?, cpu::time_of(thread)? - worked, begun.elapsed());
        if turn > 0 {
            let millions = (last - first) as f64 / 1e6;
            rates.push((millions / worked.as_secs_f64(), millions / took.as_secs_f64()));
        }
        received = last;
    }
    ensure!(received > 0, "nothing came through");
    if ours {
        let after = sensor.counters()?;
        let grown = |counter| after.get(counter) - before.get(counter);
        let judged = grown(Counter::Segments);
        // What is on its way while we count comes a moment later.
        ensure!(judged.abs_diff(rig.live_received()) < 1_000, "{judged} segments were judged of {received}");
        let found = after.matched_total() - before.matched_total();
        ensure!(found == 0, "honest traffic gave {found} findings: frames were lost on their way");
        ensure!(grown(Counter::FlowsCreated) == 0, "frames belonged to no flow");
    }
    Ok(rates)
}

/// Has the receiving interface polled by a kernel thread, on a CPU of its own if there is one. Returns that thread.
fn poll_on(room: &Room, cpu: Option<usize>) -> Result<i32> {
    let set = format!("echo 1 > /sys/class/net/{}/threaded", INTERFACES[RECEIVER]);
    process::read(room.command(RECEIVER, "sh").args(["-c", &set]))?;
    // Its name is all that tells it from others; the youngest is ours.
    let name = format!("napi/{}", INTERFACES[RECEIVER]);
    let named = fs::read_dir("/proc")?.flatten().filter_map(|process| {
        let thread: i32 = process.file_name().to_str()?.parse().ok()?;
        fs::read_to_string(process.path().join("comm")).ok()?.starts_with(&name).then_some(thread)
    });
    let thread =
        named.max().with_context(|| format!("no kernel thread {name}: polling by threads needs Linux 5.12"))?;
    if let Some(cpu) = cpu {
        cpu::keep(thread, cpu)?;
    }
    Ok(thread)
}
