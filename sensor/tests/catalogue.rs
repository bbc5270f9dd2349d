//! The catalogue: complete, true of the engine's own table, and what the documents say. With `UPDATE_CATALOGUE=1` it writes them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use sensor::{
    catalogue::{self, Entry, FAMILIES, GROUPS, PATTERNS, PATTERNS_TITLE, Piece, numbers::numbers},
    correlate::aggregate::Aggregate,
};
use sensor_common::kind::Kind;

/// Columns of a document.
const WIDTH: usize = 120;

#[test]
fn every_kind_is_explained_and_in_one_family() {
    let listed: Vec<Kind> = FAMILIES.iter().flat_map(|family| family.kinds).copied().collect();
    assert_eq!(listed.len(), Kind::ALL.len());
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len(), "a kind twice");
    for (id, entry) in all() {
        let Entry { brief, severity, meaning, evidence, causes, benign, next, sources } = entry;
        assert!(severity[0] <= severity[1], "{id}");
        assert!(!brief.is_empty() && brief.len() <= 60 && !brief.ends_with('.'), "{id}: {brief}");
        for text in [meaning, evidence] {
            assert!(text.ends_with('.') && text.len() > 20, "{id}: {text}");
        }
        for list in [causes, benign, next, sources] {
            assert!(!list.is_empty() && list.iter().all(|text| text.len() > 5), "{id}: {list:?}");
        }
        assert!(next.iter().all(|step| step.ends_with(['.', '?'])), "{id}: {next:?}");
    }
}

/// Every kind and every aggregate, in the order of the documents.
fn all() -> impl Iterator<Item = (&'static str, &'static Entry)> {
    sections().into_iter().flat_map(|(_, entries)| entries)
}

/// The same by family, or group.
fn sections() -> Vec<(&'static str, Vec<(&'static str, &'static Entry)>)> {
    let families = FAMILIES
        .iter()
        .map(|family| (family.title, family.kinds.iter().map(|kind| (kind.id(), catalogue::entry(*kind))).collect()));
    let groups = GROUPS
        .iter()
        .map(|group| (group.title, group.aggregates.iter().map(|a| (a.id(), catalogue::aggregate(*a))).collect()));
    families.chain(groups).chain([(PATTERNS_TITLE, PATTERNS.to_vec())]).collect()
}

#[test]
fn every_aggregate_is_in_one_group() {
    let listed: BTreeSet<Aggregate> = GROUPS.iter().flat_map(|group| group.aggregates).copied().collect();
    assert_eq!(listed.len(), Aggregate::ALL.len());
    assert_eq!(GROUPS.iter().map(|group| group.aggregates.len()).sum::<usize>(), Aggregate::ALL.len(), "one twice");
    let ids: BTreeSet<&str> = all().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), all().count(), "an id is a kind's and an aggregate's");
}

#[test]
fn every_piece_has_its_condition() {
    for Piece { id, condition, .. } in catalogue::pieces() {
        assert!(condition.len() > 10, "{id} is missing in catalogue/pieces.rs");
    }
}

#[test]
fn ids_within_the_texts_exist() {
    for (id, entry) in all() {
        let Entry { meaning, evidence, causes, benign, next, .. } = entry;
        for text in [meaning, evidence].into_iter().chain([causes, benign, next].into_iter().copied().flatten()) {
            let quoted: Vec<&str> = text.split('`').collect();
            assert!(quoted.len() % 2 == 1, "{id}: {text}");
            for quoted in quoted.iter().skip(1).step_by(2) {
                assert!(catalogue::find(quoted).is_some() || catalogue::piece(quoted).is_some(), "{id}: {quoted}");
            }
        }
    }
}

#[test]
fn the_nearest_id_is_near() {
    assert_eq!(catalogue::nearest("ttl-rst-missmatch"), "ttl-rst-mismatch");
    assert_eq!(catalogue::nearest("rst_abort"), "rst-abort");
    assert_eq!(catalogue::nearest("ipid"), "ipid-dup");
}

/// One test, since all write.
#[test]
fn the_documents_say_what_the_catalogue_says() {
    document("README.md", "kinds", &kinds());
    document("docs/detections.md", "evidence", &evidence());
    document("docs/detections.md", "kinds", &explanations());
}

fn kinds() -> String {
    let mut table = String::from("\n| kind | what it is | severity |\n|---|---|---|\n");
    for (id, entry) in all() {
        writeln!(table, "| `{id}` | {} | {} |", entry.brief, severity(entry)).unwrap();
    }
    table
}

fn evidence() -> String {
    let mut table = String::from("\n| id | points | exact condition |\n|---|---|---|\n");
    for Piece { id, points, condition } in catalogue::pieces() {
        let points = if points == 0.0 { "0".to_owned() } else { format!("{points:+}").replace('-', "\u{2212}") };
        writeln!(table, "| `{id}` | {points} | {condition} |").unwrap();
    }
    table
}

fn explanations() -> String {
    let mut text = String::new();
    for (title, entries) in sections() {
        write!(text, "\n## {title}\n").unwrap();
        for (id, entry) in entries {
            write!(text, "\n### {id}\n\n").unwrap();
            let mut item = |label: &str, words: &str| text.push_str(&wrapped(&format!("- **{label}.** {words}")));
            item("Meaning", entry.meaning);
            item("Evidence", entry.evidence);
            let numbers = catalogue::kind(id).map_or(&[][..], numbers);
            let numbers: Vec<_> = numbers.iter().map(|n| format!("`{}`, {}", n.name, n.meaning)).collect();
            if !numbers.is_empty() {
                item("Numbers", &format!("{}.", numbers.join("; ")));
            }
            item("Severity", &format!("{}.", sentence(&severity(entry))));
            item("Causes", &format!("{}.", sentence(&entry.causes.join("; "))));
            item("Looks like it", &format!("{}.", sentence(&entry.benign.join("; "))));
            item("Next", &entry.next.join(" "));
            item("Sources", &format!("{}.", entry.sources.join("; ")));
        }
    }
    text
}

fn severity(entry: &Entry) -> String {
    let [least, most] = entry.severity;
    if least == most { least.name().to_owned() } else { format!("{} to {}", least.name(), most.name()) }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A list item in lines of a document's width.
fn wrapped(item: &str) -> String {
    let (mut text, mut column) = (String::new(), 0);
    for word in item.split(' ') {
        if column > 0 && column + 1 + word.chars().count() > WIDTH {
            text.push_str("\n ");
            column = 1;
        }
        if column > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.chars().count();
    }
    text + "\n"
}

/// What stands between the marks in the document must be this; with `UPDATE_CATALOGUE=1` it becomes this.
fn document(path: &str, mark: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = fs::read_to_string(&file).unwrap();
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("\n<!-- {mark}: end -->"));
    let begin = text.find(&begin).expect("where it begins") + begin.len();
    let end = text.find(&end).expect("where it ends");
    if std::env::var_os("UPDATE_CATALOGUE").is_some() {
        fs::write(&file, [&text[..begin], expected, &text[end..]].concat()).unwrap();
    } else {
        assert_eq!(&text[begin..end], expected, "{path} is out of date: run this test with UPDATE_CATALOGUE=1");
    }
}
