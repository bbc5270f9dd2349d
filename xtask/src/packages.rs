//! The Debian packages a verb needs, installed when missing and possible.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::privilege::Privilege;
use crate::process;

/// What the tests and the demo call.
const FOR_TESTS: &[&str] = &["iproute2"];

/// What some tests call; they say so when it is not there.
pub(crate) const OPTIONAL: &[&str] = &["nftables", "ethtool", "tshark", "nmap", "libfaketime"];

/// What boots other kernels; without it that is left out.
pub(crate) const FOR_VM: &[&str] = &["qemu-system-x86"];

/// What builds the BPF object. Debian's compiler, because its packages carry the source of `core`, which a rustup
/// without network to its own servers cannot fetch.
pub(crate) const FOR_BPF: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "llvm-22", "llvm-22-dev"];

/// Lints the BPF crate; nothing else depends on it.
pub(crate) const FOR_BPF_LINT: &[&str] = &["rust-web-clippy"];

/// Installs what the tests and the demo call.
pub(crate) fn ensure_for_tests(privilege: Privilege) -> Result<()> {
    // Asked first, so that a system without Debian's packages will do.
    if process::succeeds(Command::new("ip").arg("-V")) {
        return Ok(());
    }
    ensure(FOR_TESTS, privilege)
}

/// Installs those of `packages` that are missing.
pub(crate) fn ensure(packages: &[&str], privilege: Privilege) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|package| version(package).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!(
            "missing {names}, and this system has no apt-get: use a Debian 12 machine or container. \
             `cargo xtask test --quick` takes the committed BPF object and needs only `ip`"
        );
    }
    if privilege == Privilege::None {
        bail!("missing {names}: run `apt-get install -y --no-install-recommends {names}` as root");
    }
    eprintln!("installing {names}");
    // The package lists of a container are often absent or old: update them only when the first attempt fails.
    if process::succeeds(&mut install(&missing, privilege)) {
        return Ok(());
    }
    let mut update = apt(privilege);
    process::run(update.args(["update", "-q"]))?;
    process::run(&mut install(&missing, privilege))
}

/// The installed version of a package.
pub(crate) fn version(package: &str) -> Option<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f=${db:Status-Status} ${Version}", package]);
    let answer = process::read(&mut query).ok()?;
    answer.strip_prefix("installed ").map(str::to_owned)
}

fn install(packages: &[&str], privilege: Privilege) -> Command {
    let mut command = apt(privilege);
    command.args(["install", "-y", "-q", "--no-install-recommends"]).args(packages);
    command
}

/// `apt-get`, unattended.
pub(crate) fn apt(privilege: Privilege) -> Command {
    let mut command = privilege.command("env");
    // Unattended: no questions, and another apt at work is waited for.
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-o", "DPkg::Lock::Timeout=300"]);
    command.stdin(Stdio::null());
    command
}
