//! Text from outside, as a terminal may be shown it.

/// Text without what steers a terminal or turns its direction: such letters are written as `\u{1b}`. Quotation marks and
/// backslashes stay.
pub(crate) fn shown(text: &str) -> String {
    let show = |c| if matches!(c, '"' | '\'' | '\\') { String::from(c) } else { c.escape_debug().to_string() };
    text.chars().map(show).collect()
}

/// The same, line by line.
pub fn lines_shown(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_steers_a_terminal(text in any::<String>()) {
            let steers = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            prop_assert!(!shown(&text).contains(steers), "{text:?}");
        }
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["eth0.5", "veth-é'\"\\", "日本"] {
            assert_eq!(shown(name), name);
        }
        assert_eq!(shown("a\x1b[2J\u{202e}\n"), "a\\u{1b}[2J\\u{202e}\\n");
    }
}
