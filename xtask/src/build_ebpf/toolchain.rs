//! The compiler and the linker of the BPF object, found or installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::privilege::Privilege;
use crate::workspace::{BPF_PACKAGE, Workspace};
use crate::{packages, process, workspace};

/// The target triple of the objects.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Where Debian puts the LLVM that its rustc was built with; the linker must speak the same bitcode.
pub(crate) const LLVM_PREFIX: &str = "/usr/lib/llvm-22";

/// The linter that belongs to the compiler.
pub(crate) const CLIPPY: &str = "/usr/bin/cargo-clippy";

/// Arguments of every nested cargo that compiles, after its verb.
pub(crate) const BUILD: &[&str] =
    &["--locked", "--package", BPF_PACKAGE, "--release", "--target", TARGET, "-Zbuild-std=core"];

/// Flags of every crate in the object.
pub(crate) const RUSTFLAGS: &[&str] = &[
    // 32-bit jumps and arithmetic: any kernel since 5.1.
    "-Ctarget-cpu=v3",
    "-Clink-arg=--btf",
    // Otherwise each zero-initialised struct is a call to a loop over bytes: a seventh of the whole program's time.
    "-Clink-arg=--disable-expand-memcpy-in-order",
];

/// The release profile of the objects, said here and not in Cargo.toml, where it would be the agent's too.
pub(crate) const PROFILE: &[(&str, &str)] = &[
    ("OPT_LEVEL", "3"),
    ("CODEGEN_UNITS", "1"),
    // BTF is made from DWARF.
    ("DEBUG", "2"),
    // bpf-linker optimises the whole program anyway.
    ("LTO", "off"),
    // Folders must not reach the object: it would differ from machine to machine.
    ("TRIM_PATHS", "all"),
];

const RUSTC: &str = "/usr/bin/rustc";
/// Its cargo.
pub(crate) const CARGO: &str = "/usr/bin/cargo";
const LINKER_CRATE: &str = "bpf-linker";
const LINKER_VERSION: &str = "0.13.0";

/// What cargo reads from the environment and a nested cargo should read too; all else of CARGO_* belongs to the outer
/// cargo or would change the object.
const KEPT: &[&str] = &["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_", "CARGO_TERM_"];

/// Tools that can make a BPF object, or at least check its source.
pub(crate) struct Toolchain {
    /// The compiler's version, exact to the package's revision.
    pub(crate) compiler: String,
    /// The linker's version and its LLVM's.
    pub(crate) linker: String,
    linker_path: PathBuf,
}

impl Toolchain {
    /// Finds the tools; installs them when something is missing and `privilege` allows.
    pub(crate) fn find(privilege: Privilege) -> Result<Self> {
        let toolchain = Self::without_linker(privilege)?;
        ensure_linker(&toolchain.linker_path)?;
        Ok(toolchain)
    }

    /// Finds what checks the source: building the linker takes most of the time, and only linking needs it.
    pub(crate) fn without_linker(privilege: Privilege) -> Result<Self> {
        packages::ensure(packages::FOR_BPF, privilege)?;
        let about = process::read(Command::new(RUSTC).arg("-vV"))?;
        let llvm = about.lines().find_map(|line| line.strip_prefix("LLVM version: ")).unwrap_or("unknown");
        let major = llvm.split('.').next().unwrap_or_default();
        if !LLVM_PREFIX.ends_with(&format!("-{major}")) {
            bail!(
                "{RUSTC} was built with LLVM {llvm}, but the linker would use {LLVM_PREFIX}: \
                 add Debian's security archive to the apt sources, then `apt-get install {}`",
                packages::FOR_BPF.join(" ")
            );
        }
        let release = about.lines().next().unwrap_or_default();
        let revision = |package| packages::version(package).unwrap_or_else(|| "unknown".to_owned());
        let llvm_revision = revision("llvm-22");
        Ok(Self {
            compiler: format!("{release}, LLVM {llvm}, Debian {}", revision("rustc-web")),
            linker: format!("{LINKER_CRATE} {LINKER_VERSION}, LLVM Debian {llvm_revision}"),
            linker_path: linker_path(&llvm_revision)?,
        })
    }

    /// A nested cargo with this compiler and linker. Its first argument is still to be given.
    pub(crate) fn cargo(&self, workspace: &Workspace) -> Command {
        self.nested(CARGO, workspace)
    }

    /// Clippy over the BPF crate.
    pub(crate) fn clippy(&self, workspace: &Workspace) -> Command {
        // Not through `cargo clippy`, which would find rustup's.
        let mut command = self.nested(CLIPPY, workspace);
        // The crates it depends on are linted for the machine's own target.
        command.arg("clippy").args(BUILD).args(["--no-deps", "--features", "bench"]);
        command
    }

    fn nested(&self, program: &str, workspace: &Workspace) -> Command {
        let mut command = clean(program);
        command.current_dir(&workspace.root);
        // A released compiler takes unstable flags only so; nothing outside this process sees it.
        command.env("RUSTC_BOOTSTRAP", "1").env("CARGO_UNSTABLE_TRIM_PATHS", "true");
        command.env("CARGO_INCREMENTAL", "0");
        command.env("CARGO_TARGET_DIR", target(workspace));
        command.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &self.linker_path);
        // Encoded, because it overrides every other source of flags, the user's own configuration included.
        command.env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\u{1f}"));
        command.envs(PROFILE.iter().map(|(key, value)| (format!("CARGO_PROFILE_RELEASE_{key}"), value)));
        command
    }
}

/// The folder that the nested cargo builds in: not ours, which is locked while we run.
pub(crate) fn target(workspace: &Workspace) -> PathBuf {
    workspace.target.join("bpf")
}

/// A program that sees nothing of the cargo and the toolchain that run us.
pub(crate) fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os() {
        let name = key.to_string_lossy();
        let ours = ["CARGO", "RUST", "LD_LIBRARY_PATH"].iter().any(|prefix| name.starts_with(prefix));
        if ours && !KEPT.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&key);
        }
    }
    // An empty wrapper switches off one that the user's configuration names.
    command.env("CARGO", CARGO).env("RUSTC", RUSTC).env("RUSTC_WRAPPER", "").env("RUSTC_WORKSPACE_WRAPPER", "");
    command
}

/// Where the linker is kept: outside the user's own cargo folder, one for each LLVM.
fn linker_path(llvm_revision: &str) -> Result<PathBuf> {
    // An epoch's colon would be the end of an entry in PATH.
    let llvm = llvm_revision.replace(':', "-");
    let folder = workspace::cache()?.join("tools").join(format!("{LINKER_CRATE}-{LINKER_VERSION}-llvm-{llvm}"));
    Ok(folder.join("bin").join(LINKER_CRATE))
}

/// Builds the linker if it is not there, or does not start.
fn ensure_linker(path: &Path) -> Result<()> {
    if process::succeeds(Command::new(path).arg("--version")) {
        return Ok(());
    }
    let folder = path.ancestors().nth(2).context("the linker has no folder")?;
    eprintln!("building {LINKER_CRATE} {LINKER_VERSION} into {}", folder.display());
    let mut install = clean(CARGO);
    install.args(["install", LINKER_CRATE, "--version", LINKER_VERSION, "--locked", "--force"]);
    install.args(["--no-default-features", "--features", "llvm-22", "--root"]).arg(folder);
    // Debug information would double the time.
    install.env("LLVM_PREFIX", LLVM_PREFIX).env("CARGO_PROFILE_RELEASE_DEBUG", "0");
    process::run(&mut install).with_context(|| format!("cannot build {LINKER_CRATE}: is crates.io within reach?"))
}
