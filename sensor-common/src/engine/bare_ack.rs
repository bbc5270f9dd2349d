//! A plain ACK in answer to a SYN, and the reset that takes it back.

use super::{Engine, Ring};
use crate::{
    detect::{Severity, bare_ack, evidence::severity},
    flow::HeadBits,
    kind::Kind,
    passage::Passage,
    service::ServiceCounter,
    table::Storage,
    time::Clock,
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// A plain ACK where a SYN-ACK belongs.
    #[inline(never)]
    pub(super) fn bare_ack(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !bare_ack::answer(flow, passage) {
            return;
        }
        passage.found = 1;
        let fits = passage.finding.kind == Kind::SynBareAckMatch as u8;
        passage.count(ServiceCounter::BareAck, fits);
        if fits {
            // The right number: somebody is there.
            flow.head.bits.set(HeadBits::COUNTED);
        }
        self.refused(passage);
    }

    /// A reset that takes back a plain ACK. Not if it was made elsewhere: that comes first.
    #[inline(never)]
    pub(super) fn taken_back(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if severity(passage.finding.evidence.score()) > Severity::Info || !bare_ack::taken_back(flow, &passage.packet) {
            return;
        }
        bare_ack::name(flow, passage);
        self.ecn_failure(passage);
    }
}
