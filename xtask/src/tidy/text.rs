//! Rules for one text file.

use std::path::Path;

/// More lines than this are a warning: two things are in one file.
const LONG: usize = 400;

/// More lines than this are an error.
const TOO_LONG: usize = 600;

/// Markers of unfinished work, in two halves so that this file obeys its own rule.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!")];

/// Folders that only some machine has. A repository that names one does not work elsewhere.
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/wt")];

/// Signs of a package registry other than the public ones: a mirror is a matter of the user's own configuration.
const REGISTRIES: &[&str] = &[concat!("replace", "-with"), concat!("sparse", "+http"), concat!("registry", "+http")];

/// The one registry that a lock file names.
const CRATES_IO: &str = concat!("registry", "+https://github.com/rust-lang/crates.io-index");

/// All that is wrong with a file, each with its place.
pub(super) fn complaints(path: &Path, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let shown = path.display();
    if is(path, &["rs"]) {
        if !text.starts_with("//!") {
            complaints.push(format!("{shown}:1: say in a `//!` line what this module is for"));
        }
        let lines = text.lines().count();
        if lines > TOO_LONG {
            complaints.push(format!("{shown}: {lines} lines; split it, {TOO_LONG} is the most"));
        }
    }
    for (number, line) in (1..).zip(text.lines()) {
        complaints.extend(of_line(path, line).map(|complaint| format!("{shown}:{number}: {complaint}")));
    }
    complaints
}

/// A note for a file that is getting long.
pub(super) fn long(path: &Path, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (is(path, &["rs"]) && lines > LONG).then(|| format!("{}: {lines} lines, more than {LONG}", path.display()))
}

fn of_line(path: &Path, line: &str) -> impl Iterator<Item = String> {
    let blank = line.ends_with([' ', '\t', '\r']) && !verbatim(path);
    let blank = blank.then(|| "white space at the end of the line".to_owned());
    let find = |words: &'static [&'static str]| words.iter().copied().find(|word| line.contains(word));
    let marker = find(MARKERS).map(|word| format!("{word}: open work belongs into an issue"));
    let folder = find(FOLDERS).map(|word| format!("{word}: a folder of one machine"));
    let registry = find(REGISTRIES).filter(|_| !line.contains(CRATES_IO));
    let registry = registry.map(|word| format!("{word}: a registry other than crates.io"));
    [blank, marker, folder, registry].into_iter().flatten()
}

/// Kept as they came: a licence, a patch, a recorded output, bytes for a fuzzer.
fn verbatim(path: &Path) -> bool {
    path.starts_with("LICENSES") || path.starts_with("fuzz/corpus") || is(path, &["patch", "diff", "snap", "golden"])
}

fn is(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, text: &str) -> String {
        complaints(Path::new(path), text).join("\n")
    }

    #[test]
    fn a_good_file_is_left_alone() {
        assert_eq!(told("a.rs", "//! A module.\n\nfn f() {}\n"), "");
        assert_eq!(told("Cargo.lock", &format!("source = \"{CRATES_IO}\"\n")), "");
    }

    #[test]
    fn a_module_needs_a_sentence() {
        assert!(told("a.rs", "fn f() {}\n").contains("a.rs:1:"));
        assert_eq!(told("a.py", "pass\n"), "");
    }

    #[test]
    fn the_size_is_a_note_first_and_an_error_later() {
        let lines = |number: usize| format!("//! A module.{}", "\n".repeat(number));
        assert!(long(Path::new("a.rs"), &lines(LONG)).is_none());
        assert!(long(Path::new("a.rs"), &lines(LONG + 1)).is_some());
        assert_eq!(told("a.rs", &lines(TOO_LONG)), "");
        assert!(told("a.rs", &lines(TOO_LONG + 1)).contains("601 lines"));
    }

    #[test]
    fn white_space_at_the_end_is_found_but_in_verbatim_files() {
        assert!(told("a.md", "fine\nnot fine \n").contains("a.md:2: white space"));
        assert!(told("a.md", "dos\r\n").is_empty(), "lines() takes the carriage return: git decides that");
        assert_eq!(told("a.patch", "context \n"), "");
    }

    #[test]
    fn each_forbidden_word_is_found_with_its_line() {
        for word in MARKERS.iter().chain(FOLDERS).chain(REGISTRIES) {
            let told = told("a.md", &format!("fine\nsee {word}x\n"));
            assert!(told.starts_with(&format!("a.md:2: {word}")), "{word}: {told}");
        }
    }
}
