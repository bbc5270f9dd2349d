//! Prometheus and its promtool, for the tests of metrics and rules. Debian's package is unpacked beside other tools and not
//! installed: installing it would start a server on this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;
use crate::privilege::Privilege;
use crate::process;
use crate::workspace;

/// Names the folder of both programs to the tests.
pub(crate) const VARIABLE: &str = "SENSOR_PROMETHEUS";

const PACKAGE: &str = "prometheus";

/// The folder of `prometheus` and `promtool`, fetched if it is not there.
pub(crate) fn ensure(privilege: Privilege) -> Result<PathBuf> {
    let folder = workspace::cache()?.join("tools").join(PACKAGE);
    let programs = folder.join("usr/bin");
    if works(&programs) {
        return Ok(programs);
    }
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("no {PACKAGE}: this system has no apt-get to fetch it with");
    }
    eprintln!("fetching {PACKAGE}, to be unpacked in {}", folder.display());
    // What an earlier attempt left.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if !process::succeeds(&mut download(&folder)) {
        // The package lists of a container are often absent or old.
        process::run(packages::apt(privilege).args(["update", "-q"]))?;
        process::run(&mut download(&folder))?;
    }
    let packages = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let package = packages.filter(|path| path.extension().is_some_and(|end| end == "deb")).max();
    let package = package.context("apt-get has downloaded nothing")?;
    process::run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(&folder))?;
    fs::remove_file(&package)?;
    if !works(&programs) {
        bail!("the {PACKAGE} that was fetched does not run here");
    }
    Ok(programs)
}

fn works(programs: &Path) -> bool {
    ["prometheus", "promtool"].iter().all(|name| process::succeeds(Command::new(programs.join(name)).arg("--version")))
}

/// Needs no rights: it writes into the folder that it is started in.
fn download(folder: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.current_dir(folder).args(["download", "-q", PACKAGE]);
    command
}
