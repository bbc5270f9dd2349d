//! SECURITY.md names a test for each claim: that they are there.

use std::path::{Path, PathBuf};

/// What begins the tests of a claim.
const MARK: &str = "*Test:*";

/// What a claim without a test says.
const NONE: &[&str] = &["none yet", "No test needed", "no test", "Held by"];

/// Tests that are named and are nowhere, and claims that say nothing of tests. `files` are all of the repository, `read` reads one.
pub(super) fn complaints(page: &str, files: &[PathBuf], read: impl Fn(&Path) -> String) -> Vec<String> {
    let mut complaints = Vec::new();
    for claim in claims(page) {
        let name = claim.split("**").nth(1).unwrap_or_default();
        let Some((_, tests)) = claim.split_once(MARK) else {
            if !NONE.iter().any(|words| claim.contains(words)) {
                complaints.push(format!("SECURITY.md: {name:?} says nothing of a test"));
            }
            continue;
        };
        let named: Vec<(&str, &str)> =
            tests.split('`').skip(1).step_by(2).filter_map(|one| one.split_once("::")).collect();
        if named.is_empty() && !NONE.iter().any(|words| tests.contains(words)) {
            complaints.push(format!("SECURITY.md: {name:?} names no test"));
        }
        for (file, test) in named {
            let is = |path: &&PathBuf| path.ends_with(file) && holds(&read(path), test);
            if !files.iter().any(|path| is(&path)) {
                complaints.push(format!("SECURITY.md: there is no test {file}::{test}"));
            }
        }
    }
    complaints
}

/// The items of the lists below "Attacks" and "Privilege", each on one line.
fn claims(page: &str) -> Vec<String> {
    let from = page.find("\n## Attacks").unwrap_or_default();
    let to = page.find("\n## Privilege").unwrap_or(page.len());
    let items = page[from..to].split("\n- ").skip(1).map(|item| item.split("\n#").next().unwrap_or_default());
    items.map(|item| item.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Whether a file has a test of this name.
fn holds(text: &str, test: &str) -> bool {
    text.find(&format!("fn {test}(")).is_some_and(|at| {
        let before = &text[..at];
        before[before.rfind("fn ").unwrap_or_default()..].contains("#[test]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[test]\nfn it_holds() {}\nfn helper() {}\n/// Why.\n#[test]\nfn so_does_it() {}\n";

    fn told(claim: &str) -> Vec<String> {
        let page = format!("\n## Attacks\n\n### Some\n\n- **A thing.** {claim}\n\n### Others\n\n## Privilege\n- b\n");
        complaints(&page, &[PathBuf::from("tests/tests/a.rs"), PathBuf::from("b.rs")], |_| SOURCE.to_owned())
    }

    #[test]
    fn what_is_there_is_accepted() {
        for claim in [
            "Fine. *Test:* `a.rs::it_holds`,\n  `tests/a.rs::so_does_it`.",
            "A limit, no test.",
            "Missing. *Test:* none yet.",
            "Held by the types.",
        ] {
            assert!(told(claim).is_empty(), "{claim}: {:?}", told(claim));
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        for (claim, words) in [
            ("*Test:* `a.rs::it_held`.", "no test a.rs::it_held"),
            ("*Test:* `c.rs::it_holds`.", "no test c.rs::it_holds"),
            ("*Test:* `a.rs::helper`.", "no test a.rs::helper"),
            ("*Test:* the lab.", "\"A thing.\" names no test"),
            ("Trust me.", "\"A thing.\" says nothing of a test"),
        ] {
            let told = told(claim);
            assert!(told.len() == 1 && told[0].contains(words), "{claim}: {told:?}");
        }
    }
}
