//! The agent: loads the kernel program, drains its events, reads captures through the same engine, and reports.

pub mod capture;
pub mod host;
pub mod kernel;
pub mod lab;
