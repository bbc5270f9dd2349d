//! Network namespaces: named, entered by threads, removed with their lab.

use std::{
    fmt::Write,
    fs::{self, File},
    io,
    os::fd::AsRawFd,
    panic,
    path::Path,
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread::{self, JoinHandle},
};

use super::{
    error::{LabError, Task},
    ip,
};

/// Where iproute2 keeps named namespaces.
const DIRECTORY: &str = "/run/netns";
/// What every namespace of every lab begins with.
const PREFIX: &str = "sensorlab";

/// A named network namespace.
#[derive(Debug)]
pub struct Netns {
    name: String,
    handle: File,
}

impl Netns {
    fn open(name: String) -> Result<Self, LabError> {
        let handle = File::open(Path::new(DIRECTORY).join(&name)).task(|| format!("open the namespace {name}"))?;
        Ok(Self { name, handle })
    }

    /// The name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` inside. Sockets that it opens stay inside, whoever uses them later.
    ///
    /// A thread of its own does it and ends: a thread that returned from a foreign namespace would be a trap.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> io::Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                join(&self.handle)?;
                Ok(work())
            });
            inside.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
        })
    }

    /// Starts `work` inside, on its own thread.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<io::Result<T>>> {
        let handle = self.handle.try_clone()?;
        thread::Builder::new().name("lab".into()).spawn(move || {
            join(&handle)?;
            drop(handle);
            Ok(work())
        })
    }

    /// Writes kernel parameters, named as in `/proc/sys`.
    pub(crate) fn sysctl(&self, settings: &[(&str, &str)]) -> Result<(), LabError> {
        let write = || {
            settings.iter().try_for_each(|(name, value)| {
                // This directory shows the namespace of the thread that opens it.
                fs::write(Path::new("/proc/sys/net").join(name), value)
                    .task(|| format!("set net/{name} in {}", self.name))
            })
        };
        self.enter(write).task(|| format!("enter {}", self.name))?
    }
}

fn join(netns: &File) -> io::Result<()> {
    // SAFETY: no memory is passed; the descriptor is open for as long as `netns` is borrowed.
    match unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The namespaces of one lab; dropping it removes them.
#[derive(Debug)]
pub(crate) struct Namespaces(Vec<String>);

impl Namespaces {
    /// Makes one namespace for each role.
    pub(crate) fn create<const N: usize>(roles: [&str; N]) -> Result<(Self, [Netns; N]), LabError> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let lab = LABS.fetch_add(1, Ordering::Relaxed);
        let pid = process::id();
        let born = birth(pid).task(|| "read /proc/self/stat".into())?;
        let names = roles.map(|role| format!("{PREFIX}-{pid}-{born}-{lab}-{role}"));
        // Made first, so that a creation that fails halfway is cleaned up as well.
        let guard = Self(names.to_vec());
        ip::batch(None, &lines("netns add", &names))?;
        let mut opened = Vec::with_capacity(N);
        for name in names {
            opened.push(Netns::open(name)?);
        }
        let opened = opened.try_into().unwrap_or_else(|_| unreachable!("one for each role"));
        Ok((guard, opened))
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The kernel takes the links away with their namespaces. Names that were never made are no fault.
        let _ = ip::batch_all(&lines("netns delete", &self.0));
    }
}

/// Removes the namespaces whose lab died without removing them (kill -9, abort); returns how many.
pub(crate) fn remove_leftovers() -> Result<usize, LabError> {
    let entries = match fs::read_dir(DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.task(|| format!("read {DIRECTORY}"))?,
    };
    let orphans: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| owner(name).is_some_and(|(pid, born)| birth(pid).ok() != Some(born)))
        .collect();
    if !orphans.is_empty() {
        let removed = ip::batch_all(&lines("netns delete", &orphans));
        let remain = |name: &String| Path::new(DIRECTORY).join(name).exists();
        // Somebody else may have been cleaning up at the same time.
        if orphans.iter().any(remain) {
            removed?;
        }
    }
    Ok(orphans.len())
}

fn lines(verb: &str, names: &[String]) -> String {
    names.iter().fold(String::new(), |mut script, name| {
        let _ = writeln!(script, "{verb} {name}");
        script
    })
}

/// The process that made a namespace, from the namespace's name: its id and its birth.
fn owner(name: &str) -> Option<(u32, u64)> {
    let mut parts = name.split('-');
    (parts.next()? == PREFIX).then_some(())?;
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// When a process started, in ticks since boot: with it, a pid that was given away again is not mistaken for the owner.
fn birth(pid: u32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field, the command in brackets, may hold anything; the start is the 22nd.
    stat.rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(19)?.parse().ok())
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::{birth, owner};

    #[test]
    fn names_tell_their_owner() {
        assert_eq!(owner("sensorlab-12-345-0-client"), Some((12, 345)));
        assert_eq!(owner("sensorlab-x-345-0-client"), None);
        assert_eq!(owner("elsewhere-12-345-0-client"), None);
        assert!(birth(std::process::id()).is_ok_and(|ticks| ticks > 0));
    }
}
