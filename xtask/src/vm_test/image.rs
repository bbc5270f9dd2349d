//! The file system that a machine boots into: the tests' own binaries, stripped, with the libraries they need.

mod cpio;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use self::cpio::Archive;
use super::debian::Kernel;
use crate::process;
use crate::workspace::Workspace;

/// What runs in the machine, one after the other: tests that the kernel matters to, and the whole sensor.
const PLAN: &str = "\
/bin/parity --nocapture --test-threads=1 every_scenario
/bin/wire --nocapture --test-threads=1
/bin/live --nocapture --test-threads=1
/bin/sensor demo --color=never
";

/// Test binaries of the package `tests` among them.
const TESTS: [&str; 3] = ["parity", "wire", "live"];

/// Programs with the names they have in the machine.
pub(super) struct Programs {
    files: Vec<(String, PathBuf)>,
    libraries: BTreeSet<PathBuf>,
    // Where the stripped ones lie.
    _folder: TempDir,
}

/// Builds what runs in the machine.
pub(super) fn programs(workspace: &Workspace) -> Result<Programs> {
    let mut built = Vec::new();
    let tests = TESTS.iter().flat_map(|name| ["--test", name]);
    built.extend(executables(workspace.cargo().args(["test", "--no-run", "--package", "tests"]).args(tests))?);
    built.extend(executables(workspace.cargo().args(["build", "--package", "sensor", "--bin", "sensor"]))?);
    built.extend(executables(workspace.cargo().args(["build", "--package", "xtask", "--bin", "vm-init"]))?);
    let folder = tempfile::tempdir().context("no folder for temporary files")?;
    let mut libraries = BTreeSet::new();
    let mut files = Vec::new();
    built.push(("ip".to_owned(), find("ip")?));
    for (name, path) in built {
        libraries.extend(needed(&path)?);
        // Debug information is nine tenths of a file, and all of it would have to be unpacked.
        let stripped = folder.path().join(&name);
        process::run(Command::new("strip").arg("-o").args([&stripped, &path]))?;
        files.push((if name == "vm-init" { "init".to_owned() } else { format!("bin/{name}") }, stripped));
    }
    Ok(Programs { files, libraries, _folder: folder })
}

/// Packs programs, libraries and modules.
pub(super) fn build(kernel: &Kernel, programs: &Programs) -> Result<NamedTempFile> {
    let mut archive = Archive::default();
    archive.file("plan", PLAN.as_bytes(), false);
    for (name, path) in &programs.files {
        archive.file(name, &read(path)?, true);
    }
    for path in &programs.libraries {
        let name = path.strip_prefix("/").context("a library without a full path")?;
        archive.file(&name.display().to_string(), &read(path)?, true);
    }
    for path in &kernel.modules {
        let name = path.file_name().context("a module without a name")?.to_string_lossy();
        archive.file(&format!("modules/{name}"), &read(path)?, false);
    }
    let mut image = NamedTempFile::new()?;
    std::io::Write::write_all(&mut image, &archive.finish())?;
    Ok(image)
}

/// Runs a cargo that builds, and says which executables it made: their targets' names and paths.
fn executables(cargo: &mut Command) -> Result<Vec<(String, PathBuf)>> {
    let messages = process::read(cargo.args(["--locked", "--message-format=json"]))?;
    let made: Vec<_> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let path = message["executable"].as_str()?;
            Some((message["target"]["name"].as_str()?.to_owned(), path.into()))
        })
        .collect();
    ensure!(!made.is_empty(), "cargo built nothing to run");
    Ok(made)
}

/// A program's place.
fn find(program: &str) -> Result<PathBuf> {
    let places = ["/sbin", "/usr/sbin", "/bin", "/usr/bin"].map(|place| Path::new(place).join(program));
    match places.into_iter().find(|place| place.exists()) {
        Some(place) => Ok(fs::canonicalize(place)?),
        None => bail!("there is no `{program}`: install iproute2"),
    }
}

/// The libraries of a program, and what loads them.
fn needed(program: &Path) -> Result<Vec<PathBuf>> {
    let listed = process::read(Command::new("ldd").arg(program))?;
    Ok(listed.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
