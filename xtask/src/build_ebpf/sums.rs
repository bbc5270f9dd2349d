//! SHA256SUMS: in the format of `sha256sum`, so that anyone can check it without this program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// The name of the file among the objects.
pub(crate) const FILE: &str = "SHA256SUMS";

const SUFFIX: &str = ".bpf.o";

/// The names of the objects in a folder, sorted.
pub(crate) fn objects(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(SUFFIX) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Writes the checksums of a folder's objects.
pub(crate) fn write(folder: &Path) -> Result<()> {
    let lines = sums(folder)?.into_iter().map(|(name, sum)| format!("{sum}  {name}\n"));
    fs::write(folder.join(FILE), lines.collect::<String>()).with_context(|| format!("cannot write {FILE}"))
}

/// Fails unless the checksums in a folder are those of its objects.
pub(crate) fn verify(folder: &Path) -> Result<()> {
    let text =
        fs::read_to_string(folder.join(FILE)).with_context(|| format!("there is no {FILE} beside the objects"))?;
    let line = |line: &str| line.split_once("  ").map(|(sum, name)| (name.to_owned(), sum.to_owned()));
    let written: BTreeMap<String, String> = text.lines().filter_map(line).collect();
    let different = unequal(&written, &sums(folder)?);
    if !different.is_empty() {
        bail!("{FILE} does not fit {}: run `cargo xtask build-ebpf`", different.join(", "));
    }
    Ok(())
}

/// The objects that two folders do not have in common, byte for byte.
pub(crate) fn differing(one: &Path, other: &Path) -> Result<Vec<String>> {
    Ok(unequal(&sums(one)?, &sums(other)?))
}

fn sums(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for name in objects(folder)? {
        let bytes = fs::read(folder.join(&name)).with_context(|| format!("cannot read {name}"))?;
        sums.insert(name, sum(&bytes));
    }
    Ok(sums)
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unequal(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<String> = one.keys().chain(other.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| one.get(name) != other.get(name));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_a_new_and_a_missing_object_are_told() {
        let one = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let write =
            |folder: &tempfile::TempDir, name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        for (name, text) in [("same.bpf.o", "s"), ("changed.bpf.o", "c"), ("missing.bpf.o", "m")] {
            write(&one, name, text);
        }
        for (name, text) in [("same.bpf.o", "s"), ("changed.bpf.o", "d"), ("new.bpf.o", "n"), ("no-object", "n")] {
            write(&other, name, text);
        }
        let different = differing(one.path(), other.path()).unwrap();
        assert_eq!(different, ["changed.bpf.o", "missing.bpf.o", "new.bpf.o"]);
    }

    #[test]
    fn a_tampered_object_does_not_verify() {
        let folder = tempfile::tempdir().unwrap();
        let object = folder.path().join("sensor.bpf.o");
        fs::write(&object, "abc").unwrap();
        write(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  sensor.bpf.o\n");
        verify(folder.path()).unwrap();
        fs::write(&object, "abd").unwrap();
        assert!(verify(folder.path()).unwrap_err().to_string().contains("sensor.bpf.o"));
    }
}
