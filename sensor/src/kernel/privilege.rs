//! What the agent needs of the kernel and of its own privileges, checked before anything is tried.

use std::{ffi::OsString, fs};

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

/// An error if the running kernel lacks what there is no way around.
pub(super) fn check_version() -> Result<(), KernelError> {
    too_old(&version()).map_or(Ok(()), Err)
}

/// An error where the CPUs cannot be counted, each of which has a part in some maps.
pub(super) fn check_cpus() -> Result<(), KernelError> {
    const POSSIBLE: &str = "/sys/devices/system/cpu/possible";
    fs::read(POSSIBLE).map(drop).map_err(|cause| KernelError::Cpus { path: POSSIBLE, cause })
}

/// As `uname -r` has it.
fn version() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().into()
}

/// The first two numbers of a version; later than any, if there are none.
fn numbers(version: &str) -> (u32, u32) {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    (numbers.next().unwrap_or(u32::MAX), numbers.next().unwrap_or(0))
}

/// What a kernel of this release is too old for.
pub(crate) fn too_old(release: &str) -> Option<KernelError> {
    let features = [
        ("the event ring (BPF_MAP_TYPE_RINGBUF)", (5, 8), "5.8"),
        ("detaching when the agent dies (XDP links)", (5, 9), "5.9"),
    ];
    let lacking = features.into_iter().find(|(_, since, _)| numbers(release) < *since);
    lacking.map(|(feature, _, needed)| KernelError::TooOld { version: release.into(), feature, needed })
}

/// A variable of the environment, unless the process has privileges that whoever started it has not.
pub(super) fn environment(name: &str) -> Option<OsString> {
    // SAFETY: a plain library call.
    let elevated = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    if elevated { None } else { std::env::var_os(name) }
}

/// The kernel's version, if it counts BPF memory as locked memory and this process may not lock as much as it likes.
pub(super) fn locked_memory() -> Option<String> {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a plain system call on a valid struct.
    unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
    let version = version();
    (numbers(&version) < (5, 11) && limit.rlim_cur != libc::RLIM_INFINITY).then_some(version)
}

/// Kernels before 5.11 count maps against the limit of locked memory.
pub(super) fn raise_memlock() {
    let unlimited = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a plain system call on a valid struct. Failing is fine: newer kernels do not ask.
    unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &unlimited) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_is_told_so() {
        assert!(too_old("5.10.0-46-cloud-amd64").is_none());
        assert!(too_old("6.1.0").is_none() && too_old("").is_none());
        let ring = too_old("4.19.0-27-amd64").expect("too old").to_string();
        assert!(ring.contains("4.19.0-27-amd64") && ring.contains("5.8"), "{ring}");
        let link = too_old("5.8.0").expect("too old").to_string();
        assert!(link.contains("XDP links") && link.contains("5.9"), "{link}");
    }
}
