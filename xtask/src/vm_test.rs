//! `cargo xtask vm-test`: the kernel program on kernels older than this machine's, each booted in qemu.

mod boot;
mod debian;
mod image;

use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::privilege::Privilege;
use crate::steps::Passed;
use crate::workspace::Workspace;
use crate::{packages, process};

/// A series of Debian's kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Series {
    /// Debian 11's: no coarse clock, no XDP on frames in several buffers, no tcx.
    #[value(name = "5.10")]
    Bullseye,
    /// Debian 12's: no tcx.
    #[value(name = "6.1")]
    Bookworm,
    /// Debian 13's.
    #[value(name = "6.12")]
    Trixie,
}

/// Said by the second of two sensors that pin.
const TOOK_OVER: &str = "took over from /sys/fs/bpf/sensor: the connections of before are known";

impl Series {
    /// What must be among the words of a machine that passed: the demonstration's finding, what the kernel lacks, and what then
    /// is the remedy.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Bullseye => &[
                "ALERT  ttl-rst-mismatch",
                "ingress by native XDP, egress by tc (clsact)",
                "no native XDP on frames in several buffers before Linux 5.18",
                "no coarse clock before Linux 5.11",
                "counts BPF memory as locked memory, and this process may lock too little: raise the limit",
                TOOK_OVER,
            ],
            Self::Bookworm => &["ALERT  ttl-rst-mismatch", "ingress by native XDP, egress by tc (clsact)", TOOK_OVER],
            Self::Trixie => &["ALERT  ttl-rst-mismatch", "ingress by native XDP, egress by tcx", TOOK_OVER],
        }
    }

    fn suite(self) -> &'static str {
        match self {
            Self::Bullseye => "bullseye",
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// Options of `cargo xtask vm-test`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Kernels to boot [default: all]
    kernels: Vec<Series>,
    /// Fetch the newest kernels of their series, also where some are kept from before
    #[arg(long)]
    fetch: bool,
}

/// Boots the kernels and runs the tests that the kernel matters to.
pub(crate) fn vm_test(workspace: &Workspace, options: &Options) -> Result<()> {
    packages::ensure(packages::FOR_VM, Privilege::without_sudo())?;
    let all = Series::value_variants();
    let series = if options.kernels.is_empty() { all } else { &options.kernels };
    let missing = run(workspace, series, options.fetch)?;
    if !missing.is_empty() {
        bail!("{}: see the words above", missing.join("; "));
    }
    Ok(())
}

/// The same as a step of `cargo xtask test`: what this machine cannot get is told and left out.
pub(crate) fn step(workspace: &Workspace) -> Result<Passed> {
    if !cfg!(target_arch = "x86_64") || !process::succeeds(std::process::Command::new(boot::QEMU).arg("--version")) {
        return Ok(Passed::With(format!("SKIPPED: no {} here, so no other kernel was tried", boot::QEMU)));
    }
    let missing = run(workspace, Series::value_variants(), false)?;
    Ok(if missing.is_empty() { Passed::Well } else { Passed::With(format!("SKIPPED: {}", missing.join("; "))) })
}

/// Returns a word for each kernel that could not be had; an error if one that was booted failed.
fn run(workspace: &Workspace, series: &[Series], fetch: bool) -> Result<Vec<String>> {
    let programs = image::programs(workspace)?;
    let (mut missing, mut kernels) = (Vec::new(), Vec::new());
    for &series in series {
        match debian::kernel(series.suite(), fetch) {
            Ok(kernel) => kernels.push((series, kernel)),
            Err(error) => {
                let word = format!("no kernel of {} to be had ({error:#})", series.suite());
                eprintln!("{word}");
                missing.push(word);
            }
        }
    }
    // At the same time: an emulated machine has one CPU, and mostly this one has more.
    let failed: Vec<String> = thread::scope(|scope| {
        let boots: Vec<_> = kernels.iter().map(|boot| (scope.spawn(|| try_on(boot, &programs)), &boot.1)).collect();
        let failed = |boot: ScopedJoinHandle<'_, bool>| !boot.join().unwrap_or(false);
        boots.into_iter().filter_map(|(boot, kernel)| failed(boot).then(|| kernel.version.clone())).collect()
    });
    if !failed.is_empty() {
        bail!("failed on Linux {}; what the machine said is above", failed.join(", "));
    }
    Ok(missing)
}

/// Boots one kernel and says how it went; whether it went well.
fn try_on((series, kernel): &(Series, debian::Kernel), programs: &image::Programs) -> bool {
    let start = Instant::now();
    let verdict =
        image::build(*series, kernel, programs).and_then(|image| boot::boot(kernel, image.path(), series.words()));
    let word = verdict.as_ref().map_or_else(|error| format!("FAILED: {error:#}"), |()| "passed".to_owned());
    eprintln!("Linux {}: {word}, {:.0} s", kernel.version, start.elapsed().as_secs_f64());
    verdict.is_ok()
}
