//! `cargo xtask deny`: licences, duplicates, sources and advisories of all dependencies, by cargo-deny and the lists of `deny.toml`.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::steps::Passed;
use crate::workspace::{self, Workspace};

/// Version 0.20.2 needs no later compiler than ours.
const CHECKER: (&str, &str) = ("cargo-deny", "0.20.2");

/// What needs nothing but the packages themselves.
const OFFLINE: [&str; 3] = ["licenses", "bans", "sources"];

/// Checks all, and says so where advisories could not be had.
pub(crate) fn deny(workspace: &Workspace) -> Result<()> {
    if let Passed::With(word) = step(workspace)? {
        eprintln!("{word}");
    }
    Ok(())
}

/// The same as a step of `cargo xtask test`.
pub(crate) fn step(workspace: &Workspace) -> Result<Passed> {
    let (name, version) = CHECKER;
    let checker = match workspace::tool(name, version) {
        Ok(checker) => checker,
        // `tidy` holds the same lists, if less thoroughly.
        Err(reason) => return Ok(Passed::With(format!("SKIPPED, licences and sources by tidy alone: {reason:#}"))),
    };
    let check = |what: &[&str]| {
        let mut command = Command::new(&checker);
        // Two versions of a package are many, and nobody's fault here.
        command.current_dir(&workspace.root).args(["--locked", "check", "--allow", "duplicate"]).args(what);
        command
    };
    process::run(&mut check(&OFFLINE)).context("a dependency is against deny.toml")?;
    // Their database is a repository of its own: whether it could be fetched, and what it says, are two things.
    let output = check(&["advisories"]).output().context("cargo-deny cannot be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    match (output.status.success(), said.contains("advisory database")) {
        (true, _) => Ok(Passed::Well),
        (false, true) => {
            Ok(Passed::With("SKIPPED, known vulnerabilities: their database cannot be fetched".to_owned()))
        }
        (false, false) => bail!("a dependency has an advisory:\n{said}"),
    }
}
