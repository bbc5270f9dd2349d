//! Benign traffic, and all that only looks like interference: many connections at once, between stacks that differ, over paths
//! that lose, reorder, duplicate and change. Seeded, so that each run repeats.

mod class;
mod conversation;
mod dice;
mod endpoint;
mod path;
mod segment;
mod stack;
mod world;

pub use class::{Class, Tally};
pub use world::{Seat, Sight, World};
