//! Measured tables in `docs/accuracy.md`.

use std::{fs, path::Path};

/// The named table in the document must be this one; with `UPDATE_ACCURACY=1` it becomes this one.
///
/// # Panics
///
/// If it is another, or the document is without it.
pub fn hold(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/accuracy.md");
    let text = fs::read_to_string(&path).expect("the document");
    let mark = |end: &str| format!("<!-- {name}: {end} -->");
    let begin = mark("begin") + "\n";
    let begin = text.find(&begin).expect("the table's begin") + begin.len();
    let end = text.find(&mark("end")).expect("the table's end");
    if std::env::var_os("UPDATE_ACCURACY").is_some() {
        fs::write(&path, [&text[..begin], table, &text[end..]].concat()).expect("the document");
    } else {
        assert_eq!(&text[begin..end], table, "docs/accuracy.md is out of date: run the tests with UPDATE_ACCURACY=1");
    }
}
