//! What the agent itself takes: memory, time, files.

use std::fs;

use serde::{Deserialize, Serialize};

/// The agent's own process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Process {
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// CPU that it used, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Files that it has open.
    pub open_files: Option<u64>,
}

impl Process {
    /// As of now.
    pub(super) fn now() -> Self {
        let stat = fs::read_to_string("/proc/self/stat").ok();
        // The second field, the command in brackets, may hold anything; the 14th and 15th are ticks, the 24th is pages.
        let field = |n: usize| stat.as_deref()?.rsplit_once(") ")?.1.split(' ').nth(n - 3)?.parse::<u64>().ok();
        // SAFETY: plain library calls that pass no memory.
        let [ticks, page] = unsafe { [libc::sysconf(libc::_SC_CLK_TCK), libc::sysconf(libc::_SC_PAGESIZE)] };
        let open = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64);
        Self {
            resident_bytes: field(24).map(|pages| pages * page.max(0) as u64),
            cpu_seconds: field(14).zip(field(15)).map(|(user, system)| (user + system) as f64 / ticks.max(1) as f64),
            open_files: open,
        }
    }
}
