//! The engine on the host, over frames in memory: what `sensor replay` can reach at best. And the sweep, over its table.

use anyhow::{Result, ensure};
use sensor::host::Host;
use sensor::sweep::{Findings, REST, Sweeper};
use sensor_common::config::Config;
use sensor_common::counters::Counter;
use sensor_common::engine::Seen;
use sensor_common::event::Hook;
use sensor_common::wire::Slice;

use super::cpu::cpu_time;
use super::mix;
use super::recipe::Recipe;
use super::report::{Cell, OnHost};
use super::traffic::{FRAME, INTERFACE, Layout, Traffic};

/// Nanoseconds between two frames.
const STEP: u64 = 1_000;

/// Sweeps of a kind, of which the least counts.
const SWEEPS: usize = 3;

/// Times `runs` passes over at least `packets` frames of `flows` established flows, and sweeps of them.
pub(super) fn measure(flows: usize, config: &Config, runs: usize, packets: usize) -> Result<OnHost> {
    let traffic = Traffic::established(flows, Layout::PLAIN, config)?;
    let laps = packets.div_ceil(traffic.lap.len());
    let mut host = Host::new(*config);
    let mut now = STEP;
    let mut frames = traffic.layout.template().repeat(traffic.handshakes.len().max(traffic.lap.len() * laps));
    let length = traffic.handshakes.len() * FRAME;
    fill(&mut frames, &traffic, &traffic.handshakes, 0);
    observe(&mut host, &frames[..length], &mut now);
    let established = host.cpu().get(Counter::FlowsEstablished);
    ensure!(established == flows as u64, "{established} flows were established, not {flows}");
    let mut times = Vec::new();
    let mut lap = 0;
    // The first pass is not counted.
    for run in 0..=runs {
        let frames = &mut frames[..traffic.lap.len() * laps * FRAME];
        for part in frames.chunks_exact_mut(traffic.lap.len() * FRAME) {
            fill(part, &traffic, &traffic.lap, lap);
            lap += 1;
        }
        let begun = cpu_time();
        observe(&mut host, frames, &mut now);
        let took = cpu_time() - begun;
        if run > 0 {
            times.push(took as f64 / (frames.len() / FRAME) as f64);
        }
    }
    let segments = (traffic.handshakes.len() + traffic.lap.len() * laps * (runs + 1)) as u64;
    ensure!(host.cpu().get(Counter::Segments) == segments, "not every frame was judged");
    ensure!(host.cpu().matched_total() == 0, "honest traffic gave {} findings", host.cpu().matched_total());
    let frames = &mut frames[..traffic.lap.len() * FRAME];
    let beside = |host: &mut Host, now: &mut u64| {
        fill(frames, &traffic, &traffic.lap, lap);
        lap += 1;
        observe(host, frames, now);
    };
    let sweeps = sweeps(&mut host, &mut now, config, beside);
    Ok(OnHost { flows: mix::flows(flows), cell: Cell::new("host engine", times), sweeps: Some(sweeps) })
}

/// Milliseconds of CPU time: a sweep beside the traffic, after a lap of it; the one that finds all at rest; and the next.
fn sweeps(host: &mut Host, now: &mut u64, config: &Config, mut lap: impl FnMut(&mut Host, &mut u64)) -> [f64; 3] {
    let mut sweeper = Sweeper::new(config.bucket_mask as usize + 1, host.cpu());
    let mut ended = Vec::new();
    let mut sweep = |host: &Host, now| {
        let begun = cpu_time();
        sweeper.sweep(host, now, &mut Findings::default(), &mut ended);
        (cpu_time() - begun) as f64 / 1e6
    };
    // The first meets each flow, and is not counted.
    sweep(host, *now);
    let mut least = [f64::INFINITY; 3];
    for _ in 0..SWEEPS {
        lap(host, now);
        least[0] = sweep(host, *now).min(least[0]);
    }
    *now += 2 * REST;
    least[1] = sweep(host, *now);
    for _ in 0..SWEEPS {
        least[2] = sweep(host, *now).min(least[2]);
    }
    least
}

fn fill(frames: &mut [u8], traffic: &Traffic, recipes: &[Recipe], lap: u32) {
    frames.chunks_exact_mut(FRAME).zip(recipes).for_each(|(frame, recipe)| traffic.layout.fill(frame, recipe, lap));
}

fn observe(host: &mut Host, frames: &[u8], now: &mut u64) {
    let seen = Seen { ifindex: INTERFACE, tag: 0, hook: Hook::Ingress };
    for frame in frames.chunks_exact(FRAME) {
        host.observe(*now, &Slice::new(frame, FRAME), seen);
        *now += STEP;
    }
}
