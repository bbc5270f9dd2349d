//! Two network namespaces of our own with a pair of veths between them.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::{io, panic, process, thread};

use anyhow::{Context, Result};

use crate::process::{read, succeeds};

/// What every namespace of ours begins with.
const PREFIX: &str = "sensorbench";

/// The interface at each end.
pub(super) const INTERFACES: [&str; 2] = ["send0", "recv0"];

/// The number of either, in its namespace.
pub(super) const INDEX: u32 = 7;

/// The address at each end.
pub(super) const ADDRESSES: [&str; 2] = ["10.77.0.1", "10.77.0.2"];

/// Where frames come from, and where they go.
pub(super) const SENDER: usize = 0;
pub(super) const RECEIVER: usize = 1;

/// The namespaces; dropping it removes them, and the veths with them.
pub(super) struct Room {
    names: [String; 2],
}

impl Room {
    /// Builds it, and removes what killed runs have left.
    pub(super) fn build() -> Result<Self> {
        remove_leftovers();
        let names = [0, 1].map(|end| format!("{PREFIX}-{}-{end}", process::id()));
        let room = Self { names };
        for name in &room.names {
            ip(&["netns", "add", name])?;
        }
        let [a, b] = &room.names;
        let [send, receive] = INTERFACES;
        let index = &INDEX.to_string();
        let peer = ["peer", "name", receive, "index", index, "netns", b];
        ip(&[&["-n", a, "link", "add", send, "index", index, "type", "veth"][..], &peer].concat())?;
        for (end, name) in room.names.iter().enumerate() {
            // Nothing but our own frames: no neighbour discovery, no multicast listeners.
            read(room.command(end, "sysctl").args(["-q", "-w", "net.ipv6.conf.all.disable_ipv6=1"]))?;
            ip(&["-n", name, "address", "add", &format!("{}/24", ADDRESSES[end]), "dev", INTERFACES[end]])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
            ip(&["-n", name, "link", "set", INTERFACES[end], "up"])?;
        }
        Ok(room)
    }

    /// A command that runs at an end.
    pub(super) fn command(&self, end: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[end], program]);
        command
    }

    /// Runs `work` at an end, on a thread of its own: one that came back from a foreign namespace would be a trap.
    pub(super) fn enter<T: Send>(&self, end: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let namespace = File::open(format!("/run/netns/{}", self.names[end])).context("a namespace of ours is gone")?;
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                // SAFETY: no memory is passed, and the descriptor is open.
                if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(io::Error::last_os_error()).context("cannot enter a namespace of ours");
                }
                work()
            });
            inside.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
        })
    }

    /// Packets that an end's interface has received.
    pub(super) fn received(&self, end: usize) -> Result<u64> {
        let told = ip(&["-n", &self.names[end], "-j", "-s", "link", "show", INTERFACES[end]])?;
        let told: serde_json::Value = serde_json::from_str(&told)?;
        told[0]["stats64"]["rx"]["packets"].as_u64().context("`ip` tells no received packets")
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.names.iter().for_each(|name| drop(ip(&["netns", "delete", name])));
    }
}

/// Namespaces of processes that are no more.
fn remove_leftovers() {
    for name in ip(&["netns", "list"]).unwrap_or_default().lines().filter_map(|line| line.split(' ').next()) {
        let mut parts = name.split('-');
        let ours = parts.next() == Some(PREFIX);
        let owner: Option<u32> = parts.next().and_then(|pid| pid.parse().ok());
        if ours && owner.is_some_and(|pid| !succeeds(Command::new("test").args(["-d", &format!("/proc/{pid}")]))) {
            drop(ip(&["netns", "delete", name]));
        }
    }
}

fn ip(arguments: &[&str]) -> Result<String> {
    read(Command::new("ip").args(arguments))
}
