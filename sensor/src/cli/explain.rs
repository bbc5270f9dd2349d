//! What `sensor explain` can be asked.

use clap::Args;

use super::{Color, Listing};

/// Say what an id means: a kind of finding, or a piece of evidence.
#[derive(Clone, Debug, Args)]
pub struct Explain {
    /// The id, as reports print it. Without it, all are listed.
    #[arg(value_name = "KIND")]
    pub id: Option<String>,
    /// `compact` is for people; `json` is one object an id, one a line.
    #[arg(short, long, value_enum, default_value_t = Listing::Compact)]
    pub output: Listing,
    /// When to colour; `auto` also heeds NO_COLOR.
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}
