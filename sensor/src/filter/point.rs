//! Errors that point at the place.

/// What is wrong with `text` at its byte `at`, for `len` bytes: the text, and marks below the place.
pub(super) fn at(text: &str, at: usize, len: usize, why: &str) -> String {
    let shown = |part: Option<&str>| part.unwrap_or_default().escape_debug().to_string();
    let before = shown(text.get(..at)).chars().count();
    let marks = shown(text.get(at..at + len)).chars().count().max(1);
    format!("{why}\n\n    {}\n    {}{}", text.escape_debug(), " ".repeat(before), "^".repeat(marks))
}

/// The same where all of it is wrong.
pub(super) fn whole(text: &str, why: &str) -> String {
    at(text, 0, text.len(), why)
}
