//! The agent as an operator starts it, at the receiving end.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::room::{INTERFACES, RECEIVER, Room};
use crate::bench::cpu;
use crate::process;

/// How long an agent may take to begin, or to do what it is asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running agent, told to stop when dropped.
pub(super) struct Agent<'a> {
    room: &'a Room,
    binary: &'a Path,
    pub(super) child: Child,
}

impl<'a> Agent<'a> {
    /// Starts it with more arguments, and waits until it watches.
    pub(super) fn start(room: &'a Room, binary: &'a Path, arguments: &[&str], stdout: Stdio) -> Result<Self> {
        let path = binary.to_str().context("the binary's path is not UTF-8")?;
        let mut command = room.command(RECEIVER, path);
        command.args(["attach", "--interface", INTERFACES[RECEIVER]]).args(arguments);
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null()).spawn()?;
        let mut agent = Self { room, binary, child };
        let begun = Instant::now();
        while agent.status().is_err() {
            if let Some(status) = agent.child.try_wait()? {
                bail!("sensor attach {} ended at once ({status})", arguments.join(" "));
            }
            agent.patient(begun, "does not say that it watches")?;
        }
        Ok(agent)
    }

    /// What `sensor status` says of it.
    pub(super) fn status(&self) -> Result<Value> {
        let path = self.binary.to_str().context("the binary's path is not UTF-8")?;
        let told = process::read(self.room.command(RECEIVER, path).args(["status", "-o", "json"]))?;
        Ok(serde_json::from_str(&told)?)
    }

    /// One of the figures under `events`.
    pub(super) fn events(&self, name: &str) -> Result<u64> {
        self.status()?["events"][name].as_u64().with_context(|| format!("`sensor status` has no events.{name}"))
    }

    /// Waits a moment; an error once patience is at an end.
    pub(super) fn patient(&self, begun: Instant, what: &str) -> Result<()> {
        if begun.elapsed() > PATIENCE {
            bail!("the agent {what} within {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(20));
        Ok(())
    }

    /// CPU time of its threads so far, and of the first one, which drains the ring.
    pub(super) fn cpu_time(&self) -> Result<(Duration, Duration)> {
        let (id, mut sum) = (self.id(), Duration::ZERO);
        for thread in fs::read_dir(format!("/proc/{id}/task"))?.flatten() {
            let thread = thread.file_name().to_str().and_then(|id| id.parse().ok());
            sum += cpu::time_of(thread.context("a thread without a number")?)?;
        }
        Ok((sum, cpu::time_of(id)?))
    }

    /// MiB resident: all, and what belongs to no file and no map.
    pub(super) fn resident(&self) -> Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_suffix(" kB"));
            line.and_then(|kib| kib.trim().parse::<f64>().ok()).map(|kib| kib / 1024.0)
        };
        field("VmRSS:").zip(field("RssAnon:")).context("/proc does not tell what is resident")
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: i32) {
        // SAFETY: a signal to our own child, which is not waited for yet.
        unsafe { libc::kill(self.id(), signal) };
    }

    fn id(&self) -> i32 {
        self.child.id() as i32
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        // A stopped one would never hear the other signal.
        self.signal(libc::SIGCONT);
        self.signal(libc::SIGTERM);
        let _ = self.child.wait();
    }
}
