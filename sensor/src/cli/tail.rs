//! What `sensor tail` can be asked.

use std::path::PathBuf;

use clap::Args;

use super::{Report, When};
use crate::{filter::Filter, tail};

/// Tell what a running sensor found, and finds.
///
/// Without `--follow` it tells what the sensor remembers: the last 2048 findings below warn, as many from warn up, and of
/// incidents and connections the last ones.
#[derive(Clone, Debug, Args)]
pub struct Tail {
    /// Go on telling what comes.
    #[arg(short, long, conflicts_with = "until")]
    pub follow: bool,
    /// Of what is remembered tell the last N that fit [default: all; 10 with `--follow`].
    #[arg(short = 'n', long, value_name = "N")]
    pub last: Option<usize>,
    /// Of what is remembered tell what is no older: a time, or how long ago, as 5m.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    pub since: Option<When>,
    /// Tell what is no younger.
    #[arg(long, value_name = "WHEN", value_parser = When::parse)]
    pub until: Option<When>,
    /// Tell also of each connection that ended.
    #[arg(long)]
    pub records: bool,
    /// Where the sensor listens.
    #[arg(long, value_name = "PATH", default_value = tail::DEFAULT)]
    pub socket: PathBuf,
    /// Tell of these only.
    #[command(flatten)]
    pub filter: Filter,
    /// How to report.
    #[command(flatten)]
    pub report: Report,
}
