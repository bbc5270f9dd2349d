//! `cargo xtask dist`: what an operator installs, into `target/dist`: a static binary, its bill of materials, completions, manual
//! pages, a Debian package.

mod boot;
mod cross;
mod image;
mod sbom;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use sensor::cli::Cli;

use crate::process;
use crate::steps::Passed;
use crate::workspace::{self, Workspace};

/// What the packages' binary has beside what a build has by itself.
pub(crate) const FEATURES: &str = "sensor/k8s";

/// Makes the Debian package, by the metadata in `sensor/Cargo.toml`.
const PACKAGER: (&str, &str) = ("cargo-deb", "3.8.0");

/// What it is made for, if not for this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    /// 64-bit ARM.
    Aarch64,
}

/// Makes everything, in release.
pub(crate) fn dist(workspace: &Workspace, arch: Option<Arch>) -> Result<()> {
    let folder = parts(workspace, true, arch)?;
    let deb = package(workspace, &folder, &packager()?, arch)?;
    eprintln!("{} and {}", folder.display(), deb.display());
    Ok(())
}

/// Makes everything from a debug build, and tries it.
pub(crate) fn check(workspace: &Workspace, arch: Option<Arch>) -> Result<()> {
    let passed = match arch {
        None => step(workspace)?,
        Some(Arch::Aarch64) => cross_step(workspace)?,
    };
    if let Passed::With(word) = passed {
        eprintln!("{word}");
    }
    Ok(())
}

/// The same as a step of `cargo xtask test`, from a debug build because that takes a third of the time; then installs and runs it.
pub(crate) fn step(workspace: &Workspace) -> Result<Passed> {
    let folder = parts(workspace, false, None)?;
    trial::alone(&folder.join("sensor"))?;
    let mut words = Vec::new();
    if !trial::units(workspace, &folder.join("sensor"))? {
        words.push("no systemd-analyze, so the units were not verified".to_owned());
    }
    words.extend(boot::trial(workspace, &folder.join("sensor"))?);
    words.extend(image::trial(workspace, &folder.join("sensor"))?);
    match packager() {
        Ok(packager) => trial::package(&package(workspace, &folder, &packager, None)?)?,
        Err(error) => words.push(format!("no Debian package: {error:#}")),
    }
    Ok(if words.is_empty() { Passed::Well } else { Passed::With(format!("SKIPPED: {}", words.join("; "))) })
}

/// The binary for another architecture: built, and run by an emulator beside this one's, which is built first.
fn cross_step(workspace: &Workspace) -> Result<Passed> {
    let own = parts(workspace, false, None)?.join("sensor");
    let other = match cross::binary(workspace, false) {
        Ok(other) => other,
        Err(reason) if cross::is_missing(&reason) => return Ok(Passed::With(format!("SKIPPED: {reason:#}"))),
        Err(reason) => return Err(reason),
    };
    let word = cross::trial(workspace, &own, &other)?;
    Ok(word.map_or(Passed::Well, Passed::With))
}

/// Everything but the package.
fn parts(workspace: &Workspace, release: bool, arch: Option<Arch>) -> Result<PathBuf> {
    // Whatever cargo's target directory is: the package's metadata names this one.
    let folder = workspace.root.join("target/dist");
    let _ = fs::remove_dir_all(&folder);
    for part in ["completions", "man"] {
        fs::create_dir_all(folder.join(part)).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let own = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let (target, built, strip) = match arch {
        Some(Arch::Aarch64) => (cross::TARGET, cross::binary(workspace, release)?, "aarch64-linux-gnu-strip"),
        None => (&*own, binary(workspace, release, &own)?, "strip"),
    };
    process::run(Command::new(strip).arg("-o").args([&folder.join("sensor"), &built])).context("install binutils")?;
    fs::write(folder.join("sensor.cdx.json"), sbom::document(workspace, target)?)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let path = clap_complete::generate_to(shell, &mut Cli::command(), "sensor", folder.join("completions"))?;
        // Named as the package installs it.
        if shell == Shell::Bash {
            fs::rename(path, folder.join("completions/sensor.bash"))?;
        }
    }
    clap_mangen::generate_to(Cli::command(), folder.join("man"))?;
    Ok(folder)
}

/// Builds the agent with the C library linked in, so that it runs on any distribution, and in a container of nothing else.
fn binary(workspace: &Workspace, release: bool, target: &str) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args([
        "build",
        "--locked",
        "--package",
        "sensor",
        "--bin",
        "sensor",
        "--features",
        FEATURES,
        "--target",
        target,
    ]);
    cargo.args(["--config", &format!("target.{target}.rustflags = ['-Ctarget-feature=+crt-static']")]);
    if release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    Ok(workspace.target.join(target).join(if release { "release" } else { "debug" }).join("sensor"))
}

/// Makes the Debian package of the parts.
fn package(workspace: &Workspace, folder: &Path, packager: &Path, arch: Option<Arch>) -> Result<PathBuf> {
    let deb = folder.join("sensor.deb");
    let mut command = Command::new(packager);
    command.current_dir(&workspace.root).args([
        "--locked",
        "--package",
        "sensor",
        "--no-build",
        "--no-strip",
        "--quiet",
        "--output",
    ]);
    command.arg(&deb);
    if arch == Some(Arch::Aarch64) {
        command.args(["--target", cross::TARGET]);
    }
    process::run(&mut command)?;
    Ok(deb)
}

/// The packager, installed beside the other tools if it is not there.
fn packager() -> Result<PathBuf> {
    let (name, version) = PACKAGER;
    workspace::tool(name, version)
}
