//! `cargo xtask test`: from a clean checkout to a verdict, set-up included.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::build_ebpf::{self, Checked};
use crate::privilege::Privilege;
use crate::steps::{Passed, Steps};
use crate::workspace::Workspace;
use crate::{deny, dist, kubernetes, lint, packages, process, prometheus, vm_test};

/// Names the BPF object that the tests load instead of the committed one.
pub(crate) const OBJECT_VARIABLE: &str = "SENSOR_BPF_OBJECT";

/// Sets up, checks and tests everything; `quick` leaves the BPF object as committed.
pub(crate) fn test(workspace: &Workspace, quick: bool) -> Result<()> {
    let privilege = Privilege::current();
    let mut steps = Steps::default();
    if !steps.run("preflight", || preflight(privilege, quick)) {
        // Each step after it would fail for the same reason.
        return steps.finish();
    }
    lint::add(&mut steps, workspace);
    steps.run("dependencies", || deny::step(workspace));
    let mut fresh = None;
    if !quick {
        steps.run("BPF object", || {
            Ok(match build_ebpf::check(workspace)? {
                Checked::Same => Passed::Well,
                Checked::OtherTools(object) => {
                    fresh = Some(object);
                    Passed::With("other tools than the committed object's: both are tested".to_owned())
                }
            })
        });
    }
    // Some tests would use them, and say so when they are not there.
    let mut tools = Vec::new();
    let mut tool = |name: &str, variable, what: &str, ensure: fn(Privilege) -> Result<PathBuf>| {
        steps.run(name, || match ensure(privilege) {
            Ok(folder) => {
                tools.push((variable, folder));
                Ok(Passed::Well)
            }
            Err(reason) => Ok(Passed::With(format!("SKIPPED, {what} are not tried: {reason:#}"))),
        });
    };
    tool("Prometheus", prometheus::VARIABLE, "metrics and alerting rules", prometheus::ensure);
    tool("kubectl and helm", kubernetes::VARIABLE, "manifests", kubernetes::ensure);
    steps.run("tests", || tests(workspace, privilege, None, &tools));
    if let Some(object) = fresh {
        steps.run("tests, fresh BPF object", || tests(workspace, privilege, Some(&object), &tools));
    }
    steps.run("packages", || dist::step(workspace));
    steps.run("other kernels", || vm_test::step(workspace));
    steps.finish()
}

fn preflight(privilege: Privilege, quick: bool) -> Result<Passed> {
    if privilege == Privilege::None {
        bail!("the tests load programs into the kernel and make network namespaces: run as root, or install sudo");
    }
    packages::ensure_for_tests(privilege)?;
    let mut optional = [packages::OPTIONAL, packages::FOR_VM].concat();
    if !quick {
        packages::ensure(packages::FOR_BPF, privilege)?;
        optional.extend(packages::FOR_BPF_LINT);
    }
    // Together is faster, but one unknown name would refuse them all.
    let refused: Vec<&str> = match packages::ensure(&optional, privilege) {
        Ok(()) => Vec::new(),
        Err(_) => optional.into_iter().filter(|package| packages::ensure(&[package], privilege).is_err()).collect(),
    };
    if refused.is_empty() {
        return Ok(Passed::Well);
    }
    Ok(Passed::With(format!("without {}, which some checks would use", refused.join(" "))))
}

fn tests(
    workspace: &Workspace,
    privilege: Privilege,
    object: Option<&Path>,
    tools: &[(&str, PathBuf)],
) -> Result<Passed> {
    let mut command = workspace.cargo();
    // The default members: all but the BPF crate, which has no tests of its own.
    // With the feature that packages and image have.
    command.args(["test", "--locked", "--no-fail-fast", "--features", dist::FEATURES]);
    if let Some(object) = object {
        command.env(OBJECT_VARIABLE, object);
    }
    command.envs(tools.iter().map(|(variable, folder)| (variable, folder)));
    if let Some(runner) = privilege.runner() {
        command.args(["--config", &format!("target.'cfg(unix)'.runner = '{runner}'")]);
    }
    process::run(&mut command)?;
    Ok(Passed::Well)
}
