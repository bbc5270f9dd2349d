//! What an object must be, whoever built it: complete, free of the builder's folders, and unable to touch a packet's
//! fate.

mod oldest;
mod verdict;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use object::{Architecture, Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

/// XDP_PASS and TC_ACT_UNSPEC, as the low half of r0: the kernel reads an `int`. For tracepoints 1: others see the event too.
const VERDICTS: &[(&str, i32)] = &[("xdp", 2), ("classifier", -1), ("tc", -1), ("tcx", -1), ("tracepoint", 1)];

/// Sections without which the object is not the one we mean.
const SECTIONS: &[(&str, &str)] = &[
    (".BTF", "link with --btf and debug information"),
    (".BTF.ext", "link with --btf and debug information"),
    ("license", "the kernel refuses helpers without it"),
];

/// Folders that exist on a builder's machine only.
const FOLDERS: &[&str] = &[concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/tm", "p/")];

/// Checks one object file.
pub(crate) fn file(path: &Path) -> Result<()> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    self::bytes(&bytes).with_context(|| format!("{} breaks a rule", path.display()))
}

fn bytes(bytes: &[u8]) -> Result<()> {
    let file = object::File::parse(bytes).context("not an ELF file")?;
    ensure!(file.architecture() == Architecture::Bpf, "not for BPF but for {:?}", file.architecture());
    for (name, remedy) in SECTIONS {
        ensure!(file.section_by_name(name).is_some(), "no section {name}: {remedy}");
    }
    for section in file.sections() {
        let name = section.name()?;
        ensure!(!name.starts_with(".debug"), "section {name} names the builder's folders: strip it");
        if section.kind() == SectionKind::Text
            && let Some(at) = oldest::atomic(section.data()?)
        {
            bail!(
                "section {name} has an atomic instruction that needs Linux 5.12 (instruction {at}): see docs/kernels.md"
            );
        }
    }
    for folder in FOLDERS {
        let found = bytes.windows(folder.len()).any(|window| window == folder.as_bytes());
        ensure!(!found, "names a folder below {folder}: the paths were not trimmed");
    }
    let programs = verdicts(&file)?;
    ensure!(programs > 0, "no program in it: no section is called {}", VERDICTS[0].0);
    Ok(())
}

/// Checks the return value of every program; returns how many there are.
fn verdicts(file: &object::File<'_>) -> Result<usize> {
    let mut programs = 0;
    for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_global()) {
        let Some(index) = symbol.section_index() else {
            continue;
        };
        let section = file.section_by_index(index)?;
        let kind = section.name()?.split(['/', '.']).next().unwrap_or_default();
        let Some((_, verdict)) = VERDICTS.iter().find(|(name, _)| *name == kind) else {
            let name = section.name()?;
            // Functions that programs call are in .text; they decide nothing.
            ensure!(name == ".text", "a program in section {name}, for which no verdict is known to be harmless");
            continue;
        };
        let name = symbol.name()?;
        let code = usize::try_from(symbol.address()).ok().zip(usize::try_from(symbol.size()).ok());
        let code = code.and_then(|(start, size)| section.data().ok()?.get(start..start.checked_add(size)?));
        let code = code.with_context(|| format!("the code of {name} lies outside its section"))?;
        if let Err(at) = verdict::always(code, *verdict) {
            bail!(
                "{name} may return something other than {verdict} (instruction {at}), so it could change a packet's fate"
            );
        }
        programs += 1;
    }
    Ok(programs)
}
