//! RECIPE.txt: how the objects beside it were made, for `--check` and for whoever wants to repeat it by hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::Object;
use super::toolchain::{BUILD, PROFILE, RUSTFLAGS, Toolchain};

const HEAD: &str = "# How the objects in this folder were made. Written by `cargo xtask build-ebpf`.\n";

/// Lines that name the machine's tools start so; the others are ours to decide.
const TOOL: &str = "tool ";

/// A recipe in its two halves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    /// What the machine had.
    pub(super) tools: Vec<String>,
    /// What we told it.
    pub(super) settings: Vec<String>,
}

impl Recipe {
    /// The recipe that is being followed.
    pub(super) fn of(toolchain: &Toolchain, objects: &[Object]) -> Result<Self> {
        let profile: Vec<String> = PROFILE.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mut settings = vec![
            format!("cargo: build {}", BUILD.join(" ")),
            format!("rustflags: {}", RUSTFLAGS.join(" ")),
            format!("profile: {}", profile.join(" ")),
            "strip: llvm-objcopy --strip-debug".to_owned(),
        ];
        settings.extend(objects.iter().map(|object| {
            format!("object {}: bin {}, features {}", object.name, object.bin, object.features.unwrap_or("none"))
        }));
        let tools =
            vec![format!("{TOOL}compiler: {}", toolchain.compiler), format!("{TOOL}linker: {}", toolchain.linker)];
        Ok(Self { tools, settings })
    }

    /// Reads a recipe back.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self::parse(&text))
    }

    /// Writes it.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.text()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn text(&self) -> String {
        let lines = self.tools.iter().chain(&self.settings);
        HEAD.to_owned() + &lines.map(|line| format!("{line}\n")).collect::<String>()
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned);
        let (tools, settings) = lines.partition(|line| line.starts_with(TOOL));
        Self { tools, settings }
    }
}

/// The lines that only one side has, for a reader.
pub(super) fn difference(committed: &[String], here: &[String]) -> String {
    let missing = |lines: &[String], others: &[String]| {
        let only: Vec<String> = lines.iter().filter(|line| !others.contains(line)).cloned().collect();
        if only.is_empty() { "nothing more".to_owned() } else { only.join("; ") }
    };
    format!("committed: {}. Here: {}", missing(committed, here), missing(here, committed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(compiler: &str) -> Recipe {
        Recipe { tools: vec![format!("tool compiler: {compiler}")], settings: vec!["rustflags: -O".to_owned()] }
    }

    #[test]
    fn what_is_written_is_read() {
        let recipe = recipe("rustc 1.96.0");
        assert_eq!(Recipe::parse(&recipe.text()), recipe);
    }

    #[test]
    fn a_difference_names_both_sides() {
        let text = difference(&recipe("a").tools, &recipe("b").tools);
        assert_eq!(text, "committed: tool compiler: a. Here: tool compiler: b");
    }
}
