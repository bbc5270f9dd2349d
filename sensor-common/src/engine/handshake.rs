//! New flows and handshakes: roles, round trips, reuse, and forged answers.

use super::{Engine, NOTHING, Ring};
use crate::{
    counters::Counter,
    detect::{Evidence, RstClass, analysis::Rows, anatomy::last_recorded, ecn, ending, handshake, shape, timewait},
    event::Hook,
    flow::{Bits, HeadBits, Side, TcpFlags, Watch, history::History},
    kind::Kind,
    passage::{Passage, Rule},
    service::ServiceCounter,
    table::{self, Inserted, Place, Storage},
    time::{Clock, Stamp, seconds, whole_millis},
    track,
    wire::Odd,
};

/// No host repeats a request so soon (10 ms): it is a copy, by a mirror or by the loopback interface, which passes both hooks.
const COPY: u32 = 9766;

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Opens a flow for a segment that has none. Resets and FINs open none, nor does what has neither SYN nor ACK: anybody can make
    /// them, and nothing follows.
    #[inline(never)]
    pub(super) fn open(&mut self, passage: &mut Passage, at: Place) -> bool {
        let flags = passage.packet.flags;
        if flags.any(TcpFlags::RST.with(TcpFlags::FIN)) || !flags.any(TcpFlags::SYN.with(TcpFlags::ACK)) {
            self.stray(&passage.packet, passage.hook);
            return false;
        }
        let odd = shape::impossible_ends(&passage.packet);
        passage.packet.odd.add_if(odd, Odd::ENDS);
        let index = match table::insert(self.storage, at, seconds(passage.now), &mut passage.scratch) {
            Inserted::At(index, evicted) => {
                if let Some(reason) = evicted {
                    self.cpu.count_reason(reason);
                    if table::closed_lately(passage.scratch) {
                        passage.index = index;
                        self.evicted(passage);
                    }
                }
                index
            }
            Inserted::No(reason) => {
                self.cpu.count_reason(reason);
                return false;
            }
        };
        self.cpu.count(Counter::FlowsCreated);
        let packet = &passage.packet;
        let Some(flow) = self.storage.flow(index) else {
            return false;
        };
        track::clear(&mut flow.head);
        let local = match Hook::from_u8(passage.hook) {
            Some(Hook::Ingress) => Some(packet.side().other()),
            Some(Hook::Egress) => Some(packet.side()),
            _ => None,
        };
        flow.head.bits = match local {
            Some(Side::A) => HeadBits::LOCAL_A,
            Some(Side::B) => HeadBits::LOCAL_B,
            None => HeadBits(0),
        };
        track::open(flow, packet, passage.now);
        if packet.is_plain_syn() {
            // The other side's memory is put in order when there is something to say of it: most SYNs of a flood are alone.
            flow.head.watch.set(Watch::ALONE);
            track::forget(flow, packet.sender(), passage.now);
        } else {
            track::forget(flow, 0, passage.now);
            track::forget(flow, 1, passage.now);
            if !flags.is_syn() {
                let answer = flags.any(TcpFlags::SYN);
                self.cpu.count_reason(if answer { Counter::BegunSynAck } else { Counter::BegunMidway });
            }
            if let Some(extra) = self.storage.extra(index) {
                track::clear(extra);
            }
        }
        let Some(flow) = self.storage.flow(index) else {
            return false;
        };
        // Last, so that nobody finds a flow that is not yet all its own.
        flow.head.key = packet.key;
        passage.index = index;
        true
    }

    /// The second segment of a flow that began with a SYN: whoever sent it, both sides' memories are looked at from here on.
    #[inline(always)]
    pub(super) fn in_company(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if flow.head.watch.any(Watch::ALONE) {
            flow.head.watch.clear(Watch::ALONE);
            let server = flow.head.bits.any(HeadBits::CLIENT_B) as usize ^ 1;
            track::forget(flow, server, passage.now);
            track::clear(extra);
            extra.history = History::alone(&flow.ends[server ^ 1]).0;
            if passage.packet.sender() == server {
                // Its stamp was taken against what an earlier flow had left there.
                passage.stamp = Stamp::of(passage.now);
            }
        }
    }

    /// A side's first segment, and what the handshake's fine times say of the path. Repeated segments are left out of the
    /// latter, as their answers are ambiguous (Karn).
    #[inline(never)]
    pub(super) fn meet(&mut self, passage: &mut Passage) {
        let packet = &passage.packet;
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let (d, r) = track::ends(flow, packet.sender());
        if d.flags.0 == 0 {
            track::introduce(d, packet);
        }
        let once = d.segments == if packet.flags.is_syn_ack() { 0 } else { 1 } && r.segments == 1;
        let answers =
            r.bits.any(Bits::ISN) && packet.flags.any(TcpFlags::ACK) && packet.ack.0 == r.isn.0.wrapping_add(1);
        // With payload it may be long after the ACK that was lost.
        if once && answers && packet.len == 0 {
            track::round_trip(d, passage.stamp.since(r.nxt_at));
        }
    }

    /// A SYN or SYN-ACK: roles, reuse, and forged answers.
    #[inline(always)]
    pub(super) fn syn(&mut self, passage: &mut Passage) {
        if passage.packet.flags.is_syn_ack() {
            self.syn_ack(passage);
        } else if passage.packet.flags.is_syn() {
            self.request(passage);
        }
    }

    #[inline(never)]
    pub(super) fn syn_ack(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let packet = &passage.packet;
        let (sender, receiver) = (packet.sender(), packet.receiver());
        // The answer to a SYN that was taken for a stray on a live flow: the connection is new after all.
        let live = !flow.head.watch.any(Watch::EMBRYONIC);
        if live
            && let Some(&request) = last_recorded(flow, receiver, 1)
            && request.flags.is_syn()
            && request.end().0 == packet.ack.0
            && packet.ack.0 != flow.ends[receiver].isn.0.wrapping_add(1)
        {
            self.renewed(passage);
            let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
            track::renew(flow, extra, &passage.packet, passage.now);
            track::resume(&mut flow.ends[receiver], &request);
            extra.history = History::alone(&flow.ends[receiver]).0;
        }
        let Some(flow) = self.storage.flow(passage.index) else { return };
        // The answer to a SYN that was not seen, after the last connection's end.
        let other = flow.ends[sender].bits.any(Bits::ISN) && flow.ends[sender].isn.0 != passage.packet.seq.0;
        if flow.head.closed != 0 && !flow.head.watch.any(Watch::EMBRYONIC) && other {
            self.renewed(passage);
            let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
            track::renew(flow, extra, &passage.packet, passage.now);
        }
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if handshake::second_syn_ack(flow, passage) {
            passage.learn = NOTHING;
            let far = passage.finding.evidence.any(Evidence::TTL);
            passage.finding.name(if far { Kind::TtlSynAckMismatch } else { Kind::SynAckIsnChange }, Rule::Score);
            passage.found = 1;
            return;
        }
        if ending::not_accepted(flow, passage) {
            // From afar the client's segments may be lost on the way to the server.
            let here = flow.head.local().is_some_and(|local| local as usize == sender);
            passage.finding.name(Kind::AcceptQueueDrop, if here { Rule::Fault } else { Rule::Oddity });
            passage.found = 1;
        }
        let first = !flow.ends[sender].flags.any(TcpFlags::SYN);
        if first {
            // A bare ACK may have come before: numbers of an older connection.
            track::introduce(&mut flow.ends[sender], &passage.packet);
        }
        // Of one that nobody was seen to ask for, only once both sides agree: made-up servers would take all places of services.
        if flow.ends[receiver].bits.any(Bits::ISN) {
            flow.head.bits.set(HeadBits::COUNTED);
        }
        // A retry may do without (RFC 3168 §6.1.1.1).
        let plain = ecn::retried_without(&flow.tails[receiver & 1], &flow.ends[receiver & 1]);
        let (d, r) = track::ends(flow, sender);
        let asked = first && r.bits.any(Bits::ECN) && !plain;
        let granted = asked && d.bits.any(Bits::ECN);
        passage.requests = if r.segments > 255 { 255 } else { r.segments as u8 };
        passage.count(ServiceCounter::SynAck, true);
        passage.count(ServiceCounter::Syn, first);
        passage.count(ServiceCounter::SynRetransmit, first && passage.requests > 1);
        passage.count(ServiceCounter::EcnAsked, asked);
        passage.count(ServiceCounter::EcnGranted, granted);
        if first {
            self.ecn_answer(passage);
            self.fate(passage);
            self.reuse(passage);
        }
    }

    #[inline(never)]
    pub(super) fn request(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let packet = &passage.packet;
        let (sender, receiver) = (packet.sender(), packet.receiver());
        // A repeated request ends the watch on a refusal of the one before.
        if flow.tails[receiver].reset.class() == RstClass::Refused as u8 {
            flow.head.watch.clear(Watch::reset(receiver));
        }
        let d = &flow.ends[sender];
        if d.flags.0 == 0 && flow.ends[receiver].flags.0 == 0 {
            return;
        }
        if d.bits.any(Bits::ISN) && d.isn.0 == packet.seq.0 {
            let counted = flow.head.bits.any(HeadBits::COUNTED);
            let live = !flow.head.watch.any(Watch::EMBRYONIC);
            if !live && passage.stamp.since(d.last) < COPY {
                return;
            }
            if !live {
                passage.finding.about(packet.segment(passage.stamp));
                let before = d.segments.wrapping_sub(flow.tails[sender].reset.n as u32);
                passage.finding.detail = [whole_millis(passage.stamp.since(d.last)), before];
                passage.finding.name(Kind::SynRetryProfile, Rule::Fact);
                passage.found = 1;
                self.repeat(passage);
            }
            passage.requests = 1;
            passage.count(ServiceCounter::Syn, counted);
            passage.count(ServiceCounter::SynRetransmit, counted);
            if live {
                self.provoke(passage);
            }
            return;
        }
        passage.rows = if d.flags.0 == 0 { Rows(0) } else { Rows::REUSED_PORTS };
        if !flow.head.watch.any(Watch::EMBRYONIC) && flow.head.closed == 0 {
            // On a live connection it may be anybody's; if it is answered, the answer begins the new one.
            passage.learn = NOTHING;
            return self.provoke(passage);
        }
        self.renewed(passage);
        if let Some((flow, extra)) = self.storage.whole(passage.index) {
            let objections = timewait::objections(flow, &passage.packet, passage.now);
            track::renew(flow, extra, &passage.packet, passage.now);
            extra.doubt.marks = objections;
        }
    }

    /// An embryonic flow whose two sides have come to agree is established.
    #[inline(never)]
    pub(super) fn promote(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !flow.head.watch.any(Watch::EMBRYONIC) || !track::agree(&flow.ends[0], &flow.ends[1]) {
            return;
        }
        flow.head.watch.clear(Watch::EMBRYONIC);
        flow.head.bits.set(HeadBits::ESTABLISHED);
        flow.head.bits.set(HeadBits::COUNTED);
        if flow.ends[0].bits.any(Bits::WSCALE) && flow.ends[1].bits.any(Bits::WSCALE) {
            flow.ends[0].bits.set(Bits::SCALED);
            flow.ends[1].bits.set(Bits::SCALED);
        }
        if !flow.ends[0].bits.any(Bits::TIMESTAMPS) || !flow.ends[1].bits.any(Bits::TIMESTAMPS) {
            // Offered and not taken: none are to be missed.
            flow.ends[0].tsval = 0;
            flow.ends[1].tsval = 0;
        }
        if !flow.head.watch.any(Watch::RESET_A) && !flow.head.watch.any(Watch::RESET_B) {
            flow.head.closed = 0;
        }
        let asker = flow.head.bits.any(HeadBits::CLIENT_B) as usize;
        let asked = flow.head.bits.any(HeadBits::HANDSHAKE) && flow.ends[asker & 1].bits.any(Bits::ECN);
        self.cpu.count(Counter::FlowsEstablished);
        passage.count(ServiceCounter::EcnWorked, asked);
        passage.count(ServiceCounter::Established, true);
    }
}
