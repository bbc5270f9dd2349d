//! Loading, feeding and timing the programs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use aya::maps::{MapData, PerCpuArray, ProgramArray};
use aya::programs::{Program, ProgramFd, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader, Pod};
use sensor_common::config::Config;
use sensor_common::counters::{Cpu, Local};
use sensor_common::engine::Stage;
use sensor_common::flow::{Flow, HeadBits};
use sensor_common::table::WAYS;
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes;

use super::mapping::Mapping;
use super::recipe::{Feed, Recipe};
use super::stack;
use super::traffic::{Traffic, template};

/// XDP_PASS and TC_ACT_UNSPEC: what every measured program returns, and the feeder does not.
const VERDICTS: [u32; 2] = [2, u32::MAX];

/// Where a program is attached in life.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// Before the network stack.
    Xdp,
    /// Traffic control.
    Tc,
}

/// A program that can be fed.
pub(super) struct Target {
    hook: Hook,
    fd: ProgramFd,
}

/// The program that is run by itself, to tell what the kernel's own loop costs.
pub(super) const UNFED: &str = "null_xdp";

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

/// The feeder with its recipes, and the programs to compare with.
pub(super) struct Rig {
    ebpf: Ebpf,
    feed: Mapping<Feed>,
    xdp: ProgramArray<MapData>,
    tc: ProgramArray<MapData>,
    handshakes: u32,
    lap: u32,
}

impl Rig {
    /// Loads the benchmark's object for this traffic; the floor's map has room for `capacity` flows.
    pub(super) fn load(object: &Path, traffic: &Traffic, capacity: u32) -> Result<Self> {
        let (handshakes, lap) = (traffic.handshakes.len(), traffic.lap.len());
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("RECIPES", (handshakes + lap) as u32)
            .map_max_entries("FLOOR", capacity)
            .load_file(object)?;
        load_programs(&mut ebpf)?;
        let mut recipes: Mapping<Recipe> =
            Mapping::new(ebpf.map("RECIPES").context("no map RECIPES")?, handshakes + lap)?;
        let (first, then) = recipes.elements().split_at_mut(handshakes);
        first.copy_from_slice(&traffic.handshakes);
        then.copy_from_slice(&traffic.lap);
        let feed = Mapping::new(ebpf.map("FEED").context("no map FEED")?, 1)?;
        let mut slot = |name| ebpf.take_map(name).with_context(|| format!("no map {name}"));
        let (xdp, tc) = (slot("XDP_TARGET")?.try_into()?, slot("TC_TARGET")?.try_into()?);
        Ok(Self { ebpf, feed, xdp, tc, handshakes: handshakes as u32, lap: lap as u32 })
    }

    /// One of the benchmark's own programs.
    pub(super) fn target(&self, name: &str) -> Result<Target> {
        target(&self.ebpf, name)
    }

    /// Feeds every handshake once, one lap at a time.
    pub(super) fn shake_hands(&mut self, target: &Target) -> Result<()> {
        if self.handshakes > 0 {
            self.feed.elements()[0] = Feed { next: 0, first: 0, end: self.handshakes, lap: 0 };
            self.run(target, self.handshakes)?;
        }
        let (first, end) = (self.handshakes, self.handshakes + self.lap);
        self.feed.elements()[0] = Feed { next: first, first, end, lap: 0 };
        Ok(())
    }

    /// Whole laps that come to at least `packets`, in packets.
    pub(super) fn whole_laps(&self, packets: u32) -> u32 {
        packets.div_ceil(self.lap) * self.lap
    }

    /// Feeds `packets` frames to a program; nanoseconds of CPU time a packet.
    pub(super) fn run(&mut self, target: &Target, packets: u32) -> Result<f64> {
        let (slot, feeder) = match target.hook {
            Hook::Xdp => (&mut self.xdp, "feed_xdp"),
            Hook::Tc => (&mut self.tc, "feed_tc"),
        };
        slot.set(0, &target.fd, 0)?;
        self.time(feeder, VERDICTS[target.hook as usize], packets)
    }

    /// Runs [`UNFED`] without the feeder; nanoseconds of CPU time a packet.
    pub(super) fn run_unfed(&self, packets: u32) -> Result<f64> {
        self.time(UNFED, VERDICTS[Hook::Xdp as usize], packets)
    }

    fn time(&self, program: &str, verdict: u32, packets: u32) -> Result<f64> {
        let data = template();
        let options = TestRunOptions { data_in: Some(&data), repeat: packets, ..TestRunOptions::new() };
        let begun = cpu_time();
        let result = match self.ebpf.program(program).with_context(|| format!("no program {program}"))? {
            Program::Xdp(program) => program.test_run(options)?,
            Program::SchedClassifier(program) => program.test_run(options)?,
            _ => bail!("{program} is of an unexpected type"),
        };
        let took = cpu_time() - begun;
        ensure!(
            result.return_value == verdict,
            "the last frame's verdict was {}, not {verdict}: the program under test was not reached",
            result.return_value
        );
        Ok(took as f64 / f64::from(packets))
    }
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

fn load_programs(ebpf: &mut Ebpf) -> Result<()> {
    for (name, program) in ebpf.programs_mut() {
        match program {
            Program::Xdp(program) => program.load(),
            Program::SchedClassifier(program) => program.load(),
            Program::TracePoint(program) => program.load(),
            _ => bail!("{name} is of an unexpected type"),
        }
        .with_context(|| format!("the kernel does not take {name}"))?;
    }
    Ok(())
}

fn target(ebpf: &Ebpf, name: &str) -> Result<Target> {
    let (hook, fd) = match ebpf.program(name).with_context(|| format!("no program {name}"))? {
        Program::Xdp(program) => (Hook::Xdp, Xdp::fd(program)?),
        Program::SchedClassifier(program) => (Hook::Tc, SchedClassifier::fd(program)?),
        _ => bail!("{name} is of an unexpected type"),
    };
    Ok(Target { hook, fd: fd.try_clone()? })
}

/// Nanoseconds that this thread has run, which others' work on the same CPU does not lengthen.
pub(super) fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid clock and a valid place for its time; it cannot fail with both.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Keeps this thread on its CPU: a move would leave the caches behind, and per-CPU maps with them.
pub(super) fn pin() -> Result<()> {
    // SAFETY: a set of no CPUs is all zeroes; the calls get a valid set and its size.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if result != 0 {
        return Err(std::io::Error::last_os_error()).context("cannot stay on one CPU");
    }
    Ok(())
}
