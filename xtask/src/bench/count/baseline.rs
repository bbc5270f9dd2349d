//! What the counts were when somebody last looked at them.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};

use super::Count;

/// The committed counts, in the workspace.
pub(in crate::bench) const FILE: &str = "sensor-ebpf/hot-paths.txt";

/// By how many per cent instructions may have grown since.
const SLACK: u64 = 3;

/// The file's text.
pub(in crate::bench) fn text(counts: &[Count]) -> String {
    let mut text = String::from(
        "# What a packet takes of the committed object: instructions executed, helpers called (lookups in arrays apart), cache\n\
         # lines of the maps. A test holds the object to it. Renew it, where more is meant: cargo xtask bench --count --write\n",
    );
    for count in counts {
        let Count { path, instructions, helpers, .. } = count;
        let _ = writeln!(text, "{path} | {instructions} | {helpers} | {}", count.lines_in_words());
    }
    text
}

/// Fails if a path takes more than the file's text says.
pub(in crate::bench) fn hold(counts: &[Count], text: &str) -> Result<()> {
    let old = committed(text)?;
    let names = |counts: &[Count]| counts.iter().map(|count| count.path.clone()).collect::<Vec<_>>();
    ensure!(names(counts) == names(&old), "{FILE} has other paths: renew it with `cargo xtask bench --count --write`");
    let worse: Vec<String> = counts.iter().zip(&old).filter_map(|(new, old)| new.worse_than(old)).collect();
    ensure!(worse.is_empty(), "{}", worse.join("\n"));
    Ok(())
}

/// Reads such a text.
fn committed(text: &str) -> Result<Vec<Count>> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| row(line).with_context(|| format!("{FILE}: not a row: {line}"))).collect()
}

fn row(line: &str) -> Option<Count> {
    let mut cells = line.split(" | ");
    let mut next = || cells.next();
    let (path, instructions, helpers) = (next()?.to_owned(), next()?.parse().ok()?, next()?.parse().ok()?);
    let map = |word: &str| word.split_once(' ').and_then(|(map, lines)| Some((map.to_owned(), lines.parse().ok()?)));
    let lines = next()?.split(", ").filter(|word| *word != "none").map(map).collect::<Option<_>>()?;
    Some(Count { path, instructions, helpers, lines })
}

impl Count {
    /// As in `BUCKETS 1, FLOWS 3`.
    pub(in crate::bench) fn lines_in_words(&self) -> String {
        let words: Vec<String> = self.lines.iter().map(|(map, lines)| format!("{map} {lines}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }

    /// What is worse than in `old`, and what to do about it.
    fn worse_than(&self, old: &Self) -> Option<String> {
        let total = |count: &Self| count.lines.iter().map(|(_, lines)| lines).sum::<usize>();
        let mut worse = Vec::new();
        if self.instructions * 100 > old.instructions * (100 + SLACK) {
            worse.push(format!("{} instructions instead of {}", self.instructions, old.instructions));
        }
        if self.helpers > old.helpers {
            worse.push(format!("{} helpers called instead of {}", self.helpers, old.helpers));
        }
        if total(self) > total(old) {
            worse.push(format!("cache lines {} instead of {}", self.lines_in_words(), old.lines_in_words()));
        }
        (!worse.is_empty()).then(|| {
            format!(
                "{}: {}. Every packet of this kind pays for it: make it cheaper, or, if it is worth that, \
                 `cargo xtask bench --count --write` and say why in the commit",
                self.path,
                worse.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::bench::count::paths;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
    }

    #[test]
    fn the_hot_paths_of_the_committed_object_did_not_grow() {
        // The committed one, whatever else is under test: another compiler's object has counts of its own.
        let object: PathBuf = root().join("sensor-ebpf/object/sensor.bpf.o");
        let counts = paths(&object).unwrap();
        let text = std::fs::read_to_string(root().join(FILE)).unwrap();
        hold(&counts, &text).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn growth_is_told_and_shrinking_is_not() {
        let old = Count { path: "data".into(), instructions: 100, helpers: 1, lines: vec![("FLOWS".into(), 3)] };
        assert_eq!(committed(&text(std::slice::from_ref(&old))).unwrap(), std::slice::from_ref(&old));
        let told = |count: Count| count.worse_than(&old);
        assert_eq!(told(Count { instructions: 103, ..old.clone() }), None);
        assert_eq!(told(Count { instructions: 50, helpers: 0, lines: Vec::new(), ..old.clone() }), None);
        assert!(told(Count { instructions: 104, ..old.clone() }).unwrap().contains("104 instructions instead of 100"));
        assert!(told(Count { helpers: 2, ..old.clone() }).unwrap().contains("2 helpers"));
        let lines = vec![("BUCKETS".into(), 1), ("FLOWS".into(), 3)];
        assert!(told(Count { lines, ..old.clone() }).unwrap().contains("BUCKETS 1, FLOWS 3 instead of FLOWS 3"));
    }
}
