//! `cargo xtask bench`: what a packet costs in the kernel programs and in the engine on the host, beside programs that do the
//! least. All of one column is measured in turn, run after run, so that ratios hold where absolute figures drift.

mod host;
mod kernel;
mod machine;
mod mapping;
#[path = "../../sensor-ebpf/src/bench/recipe.rs"]
mod recipe;
mod report;
mod stack;
mod traffic;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use sensor_common::config::{Config, FIXED_HASH_KEYS};
use sensor_common::counters::{Counter, Cpu};
use sensor_common::table::WAYS;

use crate::privilege::Privilege;
use crate::workspace::Workspace;
use crate::{build_ebpf, process};
use kernel::{Rig, Sensor, Target};
use report::{Cell, Column, Report};
use traffic::Traffic;

/// What to measure, and where to put it.
#[derive(Args)]
pub(crate) struct Options {
    /// Fewer packets, runs and flows: for a first impression
    #[arg(long)]
    quick: bool,
    /// Show the change since an earlier run's JSON file
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
    /// Put the tables into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Numbers of flows, instead of the usual ones
    #[arg(long, value_name = "N", value_delimiter = ',')]
    flows: Vec<usize>,
    /// Have the sensor take the fine clock for every packet, to see what the coarse one saves
    #[arg(long)]
    fine: bool,
}

/// Slots of the table in the mixes that establish no flows, and entries of the floor's map: full after the first few packets.
const CHURN: u32 = 65_536;

/// Bytes of the ring, which stays empty: only the share that mild events may fill depends on it.
const RING: u32 = 1 << 22;

/// What a column's sensor programs are expected to count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mix {
    /// Established conversations.
    Flows(usize),
    /// Frames that are not TCP.
    Other,
    /// Connection requests, each of a new flow.
    Flood,
}

/// How much to measure.
struct Effort {
    runs: usize,
    packets: u32,
}

/// Measures, prints and stores.
pub(crate) fn bench(workspace: &Workspace, options: &Options) -> Result<()> {
    if Privilege::without_sudo() != Privilege::Root {
        bail!("the benchmark loads programs into the kernel: run it as root");
    }
    if cfg!(debug_assertions) {
        return again_in_release(workspace);
    }
    let bench = build_ebpf::bench(workspace)?;
    let sensor = match std::env::var_os(crate::test::OBJECT_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => workspace.objects().join("sensor.bpf.o"),
    };
    let old = options.compare.as_deref().map(Report::read).transpose()?;
    kernel::pin()?;
    let effort =
        if options.quick { Effort { runs: 3, packets: 300_000 } } else { Effort { runs: 5, packets: 2_000_000 } };
    let flows = match (options.flows.as_slice(), options.quick) {
        ([], true) => vec![1, 1_000, 100_000],
        ([], false) => vec![1, 1_000, 100_000, 1_000_000],
        (flows, _) => flows.to_vec(),
    };
    let mut report = Report::new(effort.packets, effort.runs);
    for mix in flows.iter().map(|n| Mix::Flows(*n)).chain([Mix::Other, Mix::Flood]) {
        eprintln!("{}", mix.title());
        report.columns.push(measure(&bench, &sensor, mix, &effort, options.fine, &mut report.programs)?);
    }
    for n in flows {
        eprintln!("host engine, {n} flows");
        report.host.push(host::measure(n, &config(n, false), effort.runs, effort.packets as usize / 2)?);
    }
    let tables = report.tables();
    println!("{tables}");
    if let Some(old) = old {
        println!("{}", report.change_since(&old));
    }
    let latest = workspace.target.join("bench/latest.json");
    report.write(&latest)?;
    eprintln!("stored in {}", latest.display());
    if options.write { report::into_document(&workspace.root.join("docs/performance.md"), &tables) } else { Ok(()) }
}

/// The same verb in a release build: the engine on the host is part of what is measured.
fn again_in_release(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo
        .args(["run", "--quiet", "--locked", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1));
    // A path on the command line means the folder that we were started in.
    cargo.current_dir(std::env::current_dir()?);
    process::run(&mut cargo)
}

/// The configuration of a live interface. Twice the flows' number of slots, rounded up.
fn config(flows: usize, fine: bool) -> Config {
    let slots = (flows * 2).next_power_of_two().max(1024);
    // With records, as the program is larger then.
    let config = Config::live(FIXED_HASH_KEYS, (slots / WAYS) as u32 - 1, RING).with_records(RING, 2_000);
    // 1 is the fine clock only.
    if fine { Config { clock: 1, ..config } } else { config }
}

impl Mix {
    fn title(self) -> String {
        match self {
            Self::Flows(1) => "1 flow".to_owned(),
            Self::Flows(n) if n >= 1_000_000 && n % 1_000_000 == 0 => format!("{} M flows", n / 1_000_000),
            Self::Flows(n) if n >= 1_000 && n % 1_000 == 0 => format!("{} k flows", n / 1_000),
            Self::Flows(n) => format!("{n} flows"),
            Self::Other => "not TCP".to_owned(),
            Self::Flood => "SYN flood".to_owned(),
        }
    }

    fn traffic(self, config: &Config) -> Result<Traffic> {
        match self {
            Self::Flows(n) => Traffic::established(n, config),
            Self::Other => Ok(Traffic::other()),
            Self::Flood => Ok(Traffic::flood()),
        }
    }

    /// Fails unless the sensor has judged `packets` frames more since `before`, all of them in the way that is to be measured.
    fn check(self, before: &Cpu, after: &Cpu, packets: u32) -> Result<()> {
        let grown = |counter| after.get(counter) - before.get(counter);
        let packets = u64::from(packets);
        let expect = |counter: Counter, expected: u64| {
            let grown = grown(counter);
            ensure!(grown == expected, "{} counted {grown}, not {expected}: the wrong path was measured", counter.id());
            Ok(())
        };
        expect(Counter::Packets, packets)?;
        expect(Counter::Segments, if self == Self::Other { 0 } else { packets })?;
        let found = after.matched_total();
        ensure!(found == 0, "honest traffic gave {found} findings");
        match self {
            Self::Flows(_) => {
                expect(Counter::Data, packets / 2)?;
                [Counter::FlowsCreated, Counter::TableFull, Counter::Syn, Counter::Fin, Counter::Rst]
                    .into_iter()
                    .try_for_each(|counter| expect(counter, 0))
            }
            Self::Other => expect(Counter::NotTcp, packets),
            Self::Flood => {
                expect(Counter::Syn, packets)?;
                expect(Counter::FlowsCreated, packets)
            }
        }
    }
}

/// Measures one column: every program in turn, as often as wanted.
fn measure(
    bench: &Path,
    object: &Path,
    mix: Mix,
    effort: &Effort,
    fine: bool,
    loaded: &mut Vec<kernel::Loaded>,
) -> Result<Column> {
    let config = match mix {
        Mix::Flows(n) => config(n, fine),
        Mix::Other | Mix::Flood => config(CHURN as usize / 2, fine),
    };
    let traffic = mix.traffic(&config)?;
    // Two, since a conversation goes on from lap to lap: what others are fed would be gaps to the sensor.
    let load = || Rig::load(bench, &traffic, (config.bucket_mask + 1) * WAYS as u32);
    let (mut rig, mut own) = (load()?, load()?);
    let null = rig.target("null_xdp")?;
    let mut sensor = Sensor::load(object, &config)?;
    *loaded = sensor.programs()?;
    let ours: Vec<(&str, Target)> = ["sensor_xdp", "sensor_egress"]
        .into_iter()
        .map(|name| Ok((name, sensor.target(name)?)))
        .collect::<Result<_>>()?;
    for (rig, target) in [(&mut own, &ours[0].1), (&mut rig, &null)] {
        rig.shake_hands(target)?;
    }
    if let Mix::Flows(n) = mix {
        let established = sensor.counters()?.get(Counter::FlowsEstablished);
        ensure!(established == n as u64, "{established} flows were established, not {n}");
    }
    let mut unfed = Vec::new();
    let mut programs: Vec<(&str, Target, Vec<f64>)> = Vec::new();
    for name in ["null_xdp", "parse", "floor_lru", "null_tc"] {
        programs.push((name, rig.target(name)?, Vec::new()));
    }
    programs.extend(ours.into_iter().map(|(name, target)| (name, target, Vec::new())));
    let packets = rig.whole_laps(effort.packets);
    // The first round fills tables and caches, and is not counted.
    for round in 0..=effort.runs {
        unfed.push(rig.run_unfed(packets)?);
        for (name, target, times) in &mut programs {
            let before = sensor.counters()?;
            let rig = if name.starts_with("sensor") { &mut own } else { &mut rig };
            let nanos = rig.run(target, packets)?;
            if name.starts_with("sensor") {
                mix.check(&before, &sensor.counters()?, packets).with_context(|| format!("{name}, {}", mix.title()))?;
            }
            if round > 0 {
                times.push(nanos);
            }
        }
    }
    if let Mix::Flows(n) = mix {
        let (quiet, segments) = sensor.quiet_flows();
        ensure!(quiet == n, "{quiet} flows are quiet and established at the end, not {n}");
        let expected = sensor.counters()?.get(Counter::Segments);
        ensure!(segments == expected, "the flows have {segments} segments, not {expected}");
    }
    let mut cells = vec![Cell::new(&format!("{}, not fed", kernel::UNFED), unfed)];
    cells.extend(programs.into_iter().map(|(name, _, times)| Cell::new(name, times)));
    Ok(Column { title: mix.title(), cells })
}
