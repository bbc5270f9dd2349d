//! What the agent gives up once it has attached: capabilities, new privileges, most system calls, the file system.
//!
//! The order is part of it: no-new-privs first, since Landlock and seccomp ask for it; seccomp last, since it forbids the calls
//! that the others are made of. Credentials belong to threads, so all this happens before the agent starts its own, which
//! inherit it. A layer that the kernel lacks is named, and the others hold.

mod capabilities;
mod landlock;
mod syscalls;

use std::{
    fs::{self, File},
    path::PathBuf,
};

use rustix::thread::set_no_new_privs;
use serde::{Deserialize, Serialize};

use self::syscalls::Scope;

/// What the agent will still do.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// It attaches to interfaces that come later.
    pub hot_plug: bool,
    /// It has a clsact filter to remove at its end; links end by themselves.
    pub clsact: bool,
    /// Files and folders that it reads later.
    pub read: Vec<PathBuf>,
    /// Where it connects to.
    pub connect: Option<Connect>,
    /// Folders in which it writes files, makes and removes them.
    pub write: Vec<PathBuf>,
    /// A folder from which it removes what it made, at its end.
    pub remove: Option<PathBuf>,
}

/// Connections that are made later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The only TCP port.
    pub port: u16,
    /// Names of hosts are looked up, by UDP.
    pub lookup: bool,
}

/// One layer, and how far it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Whether it holds at all.
    pub enforced: bool,
    /// How far, or why not.
    pub detail: String,
}

impl Layer {
    fn on(detail: impl Into<String>) -> Self {
        Self { enforced: true, detail: detail.into() }
    }

    fn off(detail: impl Into<String>) -> Self {
        Self { enforced: false, detail: detail.into() }
    }
}

/// What holds from now on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Capabilities dropped.
    pub capabilities: Layer,
    /// No program that it could start has more rights.
    pub no_new_privs: Layer,
    /// System calls that it does not need are refused.
    pub seccomp: Layer,
    /// Files and ports that it does not need are out of reach.
    pub landlock: Layer,
}

impl Layers {
    /// Each by its name.
    pub fn named(&self) -> [(&'static str, &Layer); 4] {
        [
            ("capabilities", &self.capabilities),
            ("no_new_privs", &self.no_new_privs),
            ("seccomp", &self.seccomp),
            ("landlock", &self.landlock),
        ]
    }

    /// The layers that do not hold, in one line; none if all do.
    pub fn missing(&self) -> Option<String> {
        let off = self.named().into_iter().filter(|(_, layer)| !layer.enforced);
        let off: Vec<String> = off.map(|(name, layer)| format!("{name} ({})", layer.detail)).collect();
        (!off.is_empty()).then(|| format!("going on without {}", off.join(", ")))
    }
}

/// A sealed process.
#[derive(Debug)]
pub struct Sealed {
    /// What holds.
    pub layers: Layers,
    /// Landlock knows this folder by its inode, which the kernel would make anew if nobody held it.
    _own: Option<File>,
}

/// Gives up whatever `needs` does not name. `works` tells, on a thread without capabilities, whether the agent could do its
/// work there: kernels before 5.19 may ask for CAP_BPF to read a map. Must be called before other threads are started.
pub fn seal(needs: &Needs, works: impl FnOnce() -> bool + Send) -> Sealed {
    let own = File::open("/proc/self").ok();
    let no_new_privs = match set_no_new_privs(true) {
        Ok(()) => Layer::on("nothing that it starts gains rights"),
        Err(cause) => Layer::off(cause.to_string()),
    };
    let capabilities = capabilities::drop(needs, works);
    let netlink = needs.hot_plug || needs.clsact;
    let (connect, files) = (needs.connect.is_some(), !needs.write.is_empty());
    let mut read = needs.read.clone();
    // What the kernel says of this process, and of the CPUs that a map has a part for.
    read.extend(["/proc/self", "/sys/devices/system/cpu"].map(PathBuf::from));
    if needs.hot_plug {
        read.extend(["/proc", "/sys"].map(PathBuf::from));
    }
    let landlock = landlock::restrict(&read, &needs.write, needs.remove.as_deref(), needs.connect);
    // Seccomp cannot tell one folder from another.
    let remove = needs.remove.is_some() && landlock.enforced;
    let scope = Scope { hot_plug: needs.hot_plug, netlink, connect, files, remove };
    let seccomp = syscalls::restrict(scope);
    Sealed { layers: Layers { capabilities, no_new_privs, seccomp, landlock }, _own: own }
}

/// What the kernel says of all threads of this process together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threads {
    /// How many there are.
    pub threads: u32,
    /// Capabilities that at least one can use.
    pub effective: u64,
    /// Whether no-new-privs holds for each.
    pub no_new_privs: bool,
    /// Whether a seccomp filter holds for each.
    pub seccomp: bool,
}

impl Threads {
    /// As of now; `None` where /proc cannot be read.
    pub fn now() -> Option<Self> {
        let mut all = Self { threads: 0, effective: 0, no_new_privs: true, seccomp: true };
        for thread in fs::read_dir("/proc/self/task").ok()? {
            // One that ended meanwhile has no say.
            let Ok(status) = fs::read_to_string(thread.ok()?.path().join("status")) else { continue };
            let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            all.threads += 1;
            all.effective |= u64::from_str_radix(field("CapEff:")?, 16).ok()?;
            all.no_new_privs &= field("NoNewPrivs:") == Some("1");
            all.seccomp &= field("Seccomp:") == Some("2");
        }
        Some(all)
    }
}
