//! Where things are: asked from cargo, so that a moved target directory or a renamed binary needs no change here.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process;

/// The package that is built for the BPF target.
pub(crate) const BPF_PACKAGE: &str = "sensor-ebpf";

/// The workspace as cargo sees it.
pub(crate) struct Workspace {
    /// The folder of the workspace's Cargo.toml.
    pub(crate) root: PathBuf,
    /// The folder that cargo builds in.
    pub(crate) target: PathBuf,
    /// The binaries of [`BPF_PACKAGE`] that need no feature; each becomes one committed object.
    pub(crate) bpf_bins: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let mut command = Command::new(cargo());
        // The folder of this crate, not the current one: the verb must work from anywhere inside the workspace.
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["metadata", "--no-deps", "--format-version=1"]);
        Self::parse(&process::read(&mut command)?).context("cargo metadata is not as expected")
    }

    fn parse(metadata: &str) -> Result<Self> {
        let metadata: Value = serde_json::from_str(metadata)?;
        let folder = |key: &str| metadata[key].as_str().map(PathBuf::from).with_context(|| format!("no {key}"));
        let packages = metadata["packages"].as_array().into_iter().flatten();
        let targets = packages
            .filter(|package| package["name"] == BPF_PACKAGE)
            .flat_map(|package| package["targets"].as_array().into_iter().flatten());
        let bins = targets
            .filter(|target| target["kind"].as_array().is_some_and(|kinds| kinds.contains(&"bin".into())))
            // A binary behind a feature is a tool of ours, made when it is wanted.
            .filter(|target| target["required-features"].as_array().is_none_or(Vec::is_empty));
        let bpf_bins = bins.filter_map(|target| target["name"].as_str()).map(str::to_owned).collect();
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")?, bpf_bins })
    }

    /// The folder of the committed objects.
    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join(BPF_PACKAGE).join("object")
    }

    /// A cargo of the toolchain that runs us, started in the workspace's root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&self.root);
        command
    }
}

/// The folder for what is kept between runs, by the rules of the XDG base directories.
pub(crate) fn cache() -> Result<PathBuf> {
    let xdg = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let cache = xdg
        .or_else(home)
        .context("neither XDG_CACHE_HOME nor HOME is set: set one, tools and kernels are kept there")?;
    Ok(cache.join("sensor"))
}

/// A tool of cargo's, installed below the cache if it is not there.
pub(crate) fn tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = cache()?.join("tools").join(format!("{name}-{version}"));
    let path = folder.join("bin").join(name);
    if process::succeeds(Command::new(&path).arg("--version")) {
        return Ok(path);
    }
    eprintln!("building {name} {version} into {}", folder.display());
    let mut install = Command::new(cargo());
    install.args(["install", name, "--version", version, "--locked", "--debug", "--root"]).arg(&folder);
    install.env("CARGO_PROFILE_DEV_DEBUG", "0").env_remove("CARGO_TARGET_DIR");
    process::run(&mut install).with_context(|| format!("{name} cannot be built: is crates.io within reach?"))?;
    if !path.exists() {
        bail!("{} is not where it was installed", path.display());
    }
    Ok(path)
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_binaries_of_the_bpf_package_become_objects() {
        let metadata = r#"{"workspace_root": "/w", "target_directory": "/t", "packages": [
            {"name": "sensor", "targets": [{"name": "sensor-agent", "kind": ["bin"]}]},
            {"name": "sensor-ebpf", "targets": [
                {"name": "sensor_ebpf", "kind": ["lib"]}, {"name": "sensor", "kind": ["bin"]},
                {"name": "bench", "kind": ["bin"], "required-features": ["bench"]}]}]}"#;
        let workspace = Workspace::parse(metadata).unwrap();
        assert_eq!(workspace.bpf_bins, ["sensor"]);
        assert_eq!(workspace.objects(), PathBuf::from("/w/sensor-ebpf/object"));
    }
}
