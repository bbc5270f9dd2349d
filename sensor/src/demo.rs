//! The demonstration: a lab network with a forger in it, and the sensor that catches it.

use crate::{cli::Demo, failure::Failure};

/// Runs it.
///
/// # Errors
///
/// Not in this build.
pub fn run(_options: &Demo) -> Result<(), Failure> {
    Err(Failure::Other("this build has no demonstration: use `sensor replay` on a capture".into()))
}
