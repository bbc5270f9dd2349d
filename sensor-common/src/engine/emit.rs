//! From a finding to an event: limits first, then the ring, then the marks.

use zerocopy::{FromBytes, IntoBytes};

use super::{Engine, Ring};
use crate::{
    counters::Counter,
    event::{EVENT_VERSION, Event, ServiceSnapshot},
    flow::{Extra, Flow, HeadBits},
    kind::MAX_KINDS,
    limit::told,
    passage::Passage,
    seq::SeqNumber,
    service::ServiceCounter,
    table::{self, Storage},
    time::{Clock, seconds},
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Tells the passage's finding, or counts why not: matched = submitted + ring full + held back. Where the ring was full,
    /// `found` says so afterwards.
    #[inline(never)]
    pub(super) fn tell(&mut self, passage: &mut Passage) {
        let finding = &passage.finding;
        let kind = finding.kind as usize & (MAX_KINDS - 1);
        self.cpu.matched[kind] += 1;
        self.flag(passage);
        let service = self.storage.snapshot(passage.scratch);
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        // Mild findings count by themselves, so that they cannot hold back severe ones.
        let low = finding.is_mild();
        let shift = if low { 0 } else { 4 };
        let n = flow.head.told as u32 >> shift & 15;
        let free = self.config.flow_findings;
        let next = flow.head.told & !(15 << shift) | (if n == 15 { 8 } else { n as u8 + 1 }) << shift;
        if !told(n, free) {
            flow.head.told = next;
            return self.cpu.count(Counter::HeldBackFlow);
        }
        let rate = self.config.rates[finding.severity as usize & 3];
        if !self.cpu.buckets[kind].take(rate, seconds(passage.now)) {
            return self.cpu.count(Counter::HeldBackRate);
        }
        let submitted = self.ring.submit(low, self.config.low_quota, |event| {
            fill(event, passage, (flow, extra), service, held_back(n, free));
        });
        if submitted {
            // Only now: a mark set before a failed submit would hide the flow for good.
            flow.head.told = next;
            return self.cpu.count(Counter::Submitted);
        }
        passage.found = LOST;
        if low {
            self.cpu.count(Counter::RingFullLow);
        } else {
            self.cpu.count(Counter::RingFullHigh);
        }
    }

    /// Counts the flow as touched in its service, once.
    #[inline(always)]
    fn flag(&mut self, passage: &Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !passage.finding.is_mild() && !flow.head.bits.any(HeadBits::FLAGGED) {
            flow.head.bits.set(HeadBits::FLAGGED);
            table::count(self.storage, passage.scratch, ServiceCounter::Flagged, 1);
        }
    }
}

/// Of [`Passage::found`]: there was a finding, and no room for it.
pub(super) const LOST: u8 = 2;

/// Findings that the back-off held back between the `n`th, which is told, and the one told before it.
#[inline(always)]
const fn held_back(n: u32, free: u32) -> u32 {
    if n < free {
        return 0;
    }
    let since_power = n.div_ceil(2);
    let since_free = n - free;
    if since_power < since_free + 1 { since_power - 1 } else { since_free }
}

#[inline(always)]
fn fill(
    event: &mut Event,
    passage: &Passage,
    (flow, extra): (&Flow, &Extra),
    service: ServiceSnapshot,
    held_back: u32,
) {
    let Passage { packet, finding, .. } = passage;
    let d = &flow.ends[packet.sender()];
    event.time = passage.now;
    event.service = service;
    event.segment = finding.segment;
    event.evidence = finding.evidence;
    event.delay = finding.delay;
    event.min_rtt = d.min_rtt;
    event.held_back = held_back;
    event.flow_index = passage.index;
    event.expected_seq = if d.flags.0 != 0 { d.nxt } else { SeqNumber(0) };
    event.version = EVENT_VERSION;
    event.kind = finding.kind;
    event.severity = finding.severity;
    event.confidence = finding.confidence;
    event.side = packet.side;
    event.hook = passage.hook;
    event.score = finding.score;
    event.class = finding.class;
    event.expected_ttl = d.ttl;
    event.tos = packet.tos;
    event.options = packet.options.0;
    event.mac = packet.mac;
    event.detail = finding.detail;
    copy(&mut event.flow, flow);
    copy(&mut event.extra, extra);
}

/// Copies word by word: a plain assignment becomes a call to a byte loop on the BPF target.
#[inline(always)]
pub(super) fn copy<T: FromBytes + IntoBytes>(to: &mut T, from: &T) {
    const { assert!(align_of::<T>() == 8) };
    let (to, from) = (core::ptr::from_mut(to).cast::<u64>(), core::ptr::from_ref(from).cast::<u64>());
    for i in 0..size_of::<T>() / 8 {
        // SAFETY: both are aligned and of the same length; any bytes are valid.
        unsafe { to.add(i).write_volatile(from.add(i).read_volatile()) };
    }
}

#[cfg(test)]
mod tests {
    use super::held_back;
    use crate::limit::told;

    #[test]
    fn held_back_adds_up() {
        for free in [1, 3, 8, 12] {
            let mut held = 0;
            for n in 0..16 {
                if told(n, free) {
                    assert_eq!(held_back(n, free), held, "n {n}, free {free}");
                    held = 0;
                } else {
                    held += 1;
                }
            }
        }
    }
}
