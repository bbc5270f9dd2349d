//! The binary for another architecture than this machine's: Debian's compiler with the standard library of Debian's own package
//! for that architecture, and a cross compiler for the two libraries in C. What was built is run by an emulator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::build_ebpf::toolchain;
use crate::privilege::Privilege;
use crate::workspace::{self, Workspace};
use crate::{packages, process};

/// The triple.
pub(super) const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The compiler and what it links with.
const PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];

/// Runs what was built; its library is of no use without the very compiler.
const EMULATOR: (&str, &str) = ("qemu-user-static", "qemu-aarch64-static");

/// The standard library, for the other architecture.
const LIBRARY: &str = "libstd-rust-web-dev";

/// What is needed cannot be had here.
#[derive(Debug)]
struct Missing;

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{TARGET} cannot be built here")
    }
}

/// Whether it failed for want of a compiler, and not of the sources.
pub(super) fn is_missing(error: &anyhow::Error) -> bool {
    error.is::<Missing>()
}

/// Builds the agent for it, with the C library linked in; says where.
pub(super) fn binary(workspace: &Workspace, release: bool) -> Result<PathBuf> {
    let sysroot = packages::ensure(&PACKAGES, Privilege::without_sudo()).and_then(|()| sysroot()).context(Missing)?;
    let mut cargo = toolchain::clean(toolchain::CARGO);
    // Another compiler's work, so a folder of its own.
    let target = workspace.target.join("aarch64");
    cargo.current_dir(&workspace.root).env("CARGO_TARGET_DIR", &target);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    let flags = format!("--sysroot={} -Ctarget-feature=+crt-static", sysroot.display());
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS", flags);
    // Nobody debugs a trial, and it is half the time.
    cargo.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
    cargo.args(["build", "--locked", "--package", "sensor", "--bin", "sensor", "--features", super::FEATURES]);
    cargo.args(["--target", TARGET]);
    if release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    Ok(target.join(TARGET).join(if release { "release" } else { "debug" }).join("sensor"))
}

/// What it says of real captures is what this machine's own says, byte for byte; a word if nothing here can run it.
pub(super) fn trial(workspace: &Workspace, own: &Path, other: &Path) -> Result<Option<String>> {
    let (package, emulator) = EMULATOR;
    if let Err(reason) = packages::ensure(&[package], Privilege::current()) {
        return Ok(Some(format!("{TARGET} was built and not run: {reason:#}")));
    }
    let version = process::read(Command::new(emulator).arg(other).arg("--version"))?;
    ensure!(version.starts_with("sensor "), "for {TARGET} it says {version:?}");
    for seed in ["seed1.pcap", "seed2.pcap", "seed3.pcap"] {
        let capture = workspace.root.join("tests/golden").join(seed);
        let told = |command: &mut Command| {
            let output = command.arg("replay").arg(&capture).args(["--output", "json", "--records"]).output()?;
            ensure!(output.status.success(), "it does not read {seed}: {}", String::from_utf8_lossy(&output.stderr));
            Ok((output.stdout, output.stderr))
        };
        let (here, there) = (told(&mut Command::new(own))?, told(Command::new(emulator).arg(other))?);
        ensure!(here == there && !here.0.is_empty(), "of {seed} {TARGET} says something else");
    }
    Ok(None)
}

/// A folder in which the compiler finds the library, kept for each version of it. The machine's own package lists stay as they are.
fn sysroot() -> Result<PathBuf> {
    let version = packages::version("rustc-web").context("rustc-web is not installed")?;
    let kept = workspace::cache()?.join("tools").join(format!("sysroot-arm64-{}", version.replace(['~', ':'], "-")));
    if kept.join("lib/rustlib").join(TARGET).exists() {
        return Ok(kept);
    }
    let folder = kept.with_extension("new");
    let _ = fs::remove_dir_all(&folder);
    for part in ["lists/partial", "archives/partial", "lib/rustlib", "unpacked"] {
        fs::create_dir_all(folder.join(part)).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let apt = || {
        let at = |part: &str| folder.join(part).display().to_string();
        let mut apt = Command::new("apt-get");
        for setting in [
            "APT::Architecture=arm64".to_owned(),
            "APT::Architectures::=arm64".to_owned(),
            // Its own user could not enter our folder.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
            format!("Dir::State::Lists={}", at("lists")),
            format!("Dir::Cache={}", folder.display()),
        ] {
            apt.arg("-o").arg(setting);
        }
        apt.current_dir(&folder);
        apt
    };
    eprintln!("fetching {LIBRARY} {version} for arm64");
    process::run(apt().args(["-qq", "update"]))?;
    process::run(apt().args(["-qq", "download", &format!("{LIBRARY}:arm64={version}")]))?;
    let debs = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let deb = debs.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "deb"));
    let deb = deb.context("nothing was downloaded")?;
    process::run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(folder.join("unpacked")))?;
    fs::rename(folder.join("unpacked/usr/lib/rustlib").join(TARGET), folder.join("lib/rustlib").join(TARGET))?;
    for rest in ["lists", "archives", "unpacked"] {
        fs::remove_dir_all(folder.join(rest))?;
    }
    fs::remove_file(deb)?;
    fs::rename(&folder, &kept)?;
    Ok(kept)
}
