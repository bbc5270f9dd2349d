//! The long way: new flows, handshakes, closes, resets, and whatever is being watched.

use super::{Engine, NOTHING, NUMBERS, Ring, emit::LOST};
use crate::{
    counters::Counter,
    detect::{Evidence, RstClass, anatomy::last_recorded, forged, handshake, origin},
    event::Hook,
    flow::{Bits, HeadBits, Side, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    seq::SeqNumber,
    service::ServiceCounter,
    table::{self, Inserted, Place, Storage},
    time::{Clock, millis, seconds},
    track,
};

/// Consecutive segments from another distance after which it is the side's new distance: a route change.
const REROUTE: u8 = 3;

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Opens a flow for a segment that has none. Resets and FINs open none: anybody can make them, and nothing follows.
    #[inline(never)]
    pub(super) fn open(&mut self, passage: &mut Passage, at: Place) -> bool {
        if passage.packet.flags.any(TcpFlags::RST.with(TcpFlags::FIN)) {
            self.cpu.count(Counter::Strays);
            return false;
        }
        let index = match table::insert(self.storage, at, seconds(passage.now), &mut passage.scratch) {
            Inserted::At(index, evicted) => {
                if let Some(reason) = evicted {
                    self.cpu.count_reason(reason);
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
        if packet.flags.is_syn() {
            // The other side's memory is put in order when there is something to say of it: most SYNs of a flood are alone.
            flow.head.watch.set(Watch::ALONE);
            track::forget(flow, packet.sender(), passage.now);
        } else {
            track::forget(flow, 0, passage.now);
            track::forget(flow, 1, passage.now);
        }
        // Last, so that nobody finds a flow that is not yet all its own.
        flow.head.key = packet.key;
        passage.index = index;
        true
    }

    /// Judges a segment that is not routine, and notes what may be learnt from it.
    #[inline(never)]
    pub(super) fn slow(&mut self, passage: &mut Passage) {
        passage.found = 0;
        self.in_company(passage);
        let flags = passage.packet.flags;
        if flags.any(TcpFlags::RST) {
            passage.learn = NOTHING;
            self.reset(passage);
        } else {
            if flags.any(TcpFlags::SYN) {
                self.syn(passage);
            }
            if passage.learn != NOTHING {
                self.meet(passage);
                self.after_reset(passage);
                self.after_fin(passage);
                self.distance(passage);
                self.fin(passage);
            }
        }
        if passage.found != 0 {
            // First, so that the finding's denominators include its own segment.
            self.account(passage);
            self.conclude(passage);
            self.tell(passage);
            self.watch_on(passage);
        }
    }

    /// The second segment of a flow that began with a SYN: whoever sent it, both sides' memories are looked at from here on.
    #[inline(always)]
    fn in_company(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if flow.head.watch.any(Watch::ALONE) {
            flow.head.watch.clear(Watch::ALONE);
            let client = flow.head.bits.any(HeadBits::CLIENT_B) as usize;
            track::forget(flow, client ^ 1, passage.now);
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
        }
    }

    /// A side's first segment, and what the handshake's fine times say of the path. Repeated segments are left out of the
    /// latter, as their answers are ambiguous (Karn).
    #[inline(never)]
    fn meet(&mut self, passage: &mut Passage) {
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

    /// A reset: classify, judge, tell, remember. Nothing else of the state learns from it.
    #[inline(never)]
    fn reset(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        forged::reset(flow, passage);
        self.remember_reset(passage);
        passage.count(ServiceCounter::Rst, true);
        passage.found = 1;
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
        let last = &mut flow.tails[packet.sender()].reset;
        last.seq = packet.seq;
        last.ack = if packet.flags.any(TcpFlags::ACK) { packet.ack } else { SeqNumber(0) };
        last.at = passage.stamp;
        last.ttl = packet.ttl;
        last.class = finding.class;
        last.n = last.n.saturating_add(1);
        flow.head.watch.set(Watch::reset(packet.sender()));
        if exact && finding.class != RstClass::Nonconforming as u8 {
            // Worth less to the table, and no more than that: it may be forged.
            flow.head.closed = millis(passage.now) | 1;
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

    /// Follows a side's distance. A segment from elsewhere teaches its numbers only, until the change has stayed.
    #[inline(never)]
    fn distance(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let (sender, ttl) = (passage.packet.sender(), passage.packet.ttl);
        let watched = Watch::stranger(sender);
        let d = &mut flow.ends[sender];
        if ttl == d.ttl {
            if flow.head.watch.any(watched) {
                if d.ttl_n >= REROUTE {
                    self.familiar_again(passage);
                } else if d.ttl_n == REROUTE - 1 {
                    self.two_devices(passage);
                } else {
                    self.raced(passage);
                }
            }
            return;
        }
        if d.ttl_n < REROUTE {
            // No baseline yet: the latest is as good as any, and the one before a known path.
            let back = ttl == d.ttl_alt;
            d.ttl_alt = d.ttl;
            d.ttl = ttl;
            d.ttl_n = 0;
            d.bits.set(Bits::REROUTED);
            if d.flags.0 & !(TcpFlags::ECE.0) == TcpFlags::SYN.with(TcpFlags::ACK).0 {
                flow.head.watch.set(watched);
            }
            if back {
                flow.head.watch.set(watched);
                self.raced(passage);
            }
            return;
        }
        let known = d.bits.any(Bits::REROUTED) && ttl == d.ttl_alt;
        d.alt_n = if ttl == d.ttl_alt { d.alt_n.saturating_add(1) } else { 1 };
        if d.alt_n >= REROUTE {
            d.ttl_alt = d.ttl;
            d.ttl = ttl;
            d.alt_n = 0;
            d.bits.set(Bits::REROUTED);
            flow.head.watch.clear(watched);
            return;
        }
        d.ttl_alt = ttl;
        if known {
            return;
        }
        d.bits.clear(Bits::REROUTED);
        flow.head.watch.set(watched);
        passage.learn = NUMBERS;
    }

    /// The side's own distance is back: what came from elsewhere was no route change.
    #[inline(never)]
    fn familiar_again(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        let found = passage.found == 0 && forged::stranger(flow, passage);
        flow.head.watch.clear(Watch::stranger(sender));
        let d = &mut flow.ends[sender];
        d.alt_n = 0;
        d.flaps = d.flaps.saturating_add(1);
        if !found {
            return;
        }
        if d.flaps == origin::FLAPPY {
            passage.finding.name(Kind::TtlFlap, Rule::Oddity);
        } else {
            passage.finding.name(forged::stranger_kind(passage.finding.evidence), Rule::Stranger);
        }
        passage.found = 1;
    }

    /// A race between two speakers before a distance is settled.
    #[inline(never)]
    fn raced(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if passage.found != 0 || !forged::raced(flow, passage) {
            return;
        }
        // The loser's distance is no known path.
        let sender = passage.packet.sender();
        flow.ends[sender].bits.clear(Bits::REROUTED);
        flow.head.watch.clear(Watch::stranger(sender));
        passage.finding.name(forged::stranger_kind(passage.finding.evidence), Rule::Score);
        passage.found = 1;
    }

    /// The SYN-ACK came from another distance than all that followed: a SYN proxy or a load balancer shook hands first.
    #[inline(never)]
    fn two_devices(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        flow.head.watch.clear(Watch::stranger(sender));
        let d = &flow.ends[sender];
        let Some(syn_ack) = last_recorded(flow, sender, REROUTE as u32) else { return };
        let far = origin::hops(syn_ack.ttl).abs_diff(origin::hops(d.ttl)) >= 2;
        if passage.found != 0 || !syn_ack.flags.is_syn_ack() || !far {
            return;
        }
        passage.finding.about(*syn_ack);
        passage.finding.evidence = Evidence::TTL_SYNACK;
        // Every connection through such a device has it.
        passage.finding.name(Kind::TtlSynAckMismatch, Rule::Fact);
        passage.found = 1;
    }

    /// A SYN or SYN-ACK: roles, reuse, and forged answers.
    #[inline(always)]
    fn syn(&mut self, passage: &mut Passage) {
        if passage.packet.flags.is_syn_ack() {
            self.syn_ack(passage);
        } else if passage.packet.flags.is_syn() {
            self.request(passage);
        }
    }

    #[inline(never)]
    fn syn_ack(&mut self, passage: &mut Passage) {
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
            track::renew(flow, packet, passage.now);
            track::resume(&mut flow.ends[receiver], &request);
        }
        // The answer to a SYN that was not seen, after the last connection's end.
        let other = flow.ends[sender].bits.any(Bits::ISN) && flow.ends[sender].isn.0 != passage.packet.seq.0;
        if flow.head.closed != 0 && !flow.head.watch.any(Watch::EMBRYONIC) && other {
            track::renew(flow, &passage.packet, passage.now);
        }
        if handshake::second_syn_ack(flow, passage) {
            passage.learn = NOTHING;
            let far = passage.finding.evidence.any(Evidence::TTL);
            passage.finding.name(if far { Kind::TtlSynAckMismatch } else { Kind::SynAckIsnChange }, Rule::Score);
            passage.found = 1;
            return;
        }
        let first = !flow.ends[sender].flags.any(TcpFlags::SYN);
        if first {
            // A bare ACK may have come before: numbers of an older connection.
            track::introduce(&mut flow.ends[sender], &passage.packet);
        }
        flow.head.bits.set(HeadBits::COUNTED);
        let (d, r) = track::ends(flow, sender);
        let asked = first && r.bits.any(Bits::ECN);
        let granted = asked && d.bits.any(Bits::ECN);
        passage.requests = if r.segments > 255 { 255 } else { r.segments as u8 };
        passage.count(ServiceCounter::SynAck, true);
        passage.count(ServiceCounter::Syn, first);
        passage.count(ServiceCounter::SynRetransmit, first && passage.requests > 1);
        passage.count(ServiceCounter::EcnAsked, asked);
        passage.count(ServiceCounter::EcnGranted, granted);
    }

    #[inline(never)]
    fn request(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let packet = &passage.packet;
        let (sender, receiver) = (packet.sender(), packet.receiver());
        // A repeated request ends the watch on a refusal of the one before.
        if flow.tails[receiver].reset.class == RstClass::Refused as u8 {
            flow.head.watch.clear(Watch::reset(receiver));
        }
        let d = &flow.ends[sender];
        if d.flags.0 == 0 && flow.ends[receiver].flags.0 == 0 {
            return;
        }
        if d.bits.any(Bits::ISN) && d.isn.0 == packet.seq.0 {
            let counted = flow.head.bits.any(HeadBits::COUNTED);
            passage.requests = 1;
            passage.count(ServiceCounter::Syn, counted);
            passage.count(ServiceCounter::SynRetransmit, counted);
            return;
        }
        if !flow.head.watch.any(Watch::EMBRYONIC) && flow.head.closed == 0 {
            // On a live connection it may be anybody's; if it is answered, the answer begins the new one.
            passage.learn = NOTHING;
            return;
        }
        track::renew(flow, packet, passage.now);
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
    }

    /// An embryonic flow whose two sides have come to agree is established.
    #[inline(never)]
    pub(super) fn promote(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else {
            return;
        };
        if !track::agree(&flow.ends[0], &flow.ends[1]) {
            return;
        }
        flow.head.watch.clear(Watch::EMBRYONIC);
        flow.head.bits.set(HeadBits::ESTABLISHED);
        flow.head.bits.set(HeadBits::COUNTED);
        if flow.ends[0].bits.any(Bits::WSCALE) && flow.ends[1].bits.any(Bits::WSCALE) {
            flow.ends[0].bits.set(Bits::SCALED);
            flow.ends[1].bits.set(Bits::SCALED);
        }
        if !flow.head.watch.any(Watch::RESET_A) && !flow.head.watch.any(Watch::RESET_B) {
            flow.head.closed = 0;
        }
        self.cpu.count(Counter::FlowsEstablished);
        passage.count(ServiceCounter::Established, true);
    }

    /// Counts for the flow's service what the passage has noted, if the flow is known to belong to one.
    #[inline(never)]
    pub(super) fn account(&mut self, passage: &mut Passage) {
        let wanted = passage.service;
        passage.service = 0;
        let Some(flow) = self.storage.flow(passage.index) else { return };
        if !flow.head.bits.any(HeadBits::COUNTED) {
            return;
        }
        let server = flow.head.server();
        let Some(index) = table::service(self.storage, self.config, &passage.packet.key, server) else {
            return self.cpu.count(Counter::ServiceOverflow);
        };
        let Some(service) = self.storage.service(index) else { return };
        for (counter, _) in ServiceCounter::ALL {
            let n = match counter {
                ServiceCounter::Syn => passage.requests as u64,
                ServiceCounter::SynRetransmit => passage.requests.saturating_sub(1).max(1) as u64,
                _ => 1,
            };
            if wanted >> counter as u32 & 1 != 0 {
                S::add(&mut service.counters[counter as usize], n);
            }
        }
    }
}
