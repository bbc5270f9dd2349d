//! The engine that decides: parser, flow table, tracking, detection, events.
//!
//! No allocation, no clock, no I/O; time is an argument. The kernel program, `replay`, the tests and the fuzzers run this code:
//! there is no second implementation.

#![no_std]

#[cfg(test)]
extern crate std;

pub mod config;
pub mod counters;
pub mod flow;
pub mod kind;
pub mod limit;
pub mod seq;
pub mod time;
