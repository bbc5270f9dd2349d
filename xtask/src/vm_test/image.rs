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
use super::{Series, debian::Kernel};
use crate::process;
use crate::workspace::Workspace;

/// What runs in the machine, one after the other, each behind the exit code that it is to have: tests that the kernel matters to,
/// the whole sensor, and the sensor as its unit starts it, as nobody with three capabilities.
const PLAN: &str = "\
0 /bin/parity --nocapture --test-threads=1 every_scenario
0 /bin/wire --nocapture --test-threads=1
0 /bin/live --nocapture --test-threads=1
0 /bin/sensor demo --color=never
0 /bin/sensor attach --interface lo --pin --duration 1
0 /bin/sensor attach --interface lo --pin --duration 1
0 /bin/sensor detach
0 /bin/prlimit --memlock=unlimited:unlimited NOBODY
";

/// The same without leave to lock memory, which BPF memory was counted as before 5.11.
const UNLOCKED: &str = "/bin/prlimit --memlock=65536:65536 NOBODY\n";

/// A sensor that has what it needs and nothing else.
const NOBODY: &str = "/bin/setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs \
    --inh-caps=-all,+bpf,+net_admin,+perfmon --ambient-caps=-all,+bpf,+net_admin,+perfmon \
    --bounding-set=-all,+bpf,+net_admin,+perfmon /bin/sensor attach --interface lo --duration 1";

/// The plan for a kernel.
fn plan(series: Series) -> String {
    let code = if series == Series::Bullseye { 2 } else { 0 };
    format!("{PLAN}{code} {UNLOCKED}").replace("NOBODY", NOBODY)
}

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
    for name in ["ip", "prlimit", "setpriv"] {
        built.push((name.to_owned(), find(name)?));
    }
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
pub(super) fn build(series: Series, kernel: &Kernel, programs: &Programs) -> Result<NamedTempFile> {
    let mut archive = Archive::default();
    archive.file("plan", plan(series).as_bytes(), false);
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
        None => bail!("there is no `{program}`: install iproute2 and util-linux"),
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
