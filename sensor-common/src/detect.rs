//! Detection: one family, one file.
//!
//! A family is a set of pure functions from the flow's state and one segment to [`Evidence`]. What is added to a family
//! goes into its file, a new family into a new one, called from [`crate::engine`]'s slow path, with its ids in
//! [`crate::kind`].

pub mod analysis;
pub mod anatomy;
pub mod bare_ack;
pub mod doubt;
pub mod ecn;
pub mod ending;
pub mod evidence;
pub mod forged;
pub mod handshake;
pub mod leak;
pub mod numbers;
pub mod oddities;
pub mod one_way;
pub mod origin;
pub mod performance;
pub mod races;
pub mod requests;
pub mod rest;
pub mod rfc5961;
pub mod shape;
pub mod silence;
pub mod stall;
pub mod tampering;
pub mod timewait;

pub use anatomy::RstClass;
pub use evidence::{Confidence, Evidence, Severity};
