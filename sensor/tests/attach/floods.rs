//! Floods on a wire between two real TCP stacks: what goes on beside them is still seen. In virtual time and by exact counts:
//! tests/tests/floods.

mod beside;
mod bucket;
mod churn;
mod spray;
mod talk;
mod told;
mod wire;

/// What takes seconds, or with `SENSOR_FLOODS=full` what the requirements ask for.
fn scaled<T>(few: T, full: T) -> T {
    if std::env::var("SENSOR_FLOODS").as_deref() == Ok("full") { full } else { few }
}
