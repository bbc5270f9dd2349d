//! From bytes to [`Packet`]: the one parser, for the kernel, captures, tests and fuzzers.

mod frame;
mod ip;
mod odd;
mod options;
mod parse;

pub use frame::{Frame, Slice};
pub use odd::Odd;
pub use options::{OptionList, Options};
pub use parse::{Packet, parse};
