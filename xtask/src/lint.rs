//! `cargo xtask lint`: formatting, clippy on both targets, tidy.

use anyhow::{Context, Result};

use crate::build_ebpf::toolchain::{CLIPPY, Toolchain};
use crate::privilege::Privilege;
use crate::steps::{Passed, Steps};
use crate::workspace::{BPF_PACKAGE, Workspace};
use crate::{dist, process, tidy};

/// Runs the lint steps by themselves.
pub(crate) fn lint(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    add(&mut steps, workspace);
    steps.finish()
}

/// Runs the lint steps as part of a longer list.
pub(crate) fn add(steps: &mut Steps, workspace: &Workspace) {
    steps.run("format", || format(workspace));
    steps.run("clippy", || clippy(workspace, &[]));
    steps.run("clippy, all features", || clippy(workspace, &["--features", dist::FEATURES]));
    steps.run("clippy, BPF target", || clippy_bpf(workspace));
    steps.run("tidy", || tidy::tidy(workspace).map(|()| Passed::Well));
}

fn format(workspace: &Workspace) -> Result<Passed> {
    component(workspace, "fmt", "rustfmt")?;
    process::run(workspace.cargo().args(["fmt", "--all", "--check"])).context("repair it with `cargo fmt --all`")?;
    Ok(Passed::Well)
}

fn clippy(workspace: &Workspace, features: &[&str]) -> Result<Passed> {
    component(workspace, "clippy", "clippy")?;
    let mut command = workspace.cargo();
    // The BPF crate has no entry point for this machine's target.
    command.args(["clippy", "--locked", "--workspace", "--exclude", BPF_PACKAGE, "--all-targets"]);
    process::run(command.args(features).args(["--", "-D", "warnings"]))?;
    Ok(Passed::Well)
}

fn clippy_bpf(workspace: &Workspace) -> Result<Passed> {
    if !std::path::Path::new(CLIPPY).exists() {
        return Ok(Passed::With("skipped, there is no BPF clippy (package rust-web-clippy)".to_owned()));
    }
    let toolchain = match Toolchain::without_linker(Privilege::None) {
        Ok(toolchain) => toolchain,
        Err(reason) => return Ok(Passed::With(format!("skipped, {reason:#}"))),
    };
    process::run(toolchain.clippy(workspace).args(["--", "-D", "warnings"]))?;
    Ok(Passed::Well)
}

/// A minimal rustup profile lacks both components.
fn component(workspace: &Workspace, verb: &str, name: &str) -> Result<()> {
    if process::succeeds(workspace.cargo().args([verb, "--version"])) {
        return Ok(());
    }
    let mut rustup = std::process::Command::new("rustup");
    process::run(rustup.args(["component", "add", name]))
        .with_context(|| format!("cargo {verb} is missing: install the rustup component {name}"))
}
