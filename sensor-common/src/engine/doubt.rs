//! What the hosts of a live connection must doubt, and how they say so.

use super::{Engine, NOTHING, Ring};
use crate::{
    detect::{anatomy::last_recorded, doubt},
    flow::{Doubt, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    table::Storage,
    time::{Clock, whole_millis},
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Something passed that its receiver must doubt: what follows is watched.
    #[inline(never)]
    pub(super) fn provoke(&mut self, passage: &Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        flow.head.watch.set(Watch::DOUBTED);
        extra.doubt.left = doubt::WATCHED;
    }

    /// Acknowledgments out of range, challenges, and ACKs without end.
    #[inline(always)]
    pub(super) fn doubt(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !doubt::is_asked(flow, &passage.packet) {
            return;
        }
        self.out_of_range(passage);
        self.challenge(passage);
        self.ack_loop(passage);
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if extra.doubt.left > 0 {
            extra.doubt.left -= 1;
        } else if extra.doubt.marks & Doubt::SILENT == 0 {
            flow.head.watch.clear(Watch::DOUBTED);
        }
    }

    /// An acknowledgment far from the side's others. Nothing is learnt from it, and nothing told before the side's next segment: if that
    /// one agrees with it, it was this sensor that missed something.
    #[inline(never)]
    fn out_of_range(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let sender = passage.packet.sender();
        let mark = Doubt::OUT << sender;
        let suspected = extra.doubt.marks & mark != 0;
        extra.doubt.marks &= !mark;
        let out = doubt::is_out(flow, &passage.packet);
        let mut rule = None;
        if suspected && let Some(&suspect) = last_recorded(flow, sender, 1) {
            if out && doubt::agree(flow, &suspect, &passage.packet) {
                return;
            }
            if !out && passage.found == 0 {
                rule = doubt::suspect_rule(flow, sender, &suspect);
                let off = suspect.ack.since(flow.ends[sender].ack) as u32;
                passage.finding.about(suspect);
                passage.finding.detail = [off, 0];
            }
        }
        if out {
            passage.learn = NOTHING;
            extra.doubt.marks |= mark;
            extra.doubt.left = doubt::WATCHED;
            flow.head.watch.set(Watch::DOUBTED);
        }
        if let Some(rule) = rule {
            passage.finding.name(Kind::Rfc5961AckRange, rule);
            passage.found = 1;
        }
    }

    /// A plain ACK that answers what was not acceptable.
    #[inline(never)]
    fn challenge(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if passage.found != 0 {
            return;
        }
        let out = extra.doubt.marks & Doubt::OUT << passage.packet.receiver() != 0;
        let Some(cause) = doubt::challenge(flow, passage, out) else { return };
        let Some(segment) = last_recorded(flow, passage.packet.receiver(), 1) else { return };
        let delay = whole_millis(passage.stamp.since(segment.time));
        let doubted = &mut extra.doubt;
        if doubted.challenges == 0 || !doubt::together(passage.stamp, doubted.since) {
            doubted.since = passage.stamp;
            doubted.challenges = 0;
        }
        doubted.challenges += 1;
        let storm = doubted.challenges > doubt::CHALLENGES;
        passage.finding.about(passage.packet.segment(passage.stamp));
        passage.finding.detail = [delay, cause as u32];
        passage.finding.name(Kind::ChallengeAck, Rule::Fact);
        if storm {
            passage.finding.detail[0] = whole_millis(passage.stamp.since(doubted.since));
            passage.finding.name(Kind::ChallengeAckStorm, Rule::Fault);
            doubted.challenges = 0;
        }
        passage.found = 1;
    }

    /// ACKs that answer one another.
    #[inline(never)]
    fn ack_loop(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let doubted = &mut extra.doubt;
        if !doubt::echoes(flow, passage) {
            doubted.acks = 0;
            return;
        }
        // Between coarse times nobody knows whose turn it is; from here on all are fine.
        let counted = flow.head.watch.any(Watch::DOUBTED) && doubt::takes_turns(flow, &passage.packet);
        flow.head.watch.set(Watch::DOUBTED);
        doubted.left = doubt::WATCHED;
        doubted.acks = if counted { doubted.acks + 1 } else { 1 };
        // Once for each loop, and once in a while if it does not end.
        let count = doubted.acks;
        if count == u8::MAX {
            doubted.acks = doubt::LOOP;
        } else if count != doubt::LOOP {
            return;
        }
        if passage.found == 0 {
            passage.finding.about(passage.packet.segment(passage.stamp));
            passage.finding.detail = [count as u32, 0];
            passage.finding.name(Kind::AckLoop, Rule::Fault);
            passage.found = 1;
        }
    }
}
