//! The tables' place in a document.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What stands around the tables in the document.
const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

/// Replaces the tables in a document; what is around them stays.
pub(in crate::bench) fn into_document(path: &Path, tables: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(path, replaced(&text, tables)?).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(text: &str, tables: &str) -> Result<String> {
    let (begin, end) = text.find(BEGIN).zip(text.find(END)).context("the document has no place for the tables")?;
    ensure!(begin < end, "the document's place for the tables ends before it begins");
    Ok(format!("{}{BEGIN}\n\n{}\n{}", &text[..begin], tables.trim_start(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_keeps_what_is_around_the_tables() {
        let text = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nRest.\n");
        let text = replaced(&text, "| new |\n").unwrap();
        assert_eq!(text, format!("# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nRest.\n"));
        assert_eq!(replaced(&text, "| new |\n").unwrap(), text, "twice is as once");
        assert!(replaced("# Title\n", "").is_err());
    }
}
