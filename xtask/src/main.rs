//! The build language.
fn main() {}
