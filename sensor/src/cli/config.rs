//! What `sensor config` can be asked.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Attach;
use crate::config::DEFAULT_FILE;

/// Check, show or print a configuration file.
#[derive(Clone, Debug, Args)]
pub struct Config {
    /// What to do with it.
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

/// What to do with a configuration file.
#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Say all that is wrong with a file.
    Check {
        /// The file.
        #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
        file: PathBuf,
    },
    /// Print the settings that `sensor attach` would have with the same flags here, and where each comes from.
    Show(Box<Attach>),
    /// Print a file with all settings as they are by default.
    Default,
}
