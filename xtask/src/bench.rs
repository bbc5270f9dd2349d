//! `cargo xtask bench`: what a packet costs in the kernel programs and in the engine on the host, beside programs that do the
//! least. All of one column is measured in turn, run after run, so that ratios hold where absolute figures drift.

mod column;
mod count;
mod cpu;
mod drain;
mod duo;
mod host;
mod kernel;
mod limits;
mod live;
mod machine;
mod mapping;
mod mix;
#[path = "../../sensor-ebpf/src/bench/recipe.rs"]
mod recipe;
mod report;
mod sensor;
mod stack;
mod traffic;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::privilege::Privilege;
use crate::workspace::Workspace;
use crate::{build_ebpf, dist, process};
use mix::Mix;
use report::Report;

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
    #[arg(long, conflicts_with_all = ["only", "quick", "flows", "fine"])]
    write: bool,
    /// Numbers of flows, instead of the usual ones
    #[arg(long, value_name = "N", value_delimiter = ',')]
    flows: Vec<usize>,
    /// Have the sensor take the fine clock for every packet, to see what the coarse one saves
    #[arg(long)]
    fine: bool,
    /// Only these parts
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// Only count instructions and cache lines along the hot paths, which needs neither root nor a quiet machine, and compare them
    /// with the committed ones; with --write renews those
    #[arg(long, conflicts_with_all = ["quick", "flows", "fine", "only", "compare"])]
    count: bool,
}

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Established conversations
    Flows,
    /// The same behind a VLAN tag, and in IPv6
    Headers,
    /// Connections made and closed
    Churn,
    /// One frame in a hundred is a forged reset
    Forged,
    /// Frames that are not TCP
    Other,
    /// A SYN flood
    Flood,
    /// Two CPUs at once
    Cpus,
    /// The engine on the host
    Host,
    /// Over veths in namespaces of our own, through the agent, and `sensor replay`
    Live,
}

/// Bytes of the ring, which stays empty but for forged resets and connections that gave way.
const RING: u32 = 1 << 22;

/// How much to measure.
struct Effort {
    runs: usize,
    packets: u32,
    /// The sensor takes the fine clock for every packet.
    fine: bool,
    cpus: Vec<usize>,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn flows(&self) -> Vec<usize> {
        match (self.flows.as_slice(), self.quick) {
            ([], true) => vec![1, 1_000, 100_000],
            ([], false) => vec![1, 1_000, 100_000, 1_000_000],
            (flows, _) => flows.to_vec(),
        }
    }

    fn mixes(&self) -> Vec<Mix> {
        let flows = self.flows().into_iter().map(|n| (Part::Flows, Mix::Flows(n)));
        let others = [
            (Part::Headers, Mix::Vlan),
            (Part::Headers, Mix::Ipv6),
            (Part::Churn, Mix::Churn),
            (Part::Forged, Mix::Struck),
            (Part::Other, Mix::Other),
            (Part::Flood, Mix::Flood),
        ];
        flows.chain(others).filter(|(part, _)| self.wants(*part)).map(|(_, mix)| mix).collect()
    }
}

/// Measures, prints and stores.
pub(crate) fn bench(workspace: &Workspace, options: &Options) -> Result<()> {
    let sensor = match std::env::var_os(crate::test::OBJECT_VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => workspace.objects().join("sensor.bpf.o"),
    };
    if options.count {
        return count_only(workspace, &sensor, options.write);
    }
    if Privilege::without_sudo() != Privilege::Root {
        bail!("the benchmark loads programs into the kernel: run it as root");
    }
    if cfg!(debug_assertions) {
        return again_in_release(workspace);
    }
    let bench = build_ebpf::bench(workspace)?;
    let old = options.compare.as_deref().map(Report::read).transpose()?;
    let (runs, packets) = if options.quick { (3, 300_000) } else { (5, 2_000_000) };
    let effort = Effort { runs, packets, fine: options.fine, cpus: cpu::allowed()? };
    cpu::pin(*effort.cpus.first().context("no CPU to run on")?)?;
    let mut report = Report::new(effort.packets, effort.runs);
    report.counts = count::paths(&sensor)?;
    let left_out = measure(workspace, options, (&bench, &sensor), &effort, &mut report)?;
    let tables = report.tables();
    println!("{tables}");
    if let Some(old) = old {
        println!("{}", report.change_since(&old));
    }
    let latest = workspace.target.join("bench/latest.json");
    report.write(&latest)?;
    eprintln!("stored in {}", latest.display());
    ensure!(left_out.is_empty(), "left out: {}; the reasons are above", left_out.join(", "));
    if options.write { report::into_document(&workspace.root.join("docs/performance.md"), &tables) } else { Ok(()) }
}

/// Measures all that is wanted. A column whose check fails costs no other: the titles of those that are left out.
fn measure(
    workspace: &Workspace,
    options: &Options,
    (bench, sensor): (&Path, &Path),
    effort: &Effort,
    report: &mut Report,
) -> Result<Vec<String>> {
    let mut left_out = Vec::new();
    if options.wants(Part::Live) {
        report.live = Some(live::measure(workspace, bench, sensor, effort)?);
    }
    for mix in options.mixes() {
        eprintln!("{}", mix.title());
        match column::measure(bench, sensor, mix, effort, &mut report.programs) {
            Ok(column) => report.columns.push(column),
            Err(reason) => {
                eprintln!("left out: {reason:#}");
                left_out.push(mix.title());
            }
        }
    }
    if options.wants(Part::Cpus) && effort.cpus.len() < 2 {
        eprintln!("two CPUs: left out, there is one");
    } else if options.wants(Part::Cpus) {
        // A million flows are a matter of memory more than of CPUs.
        for n in options.flows().into_iter().filter(|n| *n <= 100_000) {
            eprintln!("two CPUs, {}", mix::flows(n));
            report.duos.extend(duo::measure(bench, sensor, n, effort)?);
        }
    }
    if options.wants(Part::Host) {
        for n in options.flows() {
            eprintln!("host engine, {}", mix::flows(n));
            report.engine.push(host::measure(n, &mix::config(n, false), effort.runs, effort.packets as usize / 2)?);
        }
    }
    Ok(left_out)
}

/// Counts, prints, and compares with the committed counts or renews them.
fn count_only(workspace: &Workspace, object: &Path, write: bool) -> Result<()> {
    let counts = count::paths(object)?;
    println!("{}", report::counts(&counts));
    let path = workspace.root.join(count::FILE);
    if write {
        return std::fs::write(&path, count::text(&counts)).with_context(|| format!("cannot write {}", path.display()));
    }
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    count::hold(&counts, &text)
}

/// The same verb in a release build: the engine on the host is part of what is measured.
fn again_in_release(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo
        // With the features that the agent is built with later, so that its library is compiled once.
        .args(["run", "--quiet", "--locked", "--release", "--package", "xtask", "--features", dist::FEATURES, "--"])
        .args(std::env::args_os().skip(1));
    // A path on the command line means the folder that we were started in.
    cargo.current_dir(std::env::current_dir()?);
    process::run(&mut cargo)
}
