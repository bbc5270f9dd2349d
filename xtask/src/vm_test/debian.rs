//! Kernels from Debian's archive, through a private apt: the machine's own sources and package lists stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{process, workspace};

/// Modules without which there is nothing to attach to, in the order to load them.
const MODULES: [&str; 3] = ["sch_ingress", "cls_bpf", "veth"];

/// Depends on the newest kernel of a release: those for virtual machines are the smallest.
const NEWEST: &str = "linux-image-cloud-amd64";

/// Where Debian keeps its keys, on any Debian.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A kernel, kept in the cache.
pub(super) struct Kernel {
    /// As `uname -r` has it.
    pub(super) version: String,
    /// What boots.
    pub(super) image: PathBuf,
    /// In the order to load them.
    pub(super) modules: Vec<PathBuf>,
}

/// The newest kernel of a Debian release, or the one kept from before.
pub(super) fn kernel(suite: &str, fetch: bool) -> Result<Kernel> {
    let kept = workspace::cache()?.join("kernels").join(suite);
    if fetch || open(&kept).is_err() {
        let folder = kept.with_extension("new");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let fetched = self::fetch(suite, &folder);
        if fetched.is_ok() {
            let _ = fs::remove_dir_all(&kept);
            fs::rename(&folder, &kept)?;
        }
        let _ = fs::remove_dir_all(&folder);
        fetched?;
    }
    open(&kept)
}

/// What is in a folder that [`fetch`] filled.
fn open(folder: &Path) -> Result<Kernel> {
    let version = fs::read_to_string(folder.join("version"))?;
    let mut modules: Vec<PathBuf> =
        fs::read_dir(folder.join("modules"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    modules.sort();
    ensure!(modules.len() == MODULES.len(), "{} is not whole", folder.display());
    Ok(Kernel { version, image: folder.join("vmlinuz"), modules })
}

/// Downloads a release's newest kernel and keeps of it what is needed.
fn fetch(suite: &str, folder: &Path) -> Result<()> {
    ensure!(Path::new(KEYS).exists(), "{KEYS} is missing: install debian-archive-keyring");
    let apt = Apt::new(suite, folder.join("apt"))?;
    eprintln!("fetching the kernel of {suite}");
    process::run(apt.command("apt-get").args(["-qq", "update"]))?;
    let newest = process::read(apt.command("apt-cache").args(["show", "--no-all-versions", NEWEST]))?;
    let package = newest
        .split_whitespace()
        .find(|word| word.starts_with("linux-image-") && *word != NEWEST)
        .context("the package that names the newest kernel does not")?;
    let download = folder.join("download");
    let unpacked = folder.join("unpacked");
    fs::create_dir_all(&download)?;
    process::run(apt.command("apt-get").current_dir(&download).args(["-qq", "download", package]))?;
    let deb = fs::read_dir(&download)?.next().context("nothing was downloaded")??.path();
    process::run(Command::new("dpkg-deb").arg("--extract").args([&deb, &unpacked]))?;

    let version = package.trim_start_matches("linux-image-");
    fs::rename(unpacked.join("boot").join(format!("vmlinuz-{version}")), folder.join("vmlinuz"))?;
    fs::create_dir_all(folder.join("modules"))?;
    // In `/lib` up to Debian 12.
    let homes = ["lib/modules", "usr/lib/modules"].map(|home| unpacked.join(home).join(version).join("kernel"));
    for (n, name) in MODULES.iter().enumerate() {
        let file = homes.iter().find_map(|home| find(home, name)).with_context(|| format!("no module {name}"))?;
        let extension = if file.extension().is_some_and(|extension| extension == "ko") { "ko" } else { "ko.xz" };
        fs::rename(file, folder.join("modules").join(format!("{n}-{name}.{extension}")))?;
    }
    fs::write(folder.join("version"), version)?;
    for rest in ["apt", "download", "unpacked"] {
        fs::remove_dir_all(folder.join(rest))?;
    }
    Ok(())
}

/// A module's file somewhere below a folder.
fn find(folder: &Path, module: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let named = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.strip_prefix(module).is_some_and(|rest| rest == ".ko" || rest.starts_with(".ko."))
    };
    files.into_iter().find(named).or_else(|| folders.iter().find_map(|folder| find(folder, module)))
}

/// Where this machine's own apt takes packages from, and their security updates: which mirror is the user's matter.
fn archives() -> Result<[String; 2]> {
    let targets = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"];
    let known = process::read(Command::new("apt-get").args(targets))?;
    let ending = |end: &str| {
        let found = known.lines().find(|address| address.trim_end_matches('/').ends_with(end));
        found
            .map(str::to_owned)
            .with_context(|| format!("apt has no source that ends with {end}: add Debian's archive"))
    };
    Ok([ending("/debian")?, ending("/debian-security")?])
}

/// apt with state, lists and sources of its own.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(suite: &str, folder: PathBuf) -> Result<Self> {
        for part in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let [archive, security] = archives()?;
        let sources = format!(
            "deb [signed-by={KEYS}] {archive} {suite} main\ndeb [signed-by={KEYS}] {security} {suite}-security main\n"
        );
        fs::write(folder.join("sources.list"), sources)?;
        fs::write(folder.join("status"), "")?;
        Ok(Self { folder })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let at = |part: &str| self.folder.join(part).display().to_string();
        let settings = [
            format!("Dir::State={}", self.folder.display()),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", self.folder.display()),
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            // Its own user could not enter our folder.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        for setting in settings {
            command.arg("-o").arg(setting);
        }
        command
    }
}
