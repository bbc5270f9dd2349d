//! The build language: every way to build, check and run this workspace is a verb here.
//!
//! `cargo xtask test` is the one that matters: it sets up what it needs and passes everything.

mod bench;
mod build_ebpf;
mod demo;
mod deny;
mod disasm;
mod dist;
mod kubernetes;
mod lint;
mod packages;
mod privilege;
mod process;
mod prometheus;
mod soak;
mod steps;
mod test;
mod tidy;
mod vm_test;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Builds, checks and runs sensor.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Sets up the machine, then passes formatting, lints, tidy, the BPF object and all tests
    Test {
        /// Leave the BPF object as committed: needs no BPF toolchain
        #[arg(long)]
        quick: bool,
    },
    /// Builds the kernel program into sensor-ebpf/object
    BuildEbpf {
        /// Build aside and compare with the committed objects instead of replacing them
        #[arg(long)]
        check: bool,
    },
    /// Checks formatting, clippy and tidy
    Lint,
    /// Checks the rules of the repository that no compiler knows
    Tidy,
    /// Builds sensor and runs `sensor demo`
    Demo {
        /// Arguments for `sensor demo`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Measures nanoseconds a packet of the kernel programs and of the engine on the host; needs root
    Bench(bench::Options),
    /// Has a sensor live through everything at once, for minutes, and measures what it loses and how it grows; needs root
    Soak(soak::Options),
    /// Makes what an operator installs, in target/dist: static binary, completions, manual pages, Debian package
    Dist {
        /// From a debug build, then installed and tried, as `test` does
        #[arg(long)]
        check: bool,
        /// For another architecture than this machine's; needs Debian's cross compiler, which root gets installed
        #[arg(long, value_enum, value_name = "ARCH")]
        target: Option<dist::Arch>,
    },
    /// Checks licences, sources and advisories of all dependencies, by cargo-deny and deny.toml
    Deny,
    /// Boots Debian's kernels in qemu and runs there what the kernel matters to
    VmTest(vm_test::Options),
    /// Prints the disassembly of a committed object
    Disasm {
        /// The object's name without `.bpf.o`
        #[arg(default_value = "sensor")]
        object: String,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `{:#}` is the chain of causes on one line; nobody is helped by a backtrace.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> Result<()> {
    let workspace = Workspace::find()?;
    match verb {
        Verb::Test { quick } => test::test(&workspace, quick),
        Verb::BuildEbpf { check: false } => build_ebpf::replace(&workspace),
        Verb::BuildEbpf { check: true } => build_ebpf::check(&workspace).map(drop),
        Verb::Lint => lint::lint(&workspace),
        Verb::Tidy => tidy::tidy(&workspace),
        Verb::Demo { args } => demo::demo(&workspace, &args),
        Verb::Bench(options) => bench::bench(&workspace, &options),
        Verb::Soak(options) => soak::soak(&workspace, &options),
        Verb::Dist { check: false, target } => dist::dist(&workspace, target),
        Verb::Dist { check: true, target } => dist::check(&workspace, target),
        Verb::Deny => deny::deny(&workspace),
        Verb::VmTest(options) => vm_test::vm_test(&workspace, &options),
        Verb::Disasm { object } => disasm::disasm(&workspace, &object),
    }
}
