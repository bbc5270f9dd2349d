//! `cargo xtask tidy`: the rules of the repository that no compiler knows.

mod claims;
mod licences;
mod pins;
mod text;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::build_ebpf::{inspect, sums};
use crate::process;
use crate::workspace::Workspace;

/// Checks everything and prints each complaint; fails if there is one.
pub(crate) fn tidy(workspace: &Workspace) -> Result<()> {
    let mut complaints = Vec::new();
    for path in files(&workspace.root)? {
        let Ok(bytes) = fs::read(workspace.root.join(&path)) else {
            continue;
        }; // Deleted, but not committed yet.
        // What is not text is judged elsewhere, if at all.
        let Ok(content) = String::from_utf8(bytes) else {
            continue;
        };
        complaints.extend(text::complaints(&path, &content));
        if let Some(note) = text::long(&path, &content) {
            eprintln!("note: {note}");
        }
    }
    let read =
        |name: &str| fs::read_to_string(workspace.root.join(name)).with_context(|| format!("cannot read {name}"));
    let source = |path: &Path| fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
    complaints.extend(claims::complaints(&read("SECURITY.md")?, &files(&workspace.root)?, source));
    complaints.extend(pins::complaints(&read("Cargo.toml")?, &read("Cargo.lock")?));
    complaints.extend(objects(&workspace.objects()));
    let metadata = process::read(workspace.cargo().args(["metadata", "--locked", "--format-version=1"]))?;
    complaints.extend(licences::complaints(&read("deny.toml")?, &metadata)?);
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    match complaints.len() {
        0 => Ok(()),
        1 => bail!("1 rule of the repository is broken, see above"),
        number => bail!("{number} rules of the repository are broken, see above"),
    }
}

/// The committed objects fit their checksums and hold what they must.
fn objects(folder: &Path) -> Vec<String> {
    // A checkout before its first object; `build-ebpf --check` insists on one.
    if !folder.exists() {
        return Vec::new();
    }
    let check = || -> Result<()> {
        sums::verify(folder)?;
        sums::objects(folder)?.iter().try_for_each(|name| inspect::file(&folder.join(name)))
    };
    check().err().map(|error| format!("{error:#}")).into_iter().collect()
}

/// What git knows, and what it would add.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    // Under sudo or in a container, the checkout is often another user's.
    git.current_dir(root).args(["-c", "safe.directory=*", "ls-files", "-z"]);
    let list = process::read(git.args(["--cached", "--others", "--exclude-standard"]));
    let list = list.context("tidy judges the files that git tracks: run it in a git checkout")?;
    Ok(list.split_terminator('\0').map(PathBuf::from).collect())
}
