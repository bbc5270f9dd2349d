//! The agent: loads the kernel program, drains its events, reads captures through the same engine, and reports.

pub mod agent;
pub mod capture;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod correlate;
pub mod demo;
pub mod detach;
pub mod doctor;
pub mod enrich;
pub mod explain;
pub mod failure;
mod fetch;
pub mod filter;
pub mod flows;
pub mod host;
pub mod incidents;
pub mod interrupt;
pub mod kernel;
pub mod lab;
pub mod leaks;
pub mod memory;
pub mod observe;
pub mod replay;
pub mod report;
pub mod schema;
pub mod seal;
pub mod status;
pub mod store;
pub mod sweep;
pub mod systemd;
pub mod tail;
#[cfg(feature = "trace")]
mod trace;
