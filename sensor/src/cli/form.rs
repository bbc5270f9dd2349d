//! Forms in which something is told.

use std::io;

use anstream::{AutoStream, ColorChoice};
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

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR says otherwise.
    Auto,
    /// Also in files and pipes.
    Always,
    /// Not at all.
    Never,
}

impl Color {
    /// Whether to colour what goes to stdout.
    pub fn wanted(self) -> bool {
        match self {
            Self::Auto => AutoStream::choice(&io::stdout()) != ColorChoice::Never,
            Self::Always => true,
            Self::Never => false,
        }
    }
}
