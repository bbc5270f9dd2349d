//! What `sensor status` can be asked.

use clap::Args;

use super::Listing;

/// Say what the sensors of this network namespace are attached to, what they gave up, what they lost. As their user, or root.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// Only the sensor that runs as this process.
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// `compact` is for people, `json` is one object a sensor, one a line.
    #[arg(short, long, value_enum, default_value_t = Listing::Compact)]
    pub output: Listing,
}
