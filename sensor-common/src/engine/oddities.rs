//! Odd handshakes, and ports that are used again.

use super::{Engine, Ring};
use crate::{
    detect::oddities,
    kind::Kind,
    passage::{Passage, Rule},
    table::Storage,
    time::{Clock, since_close},
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// What is odd about a segment. Whatever else is found of it goes before.
    #[inline(never)]
    pub(super) fn oddity(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let Some((kind, rule)) = oddities::judge(flow, &passage.packet, passage.now) else { return };
        passage.finding.about(passage.packet.segment(passage.stamp));
        passage.finding.detail[0] = since_close(passage.now, flow.head.closed);
        passage.finding.name(kind, rule);
        passage.found = 1;
    }

    /// A first SYN-ACK: does it accept a port again?
    #[inline(never)]
    pub(super) fn reuse(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if passage.found != 0 || !oddities::accepted_again(flow, &passage.packet, passage.now) {
            return;
        }
        passage.finding.about(passage.packet.segment(passage.stamp));
        passage.finding.detail[0] = since_close(passage.now, flow.head.closed);
        passage.finding.name(Kind::TwReuseOk, Rule::Fact);
        passage.found = 1;
    }
}
