//! What can go wrong between the agent and the kernel, each with its remedy.

use std::{io, path::PathBuf};

use aya::{
    EbpfError,
    maps::MapError,
    programs::{ProgramError, tc::TcError},
};
use thiserror::Error;

/// A failure to load or attach. Each message names cause and remedy; the verifier's log is shown with `SENSOR_VERIFIER_LOG=1`.
#[derive(Debug, Error)]
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
    #[error("cannot load the kernel program: {0}")]
    Load(String),
    /// There is not enough memory, or not enough that may be locked.
    #[error(
        "not enough memory for the flow table; use fewer flows (--flows), or raise the memory limit (ulimit -l, or the cgroup's)"
    )]
    Memory,
    /// The object does not hold what it should.
    #[error("the BPF object has no {0}: it does not belong to this agent; rebuild it with cargo xtask build-ebpf")]
    Missing(&'static str),
    /// A map cannot be used.
    #[error("a map of the kernel program cannot be used: {0}")]
    Map(#[source] MapError),
    /// The object named by the environment cannot be read.
    #[error("cannot read the BPF object {}: {cause}; unset SENSOR_BPF_OBJECT to use the built-in one", path.display())]
    Object {
        /// Its path.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
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

    fn map(error: MapError) -> Self {
        match &error {
            MapError::CreateError { io_error, .. } if out_of_memory(io_error) => Self::Memory,
            _ => Self::Map(error),
        }
    }

    pub(super) fn program(error: ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                if std::env::var_os("SENSOR_VERIFIER_LOG").is_some() {
                    eprintln!("{verifier_log}");
                }
                if out_of_memory(&io_error) { Self::Memory } else { Self::Verifier(io_error.to_string()) }
            }
            other => Self::Load(chain(&other)),
        }
    }
}

fn out_of_memory(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOMEM))
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
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

/// The system error at the bottom of a refusal to attach.
pub(super) fn errno(error: &ProgramError) -> Option<i32> {
    if let ProgramError::TcError(TcError::IoError(io)) = error {
        return io.raw_os_error();
    }
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}
