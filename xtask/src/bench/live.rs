//! What life adds: a driver, two CPUs, the network stack, the agent.

mod agent;
mod ends;
mod events;
mod forward;
mod replay;
mod room;
mod stream;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Effort, cpu};
use crate::privilege::Privilege;
use crate::workspace::Workspace;
use crate::{dist, packages, process};
use events::{Events, Idle};
use forward::Received;
use replay::Replay;
use stream::Stream;

/// What is called.
const PACKAGES: &[&str] = &["iproute2", "ethtool", "procps"];

/// Sends in bulk.
const FOR_STREAMS: &[&str] = &["iperf3"];

/// All live figures.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Live {
    /// Packets a second over a veth.
    pub(super) packets: Vec<Received>,
    /// Gbit/s over a veth.
    pub(super) streams: Vec<Stream>,
    /// The way of an event.
    pub(super) events: Option<Events>,
    /// The agent with nothing to do.
    pub(super) idle: Option<Idle>,
    /// Captures.
    pub(super) replay: Vec<Replay>,
    /// Why something is missing.
    pub(super) left_out: Vec<String>,
}

/// Measures everything; what cannot be measured is left out, and said.
pub(super) fn measure(workspace: &Workspace, bench: &Path, object: &Path, effort: &Effort) -> Result<Live> {
    packages::ensure(PACKAGES, Privilege::without_sudo())?;
    let binary = &build(workspace)?;
    let mut live = Live::default();
    eprintln!("live: packets a second, {} flows", forward::FLOWS);
    live.packets = live.part(forward::measure(bench, object, effort));
    eprintln!("live: replay");
    live.replay = live.part(replay::measure(&workspace.target.join("bench"), binary));
    // The agent and what feeds it are to share the CPUs as they like.
    cpu::free(&effort.cpus)?;
    eprintln!("live: idle agent");
    live.idle = live.part(events::idle(binary).map(Some));
    eprintln!("live: events");
    live.events = live.part(events::measure(bench, binary).map(Some));
    eprintln!("live: throughput");
    let streams = packages::ensure(FOR_STREAMS, Privilege::without_sudo()).and_then(|()| stream::measure(binary));
    live.streams = live.part(streams);
    cpu::pin(effort.cpus[0])?;
    Ok(live)
}

impl Live {
    /// A part; nothing where it cannot be measured, and the reason: the others can.
    fn part<T: Default>(&mut self, part: Result<T>) -> T {
        part.unwrap_or_else(|reason| {
            eprintln!("left out: {reason:#}");
            self.left_out.push(format!("{reason:#}"));
            T::default()
        })
    }
}

/// The agent as it is shipped, but for its C library.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--locked", "--release", "--package", "sensor", "--features", dist::FEATURES]);
    process::run(&mut cargo)?;
    Ok(workspace.target.join("release/sensor"))
}
