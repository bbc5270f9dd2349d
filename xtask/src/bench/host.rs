//! The engine on the host, over frames in memory: what `sensor replay` can reach at best.

use anyhow::{Result, ensure};
use sensor::host::Host;
use sensor_common::config::Config;
use sensor_common::counters::Counter;
use sensor_common::engine::Seen;
use sensor_common::event::Hook;
use sensor_common::wire::Slice;

use super::cpu::cpu_time;
use super::report::Cell;
use super::traffic::{FRAME, INTERFACE, Layout, Traffic};

/// Nanoseconds between two frames.
const STEP: u64 = 1_000;

/// Times `runs` passes over at least `packets` frames of `flows` established flows.
pub(super) fn measure(flows: usize, config: &Config, runs: usize, packets: usize) -> Result<Cell> {
    let traffic = Traffic::established(flows, Layout::PLAIN, config)?;
    let laps = packets.div_ceil(traffic.lap.len());
    let mut host = Host::new(*config);
    let mut now = STEP;
    let mut frames = traffic.layout.template().repeat(traffic.handshakes.len().max(traffic.lap.len() * laps));
    let length = traffic.handshakes.len() * FRAME;
    frames
        .chunks_exact_mut(FRAME)
        .zip(&traffic.handshakes)
        .for_each(|(frame, recipe)| traffic.layout.fill(frame, recipe, 0));
    observe(&mut host, &frames[..length], &mut now);
    let established = host.cpu().get(Counter::FlowsEstablished);
    ensure!(established == flows as u64, "{established} flows were established, not {flows}");
    let mut times = Vec::new();
    let mut lap = 0;
    // The first pass is not counted.
    for run in 0..=runs {
        let frames = &mut frames[..traffic.lap.len() * laps * FRAME];
        for part in frames.chunks_exact_mut(traffic.lap.len() * FRAME) {
            part.chunks_exact_mut(FRAME)
                .zip(&traffic.lap)
                .for_each(|(frame, recipe)| traffic.layout.fill(frame, recipe, lap));
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
    Ok(Cell::new("host engine", times))
}

fn observe(host: &mut Host, frames: &[u8], now: &mut u64) {
    let seen = Seen { ifindex: INTERFACE, tag: 0, hook: Hook::Ingress };
    for frame in frames.chunks_exact(FRAME) {
        host.observe(*now, &Slice::new(frame, FRAME), seen);
        *now += STEP;
    }
}
