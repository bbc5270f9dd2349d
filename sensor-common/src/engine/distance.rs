//! A side's distance: its baseline, route changes, and strangers.

use super::{Engine, NUMBERS, Ring};
use crate::{
    detect::{Evidence, anatomy::last_recorded, forged, origin},
    flow::{Bits, End, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    table::Storage,
    time::Clock,
};

/// Consecutive segments from another distance after which it is the side's new distance: a route change.
const REROUTE: u8 = 3;

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Follows a side's distance. A segment from elsewhere teaches its numbers only, until the change has stayed.
    #[inline(never)]
    pub(super) fn distance(&mut self, passage: &mut Passage) {
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
            if d.flags.0 & !(TcpFlags::ECE.0 | End::SEVERAL.0) == TcpFlags::SYN.with(TcpFlags::ACK).0 {
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
    pub(super) fn familiar_again(&mut self, passage: &mut Passage) {
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
    pub(super) fn raced(&mut self, passage: &mut Passage) {
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
    pub(super) fn two_devices(&mut self, passage: &mut Passage) {
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
}
