//! Loading, feeding and timing the programs.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use aya::maps::{MapData, ProgramArray};
use aya::programs::{Program, ProgramFd, SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use zerocopy::IntoBytes;

use super::cpu::cpu_time;
use super::mapping::Mapping;
use super::recipe::{Feed, Line, Recipe};
use super::traffic::{Layout, Traffic};

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
    pub(super) fd: ProgramFd,
}

/// The program that is run by itself, to tell what the kernel's own loop costs.
pub(super) const UNFED: &str = "null_xdp";

/// The feeder with its recipes, and the programs to compare with.
pub(super) struct Rig {
    pub(super) ebpf: Ebpf,
    pub(super) progress: Mapping<Line>,
    feed: Mapping<Feed>,
    xdp: ProgramArray<MapData>,
    tc: ProgramArray<MapData>,
    handshakes: u32,
    lap: u32,
    pub(super) layout: Layout,
    /// The interface that frames are said to come in through, where it is not the test-run's.
    ifindex: Option<u32>,
}

/// Flows in a bucket of the floor's array.
const PLACES: u32 = 4;

impl Rig {
    /// Loads the benchmark's object for this traffic; the floors' maps have room for `capacity` flows.
    pub(super) fn load(object: &Path, traffic: &Traffic, capacity: u32) -> Result<Self> {
        Self::load_live(object, traffic, capacity, (0, 0))
    }

    /// The same for a live run, which sends out of interface `ifindex` and has at most `window` frames on their way.
    pub(super) fn load_live(
        object: &Path,
        traffic: &Traffic,
        capacity: u32,
        (ifindex, window): (u32, u64),
    ) -> Result<Self> {
        let (handshakes, lap) = (traffic.handshakes.len(), traffic.lap.len());
        let buckets = (capacity / PLACES).next_power_of_two();
        let mut ebpf = EbpfLoader::new()
            .override_global("LAYOUT", &traffic.layout.0, true)
            .override_global("IFINDEX", &ifindex, true)
            .override_global("WINDOW", &window, true)
            .override_global("BUCKET_MASK", &(buckets - 1), true)
            .map_max_entries("RECIPES", (handshakes + lap) as u32)
            .map_max_entries("FLOOR", capacity)
            .map_max_entries("FLOOR_ARRAY", buckets)
            .load_file(object)?;
        load_programs(&mut ebpf)?;
        let mut recipes: Mapping<Recipe> =
            Mapping::new(ebpf.map("RECIPES").context("no map RECIPES")?, handshakes + lap)?;
        let (first, then) = recipes.elements().split_at_mut(handshakes);
        first.copy_from_slice(&traffic.handshakes);
        then.copy_from_slice(&traffic.lap);
        let feed = Mapping::new(ebpf.map("FEED").context("no map FEED")?, 1)?;
        let progress = Mapping::new(ebpf.map("PROGRESS").context("no map PROGRESS")?, 3)?;
        let mut slot = |name| ebpf.take_map(name).with_context(|| format!("no map {name}"));
        let (xdp, tc) = (slot("XDP_TARGET")?.try_into()?, slot("TC_TARGET")?.try_into()?);
        let layout = traffic.layout;
        Ok(Self {
            ebpf,
            progress,
            feed,
            xdp,
            tc,
            handshakes: handshakes as u32,
            lap: lap as u32,
            layout,
            ifindex: None,
        })
    }

    /// One of the benchmark's own programs.
    pub(super) fn target(&self, name: &str) -> Result<Target> {
        target(&self.ebpf, name)
    }

    /// Feeds every handshake once, as if it came in through interface `ifindex` of this thread's namespace.
    pub(super) fn shake_hands_at(&mut self, ifindex: u32, target: &Target) -> Result<()> {
        self.ifindex = Some(ifindex);
        let done = self.shake_hands(target);
        self.ifindex = None;
        done
    }

    /// Feeds every handshake once, one lap at a time.
    pub(super) fn shake_hands(&mut self, target: &Target) -> Result<()> {
        if self.handshakes > 0 {
            let handshakes = self.begin_with_handshakes();
            self.run(target, handshakes)?;
        }
        self.rewind();
        Ok(())
    }

    /// Begins with the handshakes, and tells how many there are.
    pub(super) fn begin_with_handshakes(&mut self) -> u32 {
        self.feed.elements()[0] = Feed { next: 0, first: 0, end: self.handshakes, lap: 0 };
        self.handshakes
    }

    /// Begins with the first lap.
    pub(super) fn rewind(&mut self) {
        let (first, end) = (self.handshakes, self.handshakes + self.lap);
        self.feed.elements()[0] = Feed { next: first, first, end, lap: 0 };
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
        let data = self.layout.template();
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
        let context = self.ifindex.map(|ifindex| [0, data.len() as u32, 0, ifindex, 0, 0]);
        let options = TestRunOptions {
            data_in: Some(&data),
            ctx_in: context.as_ref().map(|context| context.as_bytes()),
            repeat: packets,
            ..TestRunOptions::new()
        };
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

pub(super) fn load_programs(ebpf: &mut Ebpf) -> Result<()> {
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

pub(super) fn target(ebpf: &Ebpf, name: &str) -> Result<Target> {
    let (hook, fd) = match ebpf.program(name).with_context(|| format!("no program {name}"))? {
        Program::Xdp(program) => (Hook::Xdp, Xdp::fd(program)?),
        Program::SchedClassifier(program) => (Hook::Tc, SchedClassifier::fd(program)?),
        _ => bail!("{name} is of an unexpected type"),
    };
    Ok(Target { hook, fd: fd.try_clone()? })
}
