//! `cargo xtask dist`: what an operator installs, into `target/dist`: a static binary, its bill of materials, completions, manual
//! pages, a Debian package.

mod image;
mod sbom;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
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

/// Makes everything, in release.
pub(crate) fn dist(workspace: &Workspace) -> Result<()> {
    let folder = parts(workspace, true)?;
    let deb = package(workspace, &folder, &packager()?)?;
    eprintln!("{} and {}", folder.display(), deb.display());
    Ok(())
}

/// Makes everything from a debug build, and tries it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    if let Passed::With(word) = step(workspace)? {
        eprintln!("{word}");
    }
    Ok(())
}

/// The same as a step of `cargo xtask test`, from a debug build because that takes a third of the time; then installs and runs it.
pub(crate) fn step(workspace: &Workspace) -> Result<Passed> {
    let folder = parts(workspace, false)?;
    trial::alone(&folder.join("sensor"))?;
    let mut words = Vec::new();
    if !trial::units(workspace, &folder.join("sensor"))? {
        words.push("no systemd-analyze, so the units were not verified".to_owned());
    }
    words.extend(image::trial(workspace, &folder.join("sensor"))?);
    match packager() {
        Ok(packager) => trial::package(&package(workspace, &folder, &packager)?)?,
        Err(error) => words.push(format!("no Debian package: {error:#}")),
    }
    Ok(if words.is_empty() { Passed::Well } else { Passed::With(format!("SKIPPED: {}", words.join("; "))) })
}

/// Everything but the package.
fn parts(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    // Whatever cargo's target directory is: the package's metadata names this one.
    let folder = workspace.root.join("target/dist");
    let _ = fs::remove_dir_all(&folder);
    for part in ["completions", "man"] {
        fs::create_dir_all(folder.join(part)).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    binary(workspace, release, &target, &folder.join("sensor"))?;
    fs::write(folder.join("sensor.cdx.json"), sbom::document(workspace, &target)?)?;
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
fn binary(workspace: &Workspace, release: bool, target: &str, to: &Path) -> Result<()> {
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
    let built = workspace.target.join(target).join(if release { "release" } else { "debug" }).join("sensor");
    process::run(Command::new("strip").arg("-o").args([to, &built])).context("install binutils")
}

/// Makes the Debian package of the parts.
fn package(workspace: &Workspace, folder: &Path, packager: &Path) -> Result<PathBuf> {
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
    process::run(command.arg(&deb))?;
    Ok(deb)
}

/// The packager, installed beside the other tools if it is not there.
fn packager() -> Result<PathBuf> {
    let (name, version) = PACKAGER;
    let folder = workspace::cache()?.join("tools").join(format!("{name}-{version}"));
    let path = folder.join("bin").join(name);
    if process::succeeds(Command::new(&path).arg("--version")) {
        return Ok(path);
    }
    eprintln!("building {name} {version} into {}", folder.display());
    let mut install = Command::new("cargo");
    install.args(["install", name, "--version", version, "--locked", "--debug", "--root"]).arg(&folder);
    install.env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("CARGO_TARGET_DIR");
    process::run(&mut install).with_context(|| format!("{name} cannot be built: is crates.io within reach?"))?;
    if !path.exists() {
        bail!("{} is not where it was installed", path.display());
    }
    Ok(path)
}
