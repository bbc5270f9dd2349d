//! `cargo xtask soak`: the test of everything at once, for longer than continuous integration has time.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::privilege::Privilege;
use crate::workspace::Workspace;
use crate::{dist, packages, process};

/// Names the minutes to the test.
const VARIABLE: &str = "SENSOR_SOAK_MINUTES";

/// How long.
#[derive(Args)]
pub(crate) struct Options {
    /// For so many minutes; from 10 on memory is judged, too
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    minutes: u32,
}

/// Runs it; it prints a table, and fails if something is lost or grows.
pub(crate) fn soak(workspace: &Workspace, options: &Options) -> Result<()> {
    let privilege = Privilege::current();
    if privilege == Privilege::None {
        bail!("the soak loads programs into the kernel and makes network namespaces: run it as root, or install sudo");
    }
    packages::ensure_for_tests(privilege)?;
    let mut command = workspace.cargo();
    command.args(["test", "--locked", "--package", "sensor", "--features", dist::FEATURES]);
    if let Some(runner) = privilege.runner() {
        command.args(["--config", &format!("target.'cfg(unix)'.runner = '{runner}'")]);
    }
    command.args(["--test", "attach", "--", "soak::", "--nocapture"]).env(VARIABLE, options.minutes.to_string());
    process::run(&mut command).context("the soak did not succeed")
}
