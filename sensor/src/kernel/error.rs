//! What can go wrong between the agent and the kernel, each with its remedy.

use std::{
    error::Error,
    io::{self, Write},
    path::PathBuf,
};

use aya::{
    EbpfError,
    maps::MapError,
    programs::{ProgramError, tc::TcError},
};

use super::{
    PinError,
    privilege::{environment, locked_memory},
};

/// A failure to load or attach. Each message names cause and remedy; the verifier's log is shown with `SENSOR_VERIFIER_LOG=1`.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// Capabilities are missing.
    #[error(
        "not enough privilege: {missing} missing; run as root, or give the binary {missing} (setcap, or systemd AmbientCapabilities)"
    )]
    Privilege {
        /// Their names.
        missing: String,
    },
    /// The kernel lacks a feature.
    #[error("kernel {version} is too old: {feature} needs Linux {needed}; boot a newer kernel")]
    TooOld {
        /// The running kernel.
        version: String,
        /// What it lacks.
        feature: &'static str,
        /// Since when there is one.
        needed: &'static str,
    },
    /// There is no such interface.
    #[error("no interface {name:?} here; there are: {known} (sensor attach -i NAME)")]
    NoInterface {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// There is no default route to take the interface from.
    #[error("no default route, so no default interface; name one of: {known} (sensor attach -i NAME)")]
    NoDefaultRoute {
        /// What there is.
        known: String,
    },
    /// Tunnels carry packets without an Ethernet header.
    #[error(
        "{interface} carries no Ethernet frames, and the sensor reads nothing else; watch the interface beneath it"
    )]
    NotEthernet {
        /// Its name.
        interface: String,
    },
    /// The last interface went away.
    #[error("nothing is left to watch: {interface} is gone; start the sensor again when it is back")]
    Gone {
        /// Its name.
        interface: String,
    },
    /// The requested mode is not possible.
    #[error("cannot attach to {interface} in {mode} mode: {cause}; use --mode auto to let the sensor choose")]
    Mode {
        /// The interface.
        interface: String,
        /// The mode.
        mode: &'static str,
        /// The kernel's word.
        cause: String,
    },
    /// No hook takes the program.
    #[error("cannot attach to {interface}: {cause}")]
    Attach {
        /// The interface.
        interface: String,
        /// Each hook's refusal.
        cause: String,
    },
    /// The kernel refuses the program.
    #[error("the kernel refuses the program: {0}; set SENSOR_VERIFIER_LOG=1 to see its reasons, and report them")]
    Verifier(String),
    /// The object cannot be loaded.
    #[error("cannot load the kernel program: {0}; if SENSOR_BPF_OBJECT is set, unset it, otherwise report this")]
    Load(String),
    /// There is no /sys, as in a container whose maker forgot it.
    #[error(
        "cannot count the CPUs, as {path} cannot be read ({cause}); mount /sys, for reading alone: mount -t sysfs -o ro sysfs /sys"
    )]
    Cpus {
        /// The file that says so.
        path: &'static str,
        /// Why not.
        cause: io::Error,
    },
    /// BPF is forbidden although the capabilities are there.
    #[error(
        "the kernel forbids BPF to this process although it has the capabilities: a user namespace, a container's seccomp profile or kernel lockdown is in the way; run on the host, or allow bpf(2)"
    )]
    Forbidden,
    /// The process may open no more files.
    #[error("too many open files: raise the limit (ulimit -n, or systemd LimitNOFILE)")]
    Files,
    /// There is not enough memory, or not enough that may be locked.
    #[error(
        "not enough memory for the flow table; use fewer flows (--flows), or raise the memory limit (ulimit -l, or the cgroup's)"
    )]
    Memory,
    /// BPF memory is counted as locked memory, of which there is too little.
    #[error(
        "kernel {version} counts BPF memory as locked memory, and this process may lock too little: raise the limit (ulimit -l unlimited, or systemd LimitMEMLOCK=infinity), or boot Linux 5.11 or later"
    )]
    LockedMemory {
        /// The running kernel.
        version: String,
    },
    /// The object does not hold what it should.
    #[error("the BPF object has no {0}: it does not belong to this agent; rebuild it with cargo xtask build-ebpf")]
    Missing(&'static str),
    /// A map cannot be used.
    #[error("a map of the kernel program cannot be used: {0}; report this")]
    Map(String),
    /// The object named by the environment cannot be read.
    #[error("cannot read the BPF object {}: {cause}; unset SENSOR_BPF_OBJECT to use the built-in one", path.display())]
    Object {
        /// Its path.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// No sensor is loaded.
    #[error("no running sensor found (or not as that process); start one with sensor attach, and ask while it runs")]
    NoSensor,
    /// A running sensor's maps are not laid out as this one's.
    #[error("the running sensor's map {0} is not of this version; ask with the binary that runs, or restart it")]
    Foreign(&'static str),
    /// What is to be pinned cannot be.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// There is no randomness.
    #[error("cannot read /dev/urandom: {0}; the flow table must not be guessable, so nothing was loaded")]
    Random(#[source] io::Error),
}

impl KernelError {
    pub(super) fn load(error: EbpfError) -> Self {
        match error {
            EbpfError::MapError(error) => Self::map(error),
            EbpfError::ProgramError(error) => Self::program(error),
            other => Self::Load(chain(&other)),
        }
    }

    pub(super) fn map(error: MapError) -> Self {
        Self::refusal(&error).unwrap_or_else(|| Self::Map(chain(&error)))
    }

    pub(super) fn program(error: ProgramError) -> Self {
        if let ProgramError::LoadError { verifier_log, .. } = &error
            && environment("SENSOR_VERIFIER_LOG").is_some()
        {
            // Not `eprintln!`, which panics where nobody listens.
            let _ = writeln!(io::stderr(), "{verifier_log}");
        }
        Self::refusal(&error).unwrap_or_else(|| match error {
            ProgramError::LoadError { io_error, .. } => Self::Verifier(io_error.to_string()),
            ProgramError::MapError(error) => Self::Map(chain(&error)),
            other => Self::Load(chain(&other)),
        })
    }

    /// The refusals that have nothing to do with what was refused.
    fn refusal(error: &(dyn Error + 'static)) -> Option<Self> {
        match errno(error)? {
            libc::ENOMEM => Some(Self::Memory),
            libc::EMFILE | libc::ENFILE => Some(Self::Files),
            libc::EPERM => Some(locked_memory().map_or(Self::Forbidden, |version| Self::LockedMemory { version })),
            _ => None,
        }
    }
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// The system error at the bottom of a refusal.
pub(super) fn errno(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut source = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        // This one does not name its cause as its source.
        if let Some(ProgramError::TcError(TcError::IoError(io))) = error.downcast_ref() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}
