//! `cargo xtask demo`: the whole sensor, built and shown.

use std::ffi::OsString;

use anyhow::{Context, Result, bail};

use crate::privilege::Privilege;
use crate::workspace::Workspace;
use crate::{packages, process};

/// Builds sensor in release and runs `sensor demo`.
pub(crate) fn demo(workspace: &Workspace, args: &[OsString]) -> Result<()> {
    let privilege = Privilege::current();
    if privilege == Privilege::None {
        bail!("the demo loads programs into the kernel and makes network namespaces: run it as root, or install sudo");
    }
    packages::ensure_for_tests(privilege)?;
    process::run(workspace.cargo().args(["build", "--locked", "--release", "--package", "sensor", "--bin", "sensor"]))?;
    let sensor = workspace.target.join("release/sensor");
    process::run(privilege.command(sensor).arg("demo").args(args)).context("the demo did not succeed")
}
