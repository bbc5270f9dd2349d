//! What became of the events that the kernel submitted.

use sensor_common::counters::{Counter, Cpu};

use crate::kernel::{Drained, RingRecords};

/// The agent's own account, line by line; only what is out of the ordinary.
pub(super) fn lines(drained: Drained, waiting: RingRecords, counters: &Cpu) -> Vec<String> {
    let (submitted, handed) = (counters.get(Counter::Submitted), counters.get(Counter::RecordsHandedOn));
    let Drained { before, received, queued, dropped, undecodable, parted, parted_dropped } = drained;
    let own = format!("received {received} = told {queued} + dropped {dropped} + undecodable {undecodable}");
    let mut lines = vec![if before.events + waiting.events == 0 {
        format!("events: submitted {submitted} = {own}")
    } else {
        let (before, waiting) = (before.events, waiting.events);
        format!("events: submitted {submitted} = taken before {before} + {own}, and {waiting} wait for the next sensor")
    }];
    if before.parted + waiting.parted > 0 {
        let (before, waiting) = (before.parted, waiting.parted);
        let own = format!("received {parted}, of which dropped {parted_dropped}");
        lines.push(format!(
            "records: handed on {handed} = taken before {before} + {own}, and {waiting} wait for the next sensor"
        ));
    } else if parted > 0 {
        lines.push(format!("records: handed on {handed} = received {parted}, of which dropped {parted_dropped}"));
    }
    if dropped > 0 {
        lines.push(format!("{dropped} events were dropped because stdout was read too slowly"));
    }
    lines
}
