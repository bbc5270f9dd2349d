//! What life adds: a driver, two CPUs, the network stack, the agent.

mod ends;
mod forward;
mod room;
mod tables;

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::Effort;
use crate::packages;
use crate::privilege::Privilege;
use forward::Received;

/// What is called.
const PACKAGES: &[&str] = &["iproute2", "ethtool", "procps"];

/// All live figures; what could not be measured is missing.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Live {
    /// Packets a second over a veth.
    #[serde(default)]
    pub(super) packets: Vec<Received>,
}

/// Measures everything, and says what it had to leave out.
pub(super) fn measure(bench: &Path, object: &Path, effort: &Effort) -> Result<Live> {
    packages::ensure(PACKAGES, Privilege::without_sudo())?;
    let mut live = Live::default();
    eprintln!("live: packets a second, {} flows", forward::FLOWS);
    live.packets = left_out(forward::measure(bench, object, effort));
    Ok(live)
}

/// Nothing, with the reason on the terminal, where a part cannot be measured: the others can.
fn left_out<T: Default>(part: Result<T>) -> T {
    part.unwrap_or_else(|reason| {
        eprintln!("left out: {reason:#}");
        T::default()
    })
}
