//! What was made is tried as an operator has it: alone in a root of its own, installed by dpkg, read by systemd.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::privilege::Privilege;
use crate::process;
use crate::workspace::Workspace;

/// What a package must hold.
const INSTALLED: &[&str] = &[
    "etc/default/sensor",
    "usr/bin/sensor",
    "usr/lib/systemd/system/sensor.service",
    "usr/lib/systemd/system/sensor@.service",
    "usr/share/doc/sensor/sensor.cdx.json",
    "usr/share/bash-completion/completions/sensor",
    "usr/share/fish/vendor_completions.d/sensor.fish",
    "usr/share/man/man1/sensor-attach.1.gz",
    "usr/share/man/man1/sensor.1.gz",
    "usr/share/zsh/vendor-completions/_sensor",
];

/// What a container made from scratch gives a program, and it is given here: an empty root with the kernel's file systems, and a
/// network of its own.
const CONTAINED: &str = "mount -t proc proc $0/proc && mount -t sysfs sys $0/sys && mount --bind /dev $0/dev \
    && exec chroot $0 /sensor attach --interface lo --duration 1";

/// The binary runs in a root that holds nothing else: as nobody where it needs no privilege, and attaches.
pub(super) fn alone(binary: &Path) -> Result<()> {
    let root = tempfile::tempdir().context("no folder for temporary files")?;
    fs::copy(binary, root.path().join("sensor"))?;
    for folder in ["proc", "sys", "dev"] {
        fs::create_dir(root.path().join(folder))?;
    }
    let mut command = Privilege::current().command("chroot");
    command.arg("--userspec=65534:65534").arg(root.path()).args(["/sensor", "explain", "ttl-rst-mismatch"]);
    let told = process::read(&mut command).context("the binary needs more than itself")?;
    ensure!(told.contains("ttl-rst-mismatch"), "it says something else: {told}");
    let mut command = Privilege::current().command("unshare");
    // Mounts go with their namespace, before the folder does.
    command.args(["--net", "--mount", "--", "sh", "-c", CONTAINED]).arg(root.path());
    let told = process::read(&mut command).context("the binary does not attach from an empty root")?;
    ensure!(told.contains("0 findings"), "it says something else: {told}");
    Ok(())
}

/// A root that is removed with what root left in it.
struct Root(TempDir);

impl Root {
    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = Privilege::current().command("rm").arg("-rf").arg(self.path()).status();
    }
}

/// dpkg installs the package into a root of its own, where it works and from where it goes again.
pub(super) fn package(deb: &Path) -> Result<()> {
    let root = Root(tempfile::tempdir().context("no folder for temporary files")?);
    let state = root.path().join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(state.join(folder))?;
    }
    for file in ["status", "available"] {
        fs::write(state.join(file), "")?;
    }
    let dpkg = || {
        let mut command = Privilege::current().command("dpkg");
        command.arg("--root").arg(root.path()).arg("--log=/dev/null");
        command
    };
    process::read(dpkg().arg("--install").arg(deb))?;
    for file in INSTALLED {
        ensure!(root.path().join(file).exists(), "the package does not install /{file}");
    }
    let version = process::read(Command::new(root.path().join("usr/bin/sensor")).arg("--version"))?;
    ensure!(version == format!("sensor {}", env!("CARGO_PKG_VERSION")), "another version: {version}");
    process::read(dpkg().args(["--purge", "sensor"]))?;
    for file in INSTALLED {
        ensure!(!root.path().join(file).exists(), "/{file} is left behind");
    }
    Ok(())
}

/// systemd understands the units; `false` where it is not installed.
pub(super) fn units(workspace: &Workspace, binary: &Path) -> Result<bool> {
    if !process::succeeds(Command::new("systemd-analyze").arg("--version")) {
        return Ok(false);
    }
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]);
    for (unit, name) in [("sensor.service", "sensor.service"), ("sensor@.service", "sensor@eth0.service")] {
        let text = fs::read_to_string(workspace.root.join("deploy/systemd").join(unit))?;
        // It insists that what it starts is there.
        let text = text.replace("/usr/bin/sensor", &binary.display().to_string());
        let path = folder.path().join(name);
        fs::write(&path, text)?;
        verify.arg(path);
    }
    let output = verify.output().context("systemd-analyze cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // It complains about what it does not know, and succeeds nevertheless; of other units too.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("sensor")).collect();
    ensure!(output.status.success() && ours.is_empty(), "systemd does not understand the units: {said}");
    Ok(true)
}
