//! Processors: which there are for us, staying on one, and the time that a thread has run.

use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result};

/// Nanoseconds that this thread has run, which others' work on the same CPU does not lengthen.
pub(super) fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid clock and a valid place for its time; it cannot fail with both.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The time that another thread has run, of whichever process.
pub(super) fn time_of(thread: i32) -> Result<Duration> {
    let path = format!("/proc/{thread}/schedstat");
    let told = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let nanos = told.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Ok(Duration::from_nanos(nanos.with_context(|| format!("{path} has no time: `{told}`"))?))
}

/// The CPUs that we may run on.
pub(super) fn allowed() -> Result<Vec<usize>> {
    // SAFETY: a set of no CPUs is all zeroes; the call gets a valid set and its size.
    let (result, set) = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        (libc::sched_getaffinity(0, size_of_val(&set), &raw mut set), set)
    };
    if result != 0 {
        return Err(io::Error::last_os_error()).context("cannot tell which CPUs there are");
    }
    // SAFETY: no index is beyond the set.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect())
}

/// Keeps this thread on one CPU: a move would leave the caches behind, and per-CPU maps with them.
pub(super) fn pin(cpu: usize) -> Result<()> {
    keep(0, cpu)
}

/// Lets this thread run on all of these.
pub(super) fn free(cpus: &[usize]) -> Result<()> {
    keep_on(0, cpus)
}

/// Keeps a thread on one CPU; 0 is this one.
pub(super) fn keep(thread: i32, cpu: usize) -> Result<()> {
    keep_on(thread, &[cpu])
}

fn keep_on(thread: i32, cpus: &[usize]) -> Result<()> {
    // SAFETY: a set of no CPUs is all zeroes; the calls get a valid set and its size.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cpus.iter().for_each(|cpu| libc::CPU_SET(*cpu, &mut set));
        libc::sched_setaffinity(thread, size_of_val(&set), &raw const set)
    };
    if result != 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("cannot stay on CPUs {cpus:?}"));
    }
    Ok(())
}
