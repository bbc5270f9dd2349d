//! One column of the table: every program in turn, fed with one mix.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sensor_common::counters::Counter;
use sensor_common::table::WAYS;

use super::drain::Drain;
use super::kernel::{Rig, Target, UNFED};
use super::mix::Mix;
use super::report::{Cell, Column};
use super::sensor::{Loaded, Sensor};
use super::{Effort, cpu};

/// Programs to compare with.
const OTHERS: [&str; 5] = ["null_xdp", "parse", "floor_array", "floor_lru", "null_tc"];

/// Ours, at both hooks.
const OURS: [&str; 2] = ["sensor_xdp", "sensor_egress"];

/// Measures one mix: every program in turn, as often as wanted.
pub(super) fn measure(
    bench: &Path,
    object: &Path,
    mix: Mix,
    effort: &Effort,
    loaded: &mut Vec<Loaded>,
) -> Result<Column> {
    let config = mix.config(effort.fine);
    let traffic = mix.traffic(&config)?;
    // Two, since a conversation goes on from lap to lap: what others are fed would be gaps to the sensor.
    let load = || Rig::load(bench, &traffic, (config.bucket_mask + 1) * WAYS as u32);
    let (mut rig, mut own) = (load()?, load()?);
    let null = rig.target("null_xdp")?;
    let mut sensor = Sensor::load(object, &config)?;
    *loaded = sensor.programs()?;
    let cpus = cpu::allowed()?;
    // The main thread was told to stay on one.
    let _drain = Drain::start(sensor.ring()?, &effort.cpus, cpus[0]);
    let ours: Vec<(&str, Target)> =
        OURS.into_iter().map(|name| Ok((name, sensor.target(name)?))).collect::<Result<_>>()?;
    for (rig, target) in [(&mut own, &ours[0].1), (&mut rig, &null)] {
        rig.shake_hands(target)?;
    }
    let established = sensor.counters()?.get(Counter::FlowsEstablished);
    let expected = mix.established();
    ensure!(established == expected as u64, "{established} flows were established, not {expected}");
    let mut unfed = Vec::new();
    let mut programs: Vec<(&str, Target, Vec<f64>)> = Vec::new();
    for name in OTHERS {
        programs.push((name, rig.target(name)?, Vec::new()));
    }
    programs.extend(ours.into_iter().map(|(name, target)| (name, target, Vec::new())));
    let packets = rig.whole_laps(effort.packets);
    // The first round fills tables and caches, and is not counted.
    for round in 0..=effort.runs {
        unfed.push(rig.run_unfed(packets)?);
        for (name, target, times) in &mut programs {
            let before = sensor.counters()?;
            let rig = if OURS.contains(name) { &mut own } else { &mut rig };
            let nanos = rig.run(target, packets)?;
            if OURS.contains(name) {
                mix.check(&before, &sensor.counters()?, packets).with_context(|| format!("{name}, {}", mix.title()))?;
            }
            if round > 0 {
                times.push(nanos);
            }
        }
    }
    if expected > 0 {
        let (quiet, segments) = sensor.quiet_flows();
        ensure!(quiet == mix.quiet(), "{quiet} flows are quiet and established at the end, not {}", mix.quiet());
        let expected = sensor.counters()?.get(Counter::Segments);
        ensure!(segments == expected, "the flows have {segments} segments, not {expected}");
    }
    let mut cells = vec![Cell::new(&format!("{UNFED}, not fed"), unfed)];
    cells.extend(programs.into_iter().map(|(name, _, times)| Cell::new(name, times)));
    Ok(Column { title: mix.title(), cells })
}
