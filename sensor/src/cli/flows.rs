//! What `sensor flows` can be asked.

use clap::Args;

use super::Listing;
use crate::filter::Ends;

/// List the connections that a running sensor follows, the latest first. Needs root.
#[derive(Clone, Debug, Args)]
pub struct Flows {
    /// Tell of those that end, from now on, instead of those that live.
    #[arg(long)]
    pub closed: bool,
    /// Only those.
    #[command(flatten)]
    pub ends: Ends,
    /// The sensor that runs as this process [default: the one that was started last].
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// Show so many at the most.
    #[arg(long, value_name = "N", default_value_t = usize::MAX, hide_default_value = true)]
    pub limit: usize,
    /// `compact` is for people, `json` is one object a line.
    #[arg(short, long, value_enum, default_value_t = Listing::Compact)]
    pub output: Listing,
}
