//! What we build on is free to be passed on, and comes from where we say: the lists of `deny.toml`, held against cargo's metadata.

use anyhow::{Context, Result};
use serde_json::Value;

/// All packages that break a rule of `deny`, by the metadata of all dependencies.
pub(super) fn complaints(deny: &str, metadata: &str) -> Result<Vec<String>> {
    let licences = list(deny, "allow").context("deny.toml has no list of licences")?;
    let registries = list(deny, "allow-registry").context("deny.toml has no list of registries")?;
    let metadata: Value = serde_json::from_str(metadata).context("cargo metadata is not as expected")?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let mut complaints = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        if !Terms::of(licence).any(&licences) {
            complaints.push(format!("{name}: the licence {licence:?} is not among those that deny.toml allows"));
        }
        // Without a source it is ours.
        let source = package["source"].as_str().map(|source| source.trim_start_matches("registry+"));
        if source.is_some_and(|source| !registries.contains(&source)) {
            complaints
                .push(format!("{name}: comes from {}, which deny.toml does not allow", source.unwrap_or_default()));
        }
    }
    Ok(complaints)
}

/// The strings of a list that stands on one line.
fn list<'a>(toml: &'a str, key: &str) -> Option<Vec<&'a str>> {
    let line = toml.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='))?;
    Some(line.split('"').skip(1).step_by(2).collect())
}

/// An SPDX expression, word by word. AND binds more tightly than OR, for which old manifests have a stroke.
struct Terms {
    words: Vec<String>,
    at: usize,
}

impl Terms {
    fn of(licence: &str) -> Self {
        let spaced = licence.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
        Self { words: spaced.split_whitespace().map(str::to_owned).collect(), at: 0 }
    }

    fn next(&mut self, word: &str) -> bool {
        let is = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is);
        is
    }

    fn any(&mut self, allowed: &[&str]) -> bool {
        let mut is = self.all(allowed);
        while self.next("OR") {
            is |= self.all(allowed);
        }
        is
    }

    fn all(&mut self, allowed: &[&str]) -> bool {
        let mut is = self.one(allowed);
        while self.next("AND") {
            is &= self.one(allowed);
        }
        is
    }

    fn one(&mut self, allowed: &[&str]) -> bool {
        if self.next("(") {
            let is = self.any(allowed);
            return self.next(")") && is;
        }
        let is = self.words.get(self.at).is_some_and(|word| allowed.contains(&word.as_str()));
        self.at += 1;
        // An exception takes nothing away from what the licence allows.
        if self.next("WITH") {
            self.at += 1;
        }
        is
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_as_spdx_has_them() {
        let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"];
        let is = |licence| Terms::of(licence).any(&allowed);
        for licence in [
            "MIT",
            "GPL-2.0-only OR MIT",
            "MIT/GPL-3.0",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "GPL-2.0 AND MIT OR Apache-2.0",
        ] {
            assert!(is(licence), "{licence}");
        }
        for licence in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND AGPL-3.0", "LGPL-2.1 WITH MIT"] {
            assert!(!is(licence), "{licence}");
        }
    }

    #[test]
    fn packages_from_elsewhere_and_under_other_terms_are_named() {
        let deny = "[licenses]\nallow = [\"MIT\", \"Zlib\"]\n[sources]\nallow-registry = [\"index\"]\n";
        let metadata = r#"{"packages": [
            {"name": "ours", "license": "MIT", "source": null},
            {"name": "good", "license": "Zlib", "source": "registry+index"},
            {"name": "closed", "license": "GPL-3.0", "source": "registry+index"},
            {"name": "nameless", "license": null, "source": "registry+index"},
            {"name": "foreign", "license": "MIT", "source": "git+elsewhere"}]}"#;
        let complaints = complaints(deny, metadata).unwrap();
        let names: Vec<_> = complaints.iter().map(|complaint| complaint.split(':').next().unwrap()).collect();
        assert_eq!(names, ["closed", "nameless", "foreign"]);
    }
}
