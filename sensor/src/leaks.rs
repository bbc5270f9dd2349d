//! What escaped the translation of addresses: looks for the connection that a rejected segment belongs to.
//!
//! The sweep offers flows at rest; of those that may have escaped a few are kept for one walk over the table's first lines.
//! Without any, no walk.

use std::collections::BTreeMap;

use sensor_common::{
    detect::leak::Escaped,
    event::Event,
    flow::{Extra, Flow},
    table::{Note, WAYS, Worth},
};

use crate::sweep::{AtRest, Slots};

/// So many are looked into in a walk; scans leave more than that.
pub const MAX_ESCAPED: usize = 1024;

/// A flow that may have escaped.
struct Candidate {
    escaped: Escaped,
    index: usize,
    flow: Flow,
    extra: Extra,
}

/// Collects what may have escaped, and tells what has.
#[derive(Default)]
pub struct Leaks {
    /// By the port at which they found nobody.
    candidates: BTreeMap<u16, Vec<Candidate>>,
    kept: usize,
    beyond: u64,
}

impl AtRest for Leaks {
    fn judge(&mut self, index: usize, flow: &Flow, extra: &Extra, _now: u64) {
        let Some(escaped) = Escaped::of(flow) else { return };
        if self.kept == MAX_ESCAPED {
            self.beyond += 1;
            return;
        }
        self.kept += 1;
        let candidate = Candidate { escaped, index, flow: *flow, extra: *extra };
        self.candidates.entry(escaped.port()).or_default().push(candidate);
    }

    fn cut_short(&mut self, index: usize, flow: &Flow, extra: &Extra, now: u64) {
        // It needs no silence: the reset is out.
        self.judge(index, flow, extra, now);
    }
}

impl Leaks {
    /// Adds what has escaped to `found`, and forgets the rest. `now` is the engine's time in nanoseconds.
    pub fn look(&mut self, table: &impl Slots, now: u64, found: &mut Vec<Event>) {
        if self.kept == 0 {
            return;
        }
        for bucket in 0..table.buckets() {
            let slots = table.bucket(bucket);
            for way in 0..WAYS {
                // Nobody's numbers are agreed on before a connection is established.
                if slots.tags[way] != 0 && Note(slots.notes[way]).worth() != Worth::Embryonic {
                    self.compare(table, bucket * WAYS + way, now, found);
                }
            }
        }
        self.candidates.clear();
        self.kept = 0;
    }

    /// Takes out those that belong to the connection in this slot.
    fn compare(&mut self, table: &impl Slots, slot: usize, now: u64, found: &mut Vec<Event>) {
        let head = table.head(slot);
        let ports = [head.key.ports >> 16, head.key.ports & 0xffff].map(|port| port as u16);
        for port in ports {
            let Some(candidates) = self.candidates.get_mut(&port) else { continue };
            if !candidates.iter().any(|candidate| candidate.escaped.shares(&head).is_some()) {
                continue;
            }
            let (flow, _) = table.flow(slot);
            candidates.retain(|Candidate { escaped, index, flow: own, extra }| {
                let silence = escaped.belongs(&flow);
                // Slots are numbered in 32 bits.
                found.extend(silence.map(|units| escaped.event((own, extra), *index as u32, now, &flow, units)));
                silence.is_none()
            });
        }
    }

    /// Rejected segments that were not compared, as there were too many at a time.
    pub const fn skipped(&self) -> u64 {
        self.beyond
    }

    /// What there is to say of those that were not looked into, if there were any.
    pub fn note(&self) -> Option<String> {
        (self.beyond > 0).then(|| {
            format!("leaks_skipped: {} rejected segments were not compared with other connections", self.beyond)
        })
    }
}
