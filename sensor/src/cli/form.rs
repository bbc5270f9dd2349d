//! Forms in which something is told.

use clap::ValueEnum;

use crate::report::Output;

/// In which form something is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// For people.
    Compact,
    /// One object a line.
    Json,
}

/// Whether findings that are like many others are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dedup {
    /// Where people read.
    Auto,
    /// For programs, too.
    Always,
    /// Each finding is told.
    Never,
}

impl Dedup {
    pub(super) fn wanted(self, output: Output) -> bool {
        match self {
            Self::Auto => output.is_for_people(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}
