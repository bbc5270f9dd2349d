//! What `sensor doctor` can be asked.

use clap::Args;

use super::Color;

/// Say what keeps the sensor from working here, or from working well, and what mends it. Changes nothing.
///
/// Exit code 1: the sensor would not work.
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// Interface to look at, may be repeated [default: that of the default route].
    #[arg(short, long = "iface", visible_alias = "interface", value_name = "IFACE")]
    pub interfaces: Vec<String>,
    /// Look also at the sensor that runs as this process [default: the one that was started last].
    #[arg(long, value_name = "PID")]
    pub pid: Option<u32>,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
    /// When to colour; `auto` also heeds NO_COLOR.
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}
