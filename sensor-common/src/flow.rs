//! What is kept of a flow: its layout in memory, one cache line for each thing that changes together.

mod conn_state;
mod extra;
pub mod history;
mod key;
mod segment;
mod state;

pub use conn_state::conn_state;
pub use extra::{Doubt, Extra, Half, Said};
pub use key::{Key, LinkId, Side, Words};
pub use segment::{RECORDED, Segment, TcpFlags, merged, recorded};
pub use state::{Bits, End, Flow, Head, HeadBits, Reset, Tail, Watch};
