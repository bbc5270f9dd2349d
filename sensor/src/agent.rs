//! The agent: loads, attaches, drains and reports.

use crate::{cli::Attach, failure::Failure};

/// Watches interfaces until it is interrupted or its time is over.
///
/// # Errors
///
/// Not in this build.
pub fn attach(_options: &Attach) -> Result<(), Failure> {
    Err(Failure::Other("this build cannot attach: use `sensor replay` on a capture".into()))
}
