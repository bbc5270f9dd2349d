//! The product, as it is loaded in life, and what it counts.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use aya::maps::{MapData, PerCpuArray, ProgramArray, RingBuf};
use aya::{Ebpf, EbpfLoader, Pod};
use sensor_common::config::Config;
use sensor_common::counters::{Cpu, Local};
use sensor_common::engine::Stage;
use sensor_common::flow::{Flow, HeadBits};
use sensor_common::table::WAYS;
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;

use super::kernel::{Target, load_programs, target};
use super::mapping::Mapping;
use super::stack;

/// What the kernel says of a program.
#[derive(Serialize, Deserialize)]
pub(super) struct Loaded {
    /// Its name.
    pub(super) name: String,
    /// Instructions that the verifier went through.
    pub(super) verified: u32,
    /// Instructions of the program as loaded.
    pub(super) translated: u32,
    /// Bytes of machine code.
    pub(super) jitted: u32,
    /// Bytes of stack, of the deepest chain of calls.
    #[serde(default)]
    pub(super) stack: u32,
}

/// The product, as it is loaded in life.
pub(super) struct Sensor {
    ebpf: Ebpf,
    flows: Mapping<Flow>,
    stack: BTreeMap<String, u32>,
}

impl Sensor {
    /// Loads the object with tables for the configuration.
    pub(super) fn load(object: &Path, config: &Config) -> Result<Self> {
        let buckets = config.bucket_mask + 1;
        let flows = buckets * WAYS as u32;
        let mut ebpf = EbpfLoader::new()
            .override_global("CONFIG", config.as_bytes(), true)
            .map_max_entries("BUCKETS", buckets)
            .map_max_entries("FLOWS", flows)
            .map_max_entries("EXTRAS", flows)
            .map_max_entries("SERVICES", config.service_mask + 1)
            .load_file(object)?;
        load_programs(&mut ebpf)?;
        for (stage, xdp, tc) in Stage::ALL {
            for (stages, program) in [("XDP_STAGES", xdp), ("TC_STAGES", tc)] {
                let fd = target(&ebpf, program)?.fd;
                let map = ebpf.map_mut(stages).with_context(|| format!("no map {stages}"))?;
                ProgramArray::try_from(map)?.set(stage as u32, &fd, 0)?;
            }
        }
        let flows = Mapping::new(ebpf.map("FLOWS").context("no map FLOWS")?, flows as usize)?;
        Ok(Self { ebpf, flows, stack: stack::depths(object)? })
    }

    /// One of its programs.
    pub(super) fn target(&self, name: &str) -> Result<Target> {
        target(&self.ebpf, name)
    }

    /// Counters of all CPUs.
    pub(super) fn counters(&self) -> Result<Cpu> {
        let map = self.ebpf.map("CPUS").context("no map CPUS")?;
        let map: PerCpuArray<_, Counters> = map.try_into()?;
        let mut sum = Cpu::default();
        map.get(&0, 0)?.iter().for_each(|Counters(local)| sum.add(&local.cpu));
        Ok(sum)
    }

    /// Established flows that nothing is suspected of, and the segments that flows have seen.
    pub(super) fn quiet_flows(&mut self) -> (usize, u64) {
        let flows = self.flows.elements();
        let quiet = |flow: &&Flow| flow.head.bits.any(HeadBits::ESTABLISHED) && flow.head.watch.0 == 0;
        let segments = flows.iter().flat_map(|flow| &flow.ends).map(|end| u64::from(end.segments)).sum();
        (flows.iter().filter(quiet).count(), segments)
    }

    /// The ring, to be drained as the agent does.
    pub(super) fn ring(&mut self) -> Result<RingBuf<MapData>> {
        Ok(self.ebpf.take_map("EVENTS").context("no map EVENTS")?.try_into()?)
    }

    /// What the kernel says of each program.
    pub(super) fn programs(&self) -> Result<Vec<Loaded>> {
        let mut programs = Vec::new();
        for (name, program) in self.ebpf.programs() {
            let info = program.info()?;
            programs.push(Loaded {
                name: name.to_owned(),
                verified: info.verified_instruction_count().unwrap_or(0),
                translated: info.size_translated().unwrap_or(0) / 8,
                jitted: info.size_jitted(),
                stack: self.stack.get(name).copied().unwrap_or(0),
            });
        }
        programs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(programs)
    }
}

/// Our own name for it, as the trait below wants.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Counters(Local);

// SAFETY: all integers, without padding, as zerocopy has checked.
unsafe impl Pod for Counters {}
