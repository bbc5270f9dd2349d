//! Two CPUs at once: what it costs that a flow's two directions come by on different ones.

use std::path::Path;
use std::sync::Barrier;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use sensor_common::counters::Counter;
use sensor_common::table::WAYS;
use serde::{Deserialize, Serialize};

use super::kernel::{Rig, Target};
use super::report::Cell;
use super::sensor::Sensor;
use super::traffic::Traffic;
use super::{Effort, cpu, mix};

/// Frames of one direction in a row. So much is never acknowledged later than the window allows.
const CHUNK: u32 = 50_000;

/// One program with some number of flows, in nanoseconds of CPU time a packet.
#[derive(Serialize, Deserialize)]
pub(super) struct Duo {
    /// The program, or both.
    pub(super) program: String,
    /// How many flows a CPU has.
    pub(super) flows: String,
    /// Both directions on one CPU, the other one idle.
    pub(super) one: Cell,
    /// Two CPUs, each with both directions of its own flows.
    pub(super) apart: Cell,
    /// Two CPUs, each with one direction of the same flows.
    pub(super) shared: Cell,
}

/// A direction: where it is fed from, and into what.
struct Lane {
    rig: Rig,
    target: Target,
    /// Frames in a row, whole laps.
    chunk: u32,
}

/// Measures the floor and the sensor.
pub(super) fn measure(bench: &Path, object: &Path, flows: usize, effort: &Effort) -> Result<Vec<Duo>> {
    let config = mix::config(flows * 2, effort.fine);
    let sets = Traffic::directions(flows, 2, &config)?;
    let capacity = (config.bucket_mask + 1) * WAYS as u32;
    let sensor = Sensor::load(object, &config)?;
    let mut duos = Vec::new();
    for (program, ours) in [("floor_lru", false), ("sensor_xdp, sensor_egress", true)] {
        // The program of one rig for all, so that they share its map.
        let host = Rig::load(bench, &sets[0][0], capacity)?;
        let mut lanes = Vec::new();
        for set in &sets {
            for (traffic, hook) in set.iter().zip(["sensor_xdp", "sensor_egress"]) {
                let target = if ours { sensor.target(hook)? } else { host.target("floor_lru")? };
                let mut rig = Rig::load(bench, traffic, 64)?;
                if hook == "sensor_xdp" {
                    rig.shake_hands(&target)?
                } else {
                    rig.rewind()
                }
                let chunk = rig.whole_laps(CHUNK);
                lanes.push(Lane { rig, target, chunk });
            }
        }
        let before = sensor.counters()?;
        let mut times: [Vec<f64>; 3] = Default::default();
        let mut fed = 0;
        for round in 0..=effort.runs {
            for (times, arrangement) in times.iter_mut().zip([one, apart, shared]) {
                let (nanos, packets) = arrangement(&mut lanes, &effort.cpus, effort.packets)?;
                fed += packets;
                if round > 0 {
                    times.push(nanos as f64 / packets as f64);
                }
            }
        }
        if ours {
            let after = sensor.counters()?;
            for (counter, expected) in [
                (Counter::Segments, fed),
                (Counter::Data, fed / 2),
                (Counter::FlowsCreated, 0),
                (Counter::StageMissing, 0),
            ] {
                let grown = after.get(counter) - before.get(counter);
                ensure!(grown == expected, "two CPUs: {} counted {grown}, not {expected}", counter.id());
            }
            ensure!(after.matched_total() == 0, "two CPUs: honest traffic gave {} findings", after.matched_total());
        }
        let [one, apart, shared] = times.map(|times| Cell::new(program, times));
        duos.push(Duo { program: program.to_owned(), flows: mix::flows(flows), one, apart, shared });
    }
    Ok(duos)
}

/// Nanoseconds of CPU time, and packets.
type Sum = (u64, u64);

/// Both directions of one set, in turn.
fn both(lanes: &mut [Lane], packets: u32) -> Result<Sum> {
    let mut sum = (0, 0);
    while sum.1 < u64::from(packets) {
        for lane in &mut *lanes {
            sum = plus(sum, lane.feed()?);
        }
    }
    Ok(sum)
}

fn one(lanes: &mut [Lane], _: &[usize], packets: u32) -> Result<Sum> {
    both(&mut lanes[..2], packets)
}

fn apart(lanes: &mut [Lane], cpus: &[usize], packets: u32) -> Result<Sum> {
    let (first, second) = lanes.split_at_mut(2);
    on_two([first, second], cpus, |lanes, _| both(lanes, packets))
}

/// Acknowledgments follow one chunk behind what they acknowledge.
fn shared(lanes: &mut [Lane], cpus: &[usize], packets: u32) -> Result<Sum> {
    let (data, acks) = lanes[..2].split_at_mut(1);
    let chunks = packets.div_ceil(data[0].chunk);
    let barrier = Barrier::new(2);
    on_two([data, acks], cpus, |lanes, second| {
        let mut sum = (0, 0);
        let mut failed = None;
        for step in 0..=chunks {
            if (if second { step > 0 } else { step < chunks }) && failed.is_none() {
                match lanes[0].feed() {
                    Ok(fed) => sum = plus(sum, fed),
                    // The other one waits at the barrier all the same.
                    Err(error) => failed = Some(error),
                }
            }
            barrier.wait();
        }
        failed.map_or(Ok(sum), Err)
    })
}

fn on_two(
    lanes: [&mut [Lane]; 2],
    cpus: &[usize],
    work: impl Fn(&mut [Lane], bool) -> Result<Sum> + Sync,
) -> Result<Sum> {
    let begin = Barrier::new(2);
    let (begin, work) = (&begin, &work);
    thread::scope(|scope| {
        let threads: Vec<_> = lanes
            .into_iter()
            .zip(cpus)
            .enumerate()
            .map(|(index, (lanes, cpu))| {
                scope.spawn(move || {
                    let pinned = cpu::pin(*cpu);
                    begin.wait();
                    pinned.and_then(|()| work(lanes, index == 1))
                })
            })
            .collect();
        threads.into_iter().try_fold((0, 0), |sum, thread| {
            Ok(plus(sum, thread.join().map_err(|_| anyhow!("a thread gave up"))?.context("two CPUs")?))
        })
    })
}

const fn plus(a: Sum, b: Sum) -> Sum {
    (a.0 + b.0, a.1 + b.1)
}

impl Lane {
    fn feed(&mut self) -> Result<Sum> {
        let nanos = self.rig.run(&self.target, self.chunk)?;
        Ok(((nanos * f64::from(self.chunk)) as u64, self.chunk.into()))
    }
}
