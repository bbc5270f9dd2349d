//! Flows that give way before the sweep can have told of them: handed on through the ring, so that their records are not lost.
//!
//! Only what is worth a record takes this way: of the flows that lose their slot those that were established, as the slot's note
//! says, so that a flood of requests fetches no line for it. What the sweep has told of for certain does not; in doubt it is handed
//! on, and the sweep knows better.

use super::{Engine, Ring, emit::copy};
use crate::{
    counters::Counter,
    detect::Evidence,
    event::{EVENT_VERSION, Event, PARTED, ServiceSnapshot},
    flow::{Extra, Flow, HeadBits, Segment},
    passage::Passage,
    seq::SeqNumber,
    table::{LATELY, Storage},
    time::{Clock, millis, seconds},
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Hands on the flow in the passage's slot, which goes to another.
    #[inline(always)]
    pub(super) fn evicted(&mut self, passage: &mut Passage) {
        self.part(passage, 0);
    }

    /// Hands on the passage's flow, whose addresses and ports go to a new connection.
    #[inline(never)]
    pub(super) fn renewed(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let told = flow.head.closed != 0 && millis(passage.now).wrapping_sub(flow.head.closed) > LATELY << 10;
        if flow.head.bits.0 & HeadBits::ESTABLISHED.0 | flow.head.told != 0 && !told {
            self.part(passage, 1);
        }
    }

    #[inline(never)]
    fn part(&mut self, passage: &mut Passage, renewed: u32) {
        let quota = self.config.record_quota;
        if quota == 0 {
            return;
        }
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let within = self.cpu.buckets[PARTED as usize].take(self.config.record_rate, seconds(passage.now));
        let handed = within && self.ring.submit(true, quota, |event| fill(event, passage, renewed, (flow, extra)));
        self.cpu.count(if handed { Counter::RecordsHandedOn } else { Counter::RecordsSkipped });
    }
}

#[inline(always)]
fn fill(event: &mut Event, passage: &Passage, renewed: u32, (flow, extra): (&Flow, &Extra)) {
    event.time = passage.now;
    event.service = ServiceSnapshot::default();
    event.segment = Segment::default();
    event.evidence = Evidence::NONE;
    event.delay = 0;
    event.min_rtt = 0;
    event.held_back = 0;
    event.flow_index = passage.index;
    event.expected_seq = SeqNumber(0);
    event.version = EVENT_VERSION;
    event.kind = PARTED;
    event.severity = 0;
    event.confidence = 0;
    event.side = 0;
    event.hook = passage.hook;
    event.score = 0;
    event.class = 255;
    event.expected_ttl = 0;
    event.tos = 0;
    event.options = 0;
    event.mac = 0;
    event.detail = [renewed, 0];
    copy(&mut event.flow, flow);
    copy(&mut event.extra, extra);
}
