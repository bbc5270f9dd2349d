//! What the agent needs of the kernel and of its own privileges, checked before anything is tried.

use std::{ffi::OsString, fs};

use sensor_common::config::ClockSource;

use super::KernelError;

const NEEDED: [(u32, &str); 3] = [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];
const SYS_ADMIN: u32 = 21;

/// Whether this thread may load and attach.
pub(super) fn check() -> Result<(), KernelError> {
    let missing = capabilities().map(missing).unwrap_or_default();
    if missing.is_empty() { Ok(()) } else { Err(KernelError::Privilege { missing: missing.join(" and ") }) }
}

/// The capabilities that these effective ones lack.
pub(crate) fn missing(effective: u64) -> Vec<&'static str> {
    let has = |capability: u32| effective >> capability & 1 != 0;
    let missing = NEEDED
        .iter()
        // Before 5.8, and for old containers, CAP_SYS_ADMIN stands for the two newer ones.
        .filter(|(capability, _)| !(has(*capability) || (*capability > 12 && has(SYS_ADMIN))));
    missing.map(|(_, name)| *name).collect()
}

/// Whether the process may look at what others have loaded.
pub(super) fn check_inspect() -> Result<(), KernelError> {
    match capabilities() {
        Some(effective) if effective >> SYS_ADMIN & 1 == 0 => {
            Err(KernelError::Privilege { missing: "CAP_SYS_ADMIN".into() })
        }
        _ => Ok(()),
    }
}

/// The effective capabilities of this thread; each has its own.
pub(crate) fn capabilities() -> Option<u64> {
    let status = fs::read_to_string("/proc/thread-self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

/// The clock that the running kernel offers; an error if it is too old for the rest.
pub(super) fn clock_source() -> Result<ClockSource, KernelError> {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    // The coarse clock is older (5.11) than what is needed anyway.
    too_old(version.trim()).map_or(Ok(ClockSource::CoarseAndFine), Err)
}

/// What a kernel of this release is too old for.
pub(crate) fn too_old(release: &str) -> Option<KernelError> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    let running: (u32, u32) = (numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(0));
    let features = [
        ("the event ring (BPF_MAP_TYPE_RINGBUF)", (5, 8), "5.8"),
        ("detaching when the agent dies (XDP links)", (5, 9), "5.9"),
        ("compare-and-swap in BPF programs", (5, 12), "5.12"),
        ("XDP on frames of several buffers", (5, 18), "5.18"),
    ];
    let lacking = features.into_iter().find(|(_, since, _)| running < *since);
    lacking.map(|(feature, _, needed)| KernelError::TooOld { version: release.into(), feature, needed })
}

/// A variable of the environment, unless the process has privileges that whoever started it has not.
pub(super) fn environment(name: &str) -> Option<OsString> {
    // SAFETY: a plain library call.
    let elevated = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if elevated { None } else { std::env::var_os(name) }
}

/// Kernels before 5.11 count maps against the limit of locked memory.
pub(super) fn raise_memlock() {
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a plain system call on a valid struct. Failing is fine: newer kernels do not ask.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) };
}
