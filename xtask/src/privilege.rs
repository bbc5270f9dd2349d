//! Who we are, and how to become root for the few steps that need it.
//!
//! Only those steps are run through sudo, never the whole verb: a build as root would leave files of root in the
//! user's target directory and cargo home.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::process;

/// How a step that needs root can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// We are root.
    Root,
    /// We are not, but sudo exists. It may ask for a password.
    Sudo,
    /// Neither.
    None,
}

impl Privilege {
    /// What this process has.
    pub(crate) fn current() -> Self {
        // The owner of a process's own folder in /proc is its effective user.
        if Path::new("/proc/self").metadata().is_ok_and(|owner| owner.uid() == 0) {
            Self::Root
        } else if process::succeeds(Command::new("sudo").arg("-V")) {
            Self::Sudo
        } else {
            Self::None
        }
    }

    /// What this process has by itself: a verb that is not expected to ask for a password uses this one.
    pub(crate) fn without_sudo() -> Self {
        match Self::current() {
            Self::Root => Self::Root,
            Self::Sudo | Self::None => Self::None,
        }
    }

    /// A command that runs with root's rights, as far as this privilege goes.
    pub(crate) fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Root | Self::None => Command::new(program),
            Self::Sudo => {
                let mut command = Command::new("sudo");
                command.arg("-E").arg("--").arg(program);
                command
            }
        }
    }

    /// What cargo puts in front of a test binary.
    pub(crate) fn runner(self) -> Option<&'static str> {
        (self == Self::Sudo).then_some("sudo -E --")
    }
}
