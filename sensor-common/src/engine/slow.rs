//! The long way: resets, closes, and whatever is being watched.

use super::{Engine, NOTHING, Ring, Stage, emit::LOST};
use crate::{
    counters::Counter,
    detect::{Evidence, RstClass, ending, forged, numbers, races, requests, silence, tampering},
    flow::{Bits, HeadBits, Reset, TcpFlags, Watch, history},
    kind::Kind,
    passage::{Passage, Rule},
    seq::SeqNumber,
    service::ServiceCounter,
    table::Storage,
    time::{Clock, Stamp, millis, whole_millis},
    track,
};

/// No service: an index that no table has.
const NO_SERVICE: u32 = u32::MAX;

const _: () = assert!(TcpFlags::ACK.0 == 1 << 4 && Reset::BARE == 1 << 3 && Reset::ACKED == 1 << 4);
const _: () = assert!(Reset::DIFFER == 1 << 5 && Reset::ZERO == 1 << 6 && Reset::MOOT == 1 << 7);

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Judges a segment that is not routine, and lets the state learn what it may. Where there is more to do, what that is.
    #[inline(always)]
    pub fn go_on(&mut self, stage: Stage, passage: &mut Passage) -> Option<Stage> {
        match stage {
            Stage::Tell => return self.tell_all(passage),
            Stage::Analysis => return self.analyse(passage),
            Stage::Verdict => {
                self.verdict(passage);
                return Some(Stage::Analysis);
            }
            Stage::Shape | Stage::Reset | Stage::Handshake | Stage::Watched => {}
        }
        self.take_time(passage);
        match stage {
            Stage::Reset => {
                passage.learn = NOTHING;
                self.chronicle(passage);
                self.reset(passage);
                return Some(Stage::Verdict);
            }
            Stage::Handshake => {
                self.oddity(passage);
                if passage.packet.flags.any(TcpFlags::SYN) {
                    self.syn(passage);
                } else {
                    self.bare_ack(passage);
                }
                self.chronicle(passage);
                if passage.learn != NOTHING {
                    self.meet(passage);
                    self.follow(passage);
                }
            }
            Stage::Shape => {
                if let Some(stage) = self.shape(passage) {
                    return Some(stage);
                }
                self.chronicle(passage);
            }
            Stage::Watched | Stage::Tell | Stage::Verdict | Stage::Analysis => {
                self.oddity(passage);
                self.chronicle(passage);
                self.follow(passage);
                self.silence(passage);
                self.doubt(passage);
                self.echo(passage);
            }
        }
        Some(Stage::Analysis)
    }

    /// Tells what was found, and again if there is a second finding about the same segment.
    #[inline(always)]
    fn tell_all(&mut self, passage: &mut Passage) -> Option<Stage> {
        if passage.found == 0 && !passage.take_shape() {
            self.finish_handshake(passage);
            return None;
        }
        // First, so that the finding's denominators include its own segment.
        self.account(passage);
        self.conclude(passage);
        self.tell(passage);
        self.watch_on(passage);
        if passage.also != 0 {
            let finding = &mut passage.finding;
            finding.kind = passage.also - 1;
            finding.rule = passage.also_rule;
            finding.evidence = Evidence::NONE;
            passage.also = 0;
            return Some(Stage::Tell);
        }
        if passage.shape != 0 {
            passage.found = 0;
            return Some(Stage::Tell);
        }
        self.finish_handshake(passage);
        None
    }

    /// The state learns from the segment, which may have completed a handshake.
    #[inline(never)]
    fn finish_handshake(&mut self, passage: &mut Passage) {
        self.learn(passage);
        self.promote(passage);
        if passage.service != 0 {
            self.account(passage);
        }
        self.note(passage);
    }

    /// The fine time, and the flow's own.
    #[inline(always)]
    fn take_time(&mut self, passage: &mut Passage) {
        passage.now = self.clock.fine();
        let Some(flow) = self.storage.flow(passage.index) else { return };
        passage.stamp = Stamp::of(passage.now).next(flow.ends[passage.packet.sender()].last);
        self.in_company(passage);
    }

    /// What follows a reset or a FIN, or comes from elsewhere.
    #[inline(always)]
    fn follow(&mut self, passage: &mut Passage) {
        self.after_reset(passage);
        self.fin_moved(passage);
        self.after_fin(passage);
        self.distance(passage);
        self.answer_to_fin(passage);
        self.fin(passage);
    }

    /// An answer that waited for the client's FIN.
    #[inline(never)]
    fn answer_to_fin(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if passage.found != 0 || !ending::answer_to_fin(flow, passage) {
            return;
        }
        passage.finding.name(Kind::ResponseAfterFin, Rule::Fact);
        passage.found = 1;
    }

    /// Notes in the flow's history what is new. Before the judgement, so that a finding shows its own segment in it, and after
    /// a SYN, which may have begun the history anew.
    #[inline(never)]
    pub(super) fn chronicle(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if history::has_news(&flow.ends[passage.packet.sender()], &passage.packet) {
            history::note(flow, extra, &passage.packet, &mut passage.scratch);
        }
    }

    /// A finding that was lost must be found again: what it ended the watch on is watched on.
    #[inline(always)]
    fn watch_on(&mut self, passage: &mut Passage) {
        if passage.found != LOST {
            return;
        }
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        if passage.finding.kind == Kind::RstSeqData as u8 {
            flow.head.watch.set(Watch::reset(sender));
        } else if passage.finding.kind == Kind::DataAfterFin as u8 {
            flow.ends[sender].bits.set(Bits::FIN);
        } else if passage.finding.kind == Kind::IdleThenSilence as u8 {
            self.listen_on(passage);
        }
        self.warn_again(passage);
    }

    /// A reset: classify and judge. Nothing else of the state learns from it.
    #[inline(never)]
    fn reset(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        forged::reset(flow, passage);
        self.ending(passage);
    }

    /// What a reset says beside its anatomy; it is told and remembered.
    #[inline(always)]
    fn verdict(&mut self, passage: &mut Passage) {
        self.given_up(passage);
        self.cut(passage);
        self.lane(passage);
        self.remember_reset(passage);
        self.round(passage);
        self.taken_back(passage);
        self.race(passage);
        passage.count(ServiceCounter::Rst, true);
        passage.found = 1;
    }

    /// What a reset says of how its connection ended.
    #[inline(never)]
    fn ending(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        ending::reset(flow, passage);
    }

    /// Names a reset that races another, or a handshake.
    #[inline(never)]
    fn race(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        races::judge(flow, passage);
    }

    /// Draws the conclusions of what was found.
    #[inline(never)]
    fn conclude(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        passage.finding.conclude(&mut flow.tails[sender].reset);
    }

    /// Names a reset, and keeps what later segments are compared with.
    #[inline(never)]
    fn remember_reset(&mut self, passage: &mut Passage) {
        let Passage { packet, finding, .. } = passage;
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let class = RstClass::from_u8(finding.class).unwrap_or(RstClass::Unjudged);
        finding.name(class.kind(), Rule::Reset);
        let (d, r) = track::ends(flow, packet.sender());
        let exact = d.flags.0 == 0 || packet.seq.0 == d.nxt.0 || packet.seq.0 == r.ack.0;
        let over = (d.flags.with(r.flags).any(TcpFlags::FIN) || d.segments >= tampering::EARLY) as u8;
        let answered = (flow.tails[packet.receiver()].reset.n > 0) as u8;
        let last = &mut flow.tails[packet.sender()].reset;
        let acked = packet.flags.0 >> 4 & 1;
        let first = (last.n == 0) as u8;
        let differs = (first ^ 1) & (packet.ack.0 != last.ack.0) as u8;
        let zero = (packet.ack.0 == 0) as u8;
        let moot = first & (over | answered);
        let known = last.marks & !7 | acked << 4 | (acked ^ 1) << 3 | differs << 5 | zero << 6 | moot << 7;
        last.seq = packet.seq;
        // Beside real acknowledgments, a bare field would be taken for one.
        last.ack = if acked == 0 && known & Reset::ACKED != 0 { SeqNumber(0) } else { packet.ack };
        last.at = passage.stamp;
        last.ttl = packet.ttl;
        last.marks = known | finding.class & 7;
        last.n = last.n.saturating_add(1);
        flow.head.watch.set(Watch::reset(packet.sender()));
        if exact && finding.class != RstClass::Nonconforming as u8 {
            // Worth less to the table, and no more than that: it may be forged. A request that came to nothing leaves the time when
            // the connection before it was closed.
            let before = flow.head.watch.any(Watch::EMBRYONIC) && flow.head.bits.any(HeadBits::TOMBSTONE);
            if !before || flow.head.closed == 0 {
                flow.head.closed = millis(passage.now) | 1;
            }
            track::close(flow, packet.sender(), TcpFlags::RST);
        }
    }

    /// What a side does after "its own" reset.
    #[inline(never)]
    fn after_reset(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        if !flow.head.watch.any(Watch::reset(sender)) || !forged::carried_on(flow, passage) {
            return;
        }
        flow.head.watch.clear(Watch::reset(sender));
        flow.head.closed = 0;
        let last = &flow.tails[sender].reset;
        let finding = &mut passage.finding;
        finding.about(passage.packet.segment(passage.stamp));
        finding.delay = passage.stamp.since(last.at);
        finding.evidence = Evidence::CARRIED_ON;
        finding.name(Kind::RstSeqData, Rule::CarriedOn);
        passage.found = 1;
        let gap = silence::before_reset(flow, sender);
        if gap > 0 {
            passage.finding.detail = [whole_millis(gap), whole_millis(passage.finding.delay)];
            passage.second(Kind::IdleOneSideRst, Rule::Oddity);
        }
    }

    /// A FIN behind the first one.
    #[inline(never)]
    fn fin_moved(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if passage.found != 0 || !numbers::fin_moved(flow, &passage.packet, passage.stamp) {
            return;
        }
        let ahead = passage.packet.end().since(flow.ends[passage.packet.sender()].nxt);
        passage.finding.about(passage.packet.segment(passage.stamp));
        passage.finding.detail[0] = ahead as u32;
        passage.finding.name(Kind::FinMoved, Rule::Fault);
        passage.found = 1;
    }

    /// Payload beyond a FIN.
    #[inline(never)]
    fn after_fin(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !flow.head.watch.any(Watch::CLOSING) {
            return;
        }
        let d = &mut flow.ends[passage.packet.sender()];
        if passage.packet.seq.after(d.nxt) {
            // Not even next to the FIN: another connection, whose SYN was not seen.
            d.bits.clear(Bits::FIN);
        }
        if passage.found != 0 || !forged::past_fin(flow, passage) {
            return;
        }
        flow.ends[passage.packet.sender()].bits.clear(Bits::FIN);
        flow.head.closed = 0;
        passage.finding.name(Kind::DataAfterFin, Rule::Score);
        passage.found = 1;
    }

    /// A FIN: which side closed, and when both have.
    #[inline(never)]
    fn fin(&mut self, passage: &mut Passage) {
        let packet = &passage.packet;
        if !packet.flags.any(TcpFlags::FIN) {
            return;
        }
        let side = packet.sender();
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let first = !flow.ends[side].bits.any(Bits::FIN);
        flow.ends[side].bits.set(Bits::FIN);
        flow.head.watch.set(Watch::CLOSING);
        track::close(flow, packet.sender(), TcpFlags::FIN);
        if flow.ends[side ^ 1].bits.any(Bits::FIN) {
            flow.head.closed = millis(passage.now) | 1;
        }
        passage.count(ServiceCounter::Fin, first);
        if first && passage.found == 0 && requests::bleached(flow, &passage.packet) {
            let data = flow.ends[side].data as u32;
            passage.finding.about(passage.packet.segment(passage.stamp));
            passage.finding.detail = [0, data];
            passage.finding.name(Kind::EcnBleach, Rule::Fact);
            passage.found = 1;
        }
    }

    /// Counts for the flow's service what the passage has noted, if the flow is known to belong to one, and leaves the service's
    /// index in the passage's scratch.
    #[inline(never)]
    pub(super) fn account(&mut self, passage: &mut Passage) {
        let wanted = passage.service;
        passage.service = 0;
        passage.scratch = NO_SERVICE;
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !flow.head.bits.any(HeadBits::COUNTED) {
            return;
        }
        let server = flow.head.server();
        let Some(index) = self.storage.service_of(self.config, &passage.packet.key, server) else {
            return self.cpu.count(Counter::ServiceOverflow);
        };
        passage.scratch = index;
        let Some(service) = self.storage.service(index) else { return };
        // By number: that it is in bounds must be plain without the table of counters.
        for (number, counter) in service.counters.iter_mut().enumerate() {
            let n = if number == ServiceCounter::Syn as usize {
                passage.requests as u64
            } else if number == ServiceCounter::SynRetransmit as usize {
                passage.requests.saturating_sub(1).max(1) as u64
            } else {
                1
            };
            if wanted >> number & 1 != 0 {
                S::add(counter, n);
            }
        }
    }
}
