//! `cargo xtask build-ebpf`: the kernel program, byte for byte the same on every machine with the same tools.
//!
//! The objects are committed, so that whoever builds sensor needs neither a BPF toolchain nor trust: `--check` builds
//! them anew and compares.

pub(crate) mod inspect;
mod recipe;
pub(crate) mod sums;
pub(crate) mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::privilege::Privilege;
use crate::process;
use crate::workspace::Workspace;
use recipe::Recipe;
pub(crate) use toolchain::LLVM_PREFIX;
use toolchain::Toolchain;

/// The name of the recipe among the objects.
const RECIPE: &str = "RECIPE.txt";

/// How the freshly built objects compare with the committed ones, when that is not a failure.
pub(crate) enum Checked {
    /// Byte for byte the same.
    Same,
    /// Different, and made by other tools: both are to be tested. The path is the fresh production object.
    OtherTools(PathBuf),
}

/// One object: which binary, with which features.
struct Object {
    name: String,
    bin: String,
    features: Option<&'static str>,
}

/// Replaces the committed objects.
pub(crate) fn replace(workspace: &Workspace) -> Result<()> {
    let built = build(workspace)?;
    let objects = workspace.objects();
    fs::create_dir_all(&objects).with_context(|| format!("cannot make {}", objects.display()))?;
    // Whatever is left of a renamed binary would be shipped for ever.
    for stale in sums::objects(&objects)? {
        fs::remove_file(objects.join(stale))?;
    }
    for name in sums::objects(&built)?.iter().map(String::as_str).chain([RECIPE, sums::FILE]) {
        fs::copy(built.join(name), objects.join(name)).with_context(|| format!("cannot write {name}"))?;
    }
    eprint!("{}", fs::read_to_string(objects.join(sums::FILE))?);
    Ok(())
}

/// Builds aside and compares with the committed objects.
pub(crate) fn check(workspace: &Workspace) -> Result<Checked> {
    let committed = workspace.objects();
    if !committed.join(RECIPE).exists() {
        bail!("there is no committed BPF object: make it with `cargo xtask build-ebpf` and commit it");
    }
    let built = build(workspace)?;
    let (theirs, ours) = (Recipe::read(&committed.join(RECIPE))?, Recipe::read(&built.join(RECIPE))?);
    if theirs.settings != ours.settings {
        bail!(
            "the committed BPF objects were built in another way ({}): run `cargo xtask build-ebpf` and commit",
            recipe::difference(&theirs.settings, &ours.settings)
        );
    }
    let different = sums::differing(&committed, &built)?;
    if different.is_empty() {
        eprintln!("the committed BPF objects are what these sources give");
        return Ok(Checked::Same);
    }
    let names = different.join(", ");
    if theirs.tools == ours.tools {
        bail!(
            "{names}: not what these sources give with the very tools of {RECIPE}. \
             If the sources changed, run `cargo xtask build-ebpf` and commit; if not, do not trust the committed object"
        );
    }
    eprintln!(
        "\nWARNING: {names}: different bytes, because this machine has other tools than the committed objects' maker:"
    );
    eprintln!("WARNING: {}", recipe::difference(&theirs.tools, &ours.tools));
    eprintln!("WARNING: this run can not say whether the committed objects are made from these sources.\n");
    Ok(Checked::OtherTools(built.join("sensor.bpf.o")))
}

/// Builds all objects into the target directory, with their recipe and checksums.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let toolchain = Toolchain::find(Privilege::without_sudo())?;
    let objects = objects(workspace);
    let built = workspace.target.join("bpf/object");
    // Start empty: what a former build left must not be compared or copied.
    fs::remove_dir_all(&built).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    fs::create_dir_all(&built).with_context(|| format!("cannot make {}", built.display()))?;
    for object in &objects {
        let linked = link(workspace, &toolchain, object)?;
        let path = built.join(&object.name);
        strip(&linked, &path)?;
        inspect::file(&path)?;
    }
    Recipe::of(&toolchain, &objects)?.write(&built.join(RECIPE))?;
    sums::write(&built)?;
    Ok(built)
}

/// Builds the benchmark's programs, which nobody ships and so nobody commits.
pub(crate) fn bench(workspace: &Workspace) -> Result<PathBuf> {
    let toolchain = Toolchain::find(Privilege::without_sudo())?;
    let object = Object { name: "bench.bpf.o".into(), bin: "bench".into(), features: Some("bench") };
    let linked = link(workspace, &toolchain, &object)?;
    let path = toolchain::target(workspace).join(&object.name);
    strip(&linked, &path)?;
    Ok(path)
}

fn objects(workspace: &Workspace) -> Vec<Object> {
    let plain = |bin: &String| Object { name: format!("{bin}.bpf.o"), bin: bin.clone(), features: None };
    let mut objects: Vec<Object> = workspace.bpf_bins.iter().map(plain).collect();
    // Only the sensor itself has a build that logs; last, so that the others share one build.
    objects.push(Object { name: "sensor-trace.bpf.o".into(), bin: "sensor".into(), features: Some("trace") });
    objects
}

fn link(workspace: &Workspace, toolchain: &Toolchain, object: &Object) -> Result<PathBuf> {
    let mut cargo = toolchain.cargo(workspace);
    cargo.args(["build", "--bin", &object.bin]).args(toolchain::BUILD);
    cargo.args(object.features.iter().flat_map(|features| ["--features", features]));
    process::run(&mut cargo).with_context(|| format!("{} was not built", object.name))?;
    Ok(toolchain::target(workspace).join(toolchain::TARGET).join("release").join(&object.bin))
}

/// DWARF is five times the program and names the builder's folders; BTF stays.
fn strip(linked: &Path, stripped: &Path) -> Result<()> {
    let mut objcopy = Command::new(format!("{LLVM_PREFIX}/bin/llvm-objcopy"));
    process::run(objcopy.arg("--strip-debug").arg(linked).arg(stripped))
}
