//! The figures: as JSON to keep and compare, as tables to read.

mod document;
mod ratio;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::count::Count;
use super::duo::Duo;
use super::live::Live;
use super::machine::Machine;
use super::sensor::Loaded;
pub(super) use document::into_document;
pub(super) use tables::counts;

/// All figures of one run of the verb.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    machine: Machine,
    packets: u32,
    runs: usize,
    /// Mixes of traffic.
    pub(super) columns: Vec<Column>,
    /// The engine on the host.
    #[serde(default)]
    pub(super) engine: Vec<OnHost>,
    /// Two CPUs at once.
    #[serde(default)]
    pub(super) duos: Vec<Duo>,
    /// Instructions and cache lines along the hot paths.
    #[serde(default)]
    pub(super) counts: Vec<Count>,
    /// Over veths, through the agent.
    #[serde(default)]
    pub(super) live: Option<Live>,
    /// What the kernel says of the sensor's programs.
    pub(super) programs: Vec<Loaded>,
}

/// The engine on the host with some number of flows.
#[derive(Serialize, Deserialize)]
pub(super) struct OnHost {
    /// How many.
    pub(super) flows: String,
    /// Nanoseconds a packet.
    pub(super) cell: Cell,
    /// Milliseconds of CPU time that a sweep takes: beside traffic, when all have come to rest, and at rest.
    #[serde(default)]
    pub(super) sweeps: Option<[f64; 3]>,
}

/// One mix of traffic.
#[derive(Serialize, Deserialize)]
pub(super) struct Column {
    /// What is above it.
    pub(super) title: String,
    /// One for each program.
    pub(super) cells: Vec<Cell>,
}

/// One program in one mix, in nanoseconds a packet.
#[derive(Serialize, Deserialize)]
pub(super) struct Cell {
    program: String,
    min: f64,
    median: f64,
}

impl Cell {
    /// From all runs' times.
    pub(super) fn new(program: &str, mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let (min, median) = (times.first().copied(), times.get(times.len() / 2).copied());
        let hundredths = |time: Option<f64>| (time.unwrap_or(f64::NAN) * 100.0).round() / 100.0;
        Self { program: program.to_owned(), min: hundredths(min), median: hundredths(median) }
    }
}

impl Column {
    fn min(&self, program: &str) -> f64 {
        self.cells.iter().find(|cell| cell.program == program).map_or(f64::NAN, |cell| cell.min)
    }
}

impl Report {
    /// An empty one.
    pub(super) fn new(packets: u32, runs: usize) -> Self {
        let machine = Machine::this();
        let (columns, engine, duos, counts, live, programs) = Default::default();
        Self { machine, packets, runs, columns, engine, duos, counts, live, programs }
    }

    /// An earlier one.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not a benchmark's result", path.display()))
    }

    /// Stores it.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            fs::write(path, serde_json::to_string_pretty(self)? + "\n")
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first version of this benchmark wrote it.
    const OLD: &str = r#"{"machine": {"processor": "x", "processors": 2, "caches": "y", "kernel": "6.1.0"}, "packets": 1,
        "runs": 1, "columns": [{"title": "1 flow", "cells": [
            {"program": "null_xdp", "min": 20.0, "median": 21.0}, {"program": "null_tc", "min": 20.0, "median": 21.0},
            {"program": "floor_lru", "min": 80.0, "median": 81.0}, {"program": "sensor_xdp", "min": 100.0, "median": 101.0},
            {"program": "sensor_egress", "min": 100.0, "median": 101.0}]}],
        "host": [{"program": "host engine", "min": 30.0, "median": 31.0}],
        "programs": [{"name": "sensor_xdp", "verified": 1, "translated": 1, "jitted": 1}]}"#;

    #[test]
    fn an_older_file_is_compared_as_far_as_it_goes() {
        let old: Report = serde_json::from_str(OLD).unwrap();
        let mut new: Report = serde_json::from_str(OLD).unwrap();
        let cells = &mut new.columns[0].cells;
        cells.iter_mut().for_each(|cell| cell.min *= 0.9);
        cells.push(Cell::new("floor_array", vec![50.0]));
        new.columns.push(Column { title: "SYN flood".into(), cells: vec![Cell::new("sensor_xdp", vec![300.0])] });
        let change = new.change_since(&old);
        assert!(change.contains("| sensor_xdp | 100.0 → 90.0 (-10 %) | new: 300.0 |"), "{change}");
        assert!(change.contains("| floor_array | new: 50.0 |"), "{change}");
        assert!(change.contains("| sensor_xdp / floor_lru | 1.25 → 1.25 |"), "{change}");
        let again: Report = serde_json::from_str(&serde_json::to_string(&new).unwrap()).unwrap();
        assert_eq!(again.tables(), new.tables(), "what is stored is all there is");
    }

    #[test]
    fn a_cell_is_the_least_and_the_middle() {
        let cell = Cell::new("x", vec![3.0, 1.004, 2.0]);
        assert_eq!((cell.min, cell.median), (1.0, 2.0));
    }
}
