//! Resets by their lane: told beside what they are by their anatomy.

use super::{Engine, Ring};
use crate::{detect::rfc5961, passage::Passage, table::Storage, time::Clock};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// The lane of a reset, before it is remembered.
    #[inline(never)]
    pub(super) fn lane(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let Some((kind, rule)) = rfc5961::lane(flow, passage) else { return };
        let (sender, receiver) = (passage.packet.sender(), passage.packet.receiver());
        // Bytes from what the receiver waits for, as a signed number; resets before.
        let off = passage.packet.seq.since(flow.ends[receiver].ack) as u32;
        passage.finding.detail = [off, flow.tails[sender].reset.n as u32];
        passage.second(kind, rule);
    }
}
