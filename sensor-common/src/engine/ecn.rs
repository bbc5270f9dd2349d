//! Verdicts on ECN, with the counts of the service.

use super::{Engine, Ring};
use crate::{
    detect::{ecn, requests},
    flow::Bits,
    kind::Kind,
    passage::{Passage, Rule},
    service::ServiceCounter,
    table::Storage,
    time::{Clock, since_close, whole_millis},
    track,
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// A handshake failed by the receiver's side: was it ECN? Counts it, and says so where the service's others tell.
    #[inline(never)]
    pub(super) fn ecn_failure(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !flow.ends[passage.packet.receiver()].bits.any(Bits::ECN) {
            return;
        }
        self.account(passage);
        let Some(service) = self.storage.counts(passage.scratch) else { return };
        passage.finding.detail[1] = ecn::tally(service);
        if ecn::ruled_out(service) {
            passage.second(Kind::EcnNotTheCause, Rule::Fact);
        }
        passage.count(ServiceCounter::EcnFailed, true);
    }

    /// The first SYN-ACK: does it answer ECN rightly, or a retry that did without, after a reset?
    #[inline(never)]
    pub(super) fn ecn_answer(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        let plain = ecn::retried_without(&flow.tails[(sender ^ 1) & 1], &flow.ends[(sender ^ 1) & 1]);
        let refused = ecn::was_refused(flow, sender);
        let reset = flow.tails[sender & 1].reset.n > 0;
        let at = flow.tails[sender & 1].reset.at;
        let first = since_close(passage.now, flow.head.first);
        let (_, r) = track::ends(flow, sender);
        let (asked, flags, requests) = (r.bits.any(Bits::ECN), r.flags, r.segments);
        if plain {
            r.bits.clear(Bits::ECN);
        }
        if asked && plain && (refused || !reset) {
            self.account(passage);
            let Some(service) = self.storage.counts(passage.scratch) else { return };
            let cause = ecn::is_the_cause(service);
            if cause || refused {
                passage.finding.about(passage.packet.segment(passage.stamp));
                let waited = if refused { whole_millis(passage.stamp.since(at)) } else { first };
                passage.finding.detail = [waited, ecn::tally(service)];
                passage.found = 1;
            }
            if cause {
                passage.finding.name(if refused { Kind::EcnSynRst } else { Kind::EcnSynDrop }, Rule::Oddity);
            } else if refused {
                // Once it may be a port that was closed for a moment.
                passage.finding.detail[1] = requests::ECN;
                passage.finding.name(Kind::Rfc3360RstOnOption, Rule::Fact);
            }
            passage.count(ServiceCounter::EcnFailed, true);
        } else if requests == 1
            && let Some(kind) = ecn::oddity(flags, &passage.packet)
        {
            passage.finding.about(passage.packet.segment(passage.stamp));
            passage.finding.name(kind, Rule::Fact);
            passage.found = 1;
        }
    }
}
