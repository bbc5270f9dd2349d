//! `cargo xtask disasm`: what the verifier will read.

use std::process::Command;

use anyhow::{Result, bail};

use crate::build_ebpf::LLVM_PREFIX;
use crate::privilege::Privilege;
use crate::workspace::Workspace;
use crate::{packages, process};

/// Prints the disassembly of a committed object.
pub(crate) fn disasm(workspace: &Workspace, object: &str) -> Result<()> {
    let path = workspace.objects().join(format!("{object}.bpf.o"));
    if !path.exists() {
        bail!("there is no {}: build it with `cargo xtask build-ebpf`", path.display());
    }
    packages::ensure(&["llvm-22"], Privilege::without_sudo())?;
    let mut objdump = Command::new(format!("{LLVM_PREFIX}/bin/llvm-objdump"));
    // Without the raw bytes a line fits a terminal; with relocations one sees which map is meant.
    process::run(objdump.args(["--disassemble", "--reloc", "--no-show-raw-insn"]).arg(path))
}
