//! How large the table is: as asked for, or as the machine's memory allows. Told before the memory is taken.

use super::warn;
use crate::{
    cli,
    failure::Failure,
    kernel::Pins,
    memory::{Footprint, Room, possible_cpus, slots},
};

/// The number of connections to be followed. Pinned, a table keeps its size unless another is asked for, and takes nothing anew.
///
/// # Errors
///
/// There is not enough memory.
pub(super) fn settle(options: &cli::Attach, pins: Option<&Pins>) -> Result<u32, Failure> {
    let room = Room::read();
    let there = pins.and_then(Pins::room);
    let flows = options.flows.or(there).unwrap_or_else(|| room.flows());
    if there.is_some_and(|there| u64::from(there) == slots(flows)) {
        return Ok(flows);
    }
    // Without /sys nothing can be loaded, and that is told then.
    let footprint = Footprint::attach(flows, options.limits.ring_bytes(), possible_cpus().unwrap_or(1));
    footprint.fit(&room).map_err(|error| Failure::Other(Box::new(error)))?;
    let left = room.left().unwrap_or_default();
    warn(&format!("memory: {footprint}{left}"));
    Ok(flows)
}
