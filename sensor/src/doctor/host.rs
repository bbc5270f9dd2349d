//! What there is to know of the host, read from `/proc` and `/sys`.

use std::{env, fs, io, mem};

use crate::{kernel::capabilities, memory::Room};

/// Readings of the host; `None` is what could not be read.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    /// The kernel's release.
    pub(super) release: String,
    /// Whether the kernel describes its own types.
    pub(super) btf: bool,
    /// Effective capabilities.
    pub(super) capabilities: Option<u64>,
    /// Whether root of this user namespace is root of the machine.
    pub(super) root_is_root: Option<bool>,
    /// What the kernel says of a call of bpf(2) that does nothing.
    pub(super) bpf: Option<i32>,
    /// The chosen mode of lockdown.
    pub(super) lockdown: Option<String>,
    /// Files that may be open.
    pub(super) files: Option<u64>,
    /// What memory there is.
    pub(super) memory: Room,
    /// Whether BPF is compiled, and whether constants are blinded.
    pub(super) jit: Option<u64>,
    pub(super) harden: Option<u64>,
    /// Whether the run time of programs is measured.
    pub(super) stats: Option<u64>,
    /// Whether there is a file system for pinned objects.
    pub(super) bpffs: bool,
    /// The clock source, and those to be had.
    pub(super) clock: Option<String>,
    pub(super) clocks: String,
    /// Whether somebody keeps the wall clock right.
    pub(super) synchronized: Option<bool>,
    /// The path of the running program.
    pub(super) program: String,
}

impl Host {
    pub(super) fn read() -> Self {
        let clock = "/sys/devices/system/clocksource/clocksource0";
        Self {
            release: text("/proc/sys/kernel/osrelease").unwrap_or_default(),
            btf: fs::exists("/sys/kernel/btf/vmlinux").unwrap_or_default(),
            capabilities: capabilities(),
            root_is_root: text("/proc/self/uid_map").map(|map| is_whole(&map)),
            bpf: probe(),
            lockdown: text("/sys/kernel/security/lockdown").and_then(|modes| chosen(&modes)),
            files: files(),
            memory: Room::read(),
            jit: number("/proc/sys/net/core/bpf_jit_enable"),
            harden: number("/proc/sys/net/core/bpf_jit_harden"),
            stats: number("/proc/sys/kernel/bpf_stats_enabled"),
            bpffs: text("/proc/self/mounts")
                .is_some_and(|mounts| mounts.lines().any(|mount| mount.split(' ').nth(2) == Some("bpf"))),
            clock: text(&format!("{clock}/current_clocksource")),
            clocks: text(&format!("{clock}/available_clocksource")).unwrap_or_default(),
            synchronized: synchronized(),
            program: env::current_exe().map(|path| path.display().to_string()).unwrap_or_else(|_| "sensor".into()),
        }
    }
}

fn text(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: &str) -> Option<u64> {
    text(path)?.parse().ok()
}

/// Whether a map of user ids is that of the machine: all of them, as they are.
fn is_whole(map: &str) -> bool {
    map.split_whitespace().collect::<Vec<_>>() == ["0", "0", "4294967295"]
}

/// The word in brackets.
fn chosen(modes: &str) -> Option<String> {
    Some(modes.split_once('[')?.1.split_once(']')?.0.to_owned())
}

/// Asks for a command that there is not: the error tells whether others would be heard.
fn probe() -> Option<i32> {
    let nothing = [0u64; 16];
    // SAFETY: the attributes outlive the call, which knows no such command and writes nothing.
    let done = unsafe { libc::syscall(libc::SYS_bpf, 0xffff, nothing.as_ptr(), size_of_val(&nothing)) };
    (done < 0).then(|| io::Error::last_os_error().raw_os_error()).flatten()
}

fn files() -> Option<u64> {
    // SAFETY: all zero is a valid struct, which the call fills.
    let mut limit: libc::rlimit = unsafe { mem::zeroed() };
    // SAFETY: a valid place to write to.
    (unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0).then_some(limit.rlim_cur)
}

fn synchronized() -> Option<bool> {
    // SAFETY: all zero asks and sets nothing.
    let mut time: libc::timex = unsafe { mem::zeroed() };
    // SAFETY: a valid place to write to.
    match unsafe { libc::adjtimex(&raw mut time) } {
        state if state < 0 => None,
        state => Some(state != libc::TIME_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_understood() {
        assert!(is_whole("         0          0 4294967295") && !is_whole("0 1000 1"));
        assert_eq!(chosen("none [integrity] confidentiality").as_deref(), Some("integrity"));
        assert_eq!(chosen("none"), None);
        let host = Host::read();
        assert!(host.release.contains('.') && host.files.is_some() && host.capabilities.is_some(), "{host:?}");
        assert!(host.bpf.is_some(), "there is no such command");
    }
}
