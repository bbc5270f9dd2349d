//! Floods: what must hold while one goes on, each asserted as a count, in virtual time. See docs/floods.md.
//!
//! Scaled to seconds, unless `SENSOR_FLOODS=full`. Needs root; without it these tests say that they are skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod beside;
mod bucket;
mod churn;
mod heard;
mod pace;
mod spray;
mod station;
mod traffic;

/// How much is sent: in each run of the tests, and in full.
pub(crate) fn scaled<T>(usual: T, full: T) -> T {
    if std::env::var_os("SENSOR_FLOODS").is_some_and(|size| size == "full") { full } else { usual }
}
