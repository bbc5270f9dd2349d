//! What becomes of a connection request that is more than plain, or comes upon TIME_WAIT.

use super::{Engine, Ring};
use crate::{
    detect::{requests, timewait},
    flow::{Doubt, End},
    kind::Kind,
    passage::{Passage, Rule},
    table::Storage,
    time::{Clock, since_close, whole_millis},
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// A request is repeated: as it was, or without what is rare. And nobody may answer it at all.
    #[inline(never)]
    pub(super) fn repeat(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let marks = extra.doubt.marks;
        extra.doubt.marks |= requests::repeated(&passage.packet, marks);
        if timewait::is_refused(marks) && timewait::is_unanswered(flow, &passage.packet) {
            passage.second(Kind::TwReuseRefused, Rule::Oddity);
        }
    }

    /// The first SYN-ACK: what it says of such a request. From here on the client's marks are those of its data.
    #[inline(never)]
    pub(super) fn fate(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let (sender, receiver) = (passage.packet.sender(), passage.packet.receiver());
        let fate = requests::fate(flow, &passage.packet, extra.doubt.marks);
        extra.doubt.marks &= !(Doubt::PLAIN | Doubt::AGAIN);
        flow.ends[receiver].tos &= !End::MARKS;
        let Some((kind, rule, detail)) = fate else { return };
        if passage.found != 0 {
            return;
        }
        let reset = &flow.tails[sender].reset;
        let first = since_close(passage.now, flow.head.first);
        let waited = if reset.n > 0 { whole_millis(passage.stamp.since(reset.at)) } else { first };
        passage.finding.about(passage.packet.segment(passage.stamp));
        passage.finding.detail = [waited, detail];
        passage.finding.name(kind, rule);
        passage.found = 1;
    }

    /// A plain ACK with the last connection's numbers: TIME_WAIT refuses a request that must be refused.
    #[inline(always)]
    pub(super) fn refused(&mut self, passage: &mut Passage) {
        let Some(extra) = self.storage.extra(passage.index) else { return };
        if passage.finding.kind == Kind::SynBareAckStaleConfirmed as u8 && timewait::is_refused(extra.doubt.marks) {
            passage.second(Kind::TwReuseRefused, Rule::Fault);
        }
    }

    /// What a reset, not yet noted, does to TIME_WAIT, or to Fast Open.
    #[inline(never)]
    pub(super) fn cut(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let class = passage.finding.class;
        if passage.also == Kind::RstInsteadOfLastAck as u8 + 1 && timewait::assassinates(flow, &passage.packet, class) {
            passage.second(Kind::TwAssassination, Rule::Fact);
        } else if passage.also == 0 && requests::cut_after_fast_open(flow, &passage.packet, class, passage.stamp) {
            passage.second(Kind::TfoBlackhole, Rule::Oddity);
        }
    }

    /// A reset, noted: does it go round?
    #[inline(never)]
    pub(super) fn round(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if passage.also != 0 || !timewait::goes_round(flow, &passage.packet) {
            return;
        }
        let rounds = flow.tails[passage.packet.sender()].reset.n as u32;
        passage.finding.detail = [since_close(passage.now, flow.head.first), rounds];
        passage.second(Kind::SynSentRstLoop, Rule::Fault);
    }
}
