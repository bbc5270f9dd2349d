//! The engine that decides: parser, flow table, tracking, detection, events.
//!
//! No allocation, no clock, no I/O; time is an argument. The kernel program, `replay`, the tests and the fuzzers run this code:
//! there is no second implementation.

#![no_std]

#[cfg(test)]
extern crate std;

pub mod config;
pub mod counters;
pub mod detect;
pub mod engine;
pub mod event;
pub mod flow;
pub mod kind;
pub mod limit;
mod opaque;
pub mod own;
pub mod passage;
pub mod record;
pub mod seq;
pub mod service;
pub mod stray;
pub mod table;
pub mod time;
pub mod track;
pub mod wire;
