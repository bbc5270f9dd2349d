//! The engine: one segment in, state advanced, findings out.

mod analysis;
mod bare_ack;
mod distance;
mod doubt;
mod ecn;
mod emit;
mod handshake;
mod oddities;
mod parted;
mod requests;
mod rfc5961;
mod shape;
mod silence;
mod slow;

use crate::{
    config::Config,
    counters::{Counter, Cpu},
    detect::{analysis::plain, numbers},
    event::{Event, Hook},
    flow::{TcpFlags, history},
    opaque::{keep, recall},
    passage::Passage,
    table::{self, Storage},
    time::{Clock, Stamp, seconds},
    track,
    wire::{Frame, Packet, parse},
};

use analysis::{first_payload, second_passed};

/// Where findings go.
pub trait Ring {
    /// Offers room for one event and fills it in place; false if there is none. Events of `low` severity may fill only
    /// `quota` bytes, so that they cannot push out severe ones.
    fn submit(&mut self, low: bool, quota: u32, fill: impl FnOnce(&mut Event)) -> bool;
}

/// Where and how a frame was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Interface index; 0 in a capture without one.
    pub ifindex: u32,
    /// VLAN id taken out of the frame by the NIC or the kernel; 0 if none.
    pub tag: u16,
    /// Which hook.
    pub hook: Hook,
}

/// Where a segment that is not routine goes on. In the kernel each is a program of its own, reached by a tail call, with its own
/// share of the verifier's patience; all that goes along lies in the [`Passage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    /// A reset.
    Reset = 0,
    /// A handshake, or what claims to be part of one.
    Handshake = 1,
    /// A flow that is closing or suspected of something, a FIN, an unexpected TTL.
    Watched = 2,
    /// There may be a finding to tell, or a handshake to conclude, after any of these. A second finding about the same segment comes
    /// here again.
    Tell = 3,
    /// A reset again, its anatomy known: what it says beside that, and what is remembered of it.
    Verdict = 4,
    /// A segment that is not plain, after any of these but Tell or straight away: see [`crate::detect::analysis`].
    Analysis = 5,
    /// A segment that is odd by itself, or whose numbers leap. It goes on in one of the others.
    Shape = 6,
}

impl Stage {
    /// Every stage with the names of its programs: for XDP, for tc.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Reset, "xdp_reset", "tc_reset"),
        (Self::Handshake, "xdp_handshake", "tc_handshake"),
        (Self::Watched, "xdp_watched", "tc_watched"),
        (Self::Tell, "xdp_tell", "tc_tell"),
        (Self::Verdict, "xdp_verdict", "tc_verdict"),
        (Self::Analysis, "xdp_analysis", "tc_analysis"),
        (Self::Shape, "xdp_shape", "tc_shape"),
    ];
}

/// The engine and all that it works on.
pub struct Engine<'a, S, R, C> {
    /// Buckets, flows, services.
    pub storage: &'a mut S,
    /// Findings.
    pub ring: &'a mut R,
    /// Time.
    pub clock: &'a C,
    /// This CPU's counters.
    pub cpu: &'a mut Cpu,
    /// What it was told.
    pub config: &'a Config,
}

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Judges one frame. The frame's fate is not the engine's business.
    #[inline(always)]
    pub fn observe<F: Frame>(&mut self, frame: &F, seen: Seen, passage: &mut Passage) {
        let mut next = self.begin(frame, seen, passage);
        while let Some(stage) = next {
            next = self.go_on(stage, passage);
        }
    }

    /// The first part of [`Engine::observe`]: all of it for most segments; the others go on with [`Engine::go_on`].
    #[inline(always)]
    pub fn begin<F: Frame>(&mut self, frame: &F, seen: Seen, passage: &mut Passage) -> Option<Stage> {
        self.cpu.count(Counter::Packets);
        let in_key = self.config.vlan_in_key != 0;
        if let Err(reason) = parse(frame, seen.ifindex, seen.tag, in_key, &mut passage.packet) {
            self.cpu.count_reason(reason);
            return None;
        }
        // Kept, so that the verifier does not follow all that comes once for each hook.
        keep(&mut passage.hook, seen.hook as u8);
        self.count_flags(&passage.packet, recall(&passage.hook));
        self.guard(&mut passage.packet);
        passage.now = self.clock.coarse();
        let at = table::place(&passage.packet.key, self.config);
        match table::find(self.storage, at, &passage.packet.key) {
            Some(index) => passage.index = index,
            None if self.open(passage, at) => {
                if passage.packet.is_plain_syn() {
                    self.first_syn(passage);
                    return None;
                }
            }
            None => return None,
        }
        self.judge(passage)
    }

    /// The first SYN of a flow: there is nothing to judge it by.
    #[inline(always)]
    fn first_syn(&mut self, passage: &mut Passage) {
        passage.now = self.clock.fine();
        passage.stamp = Stamp::of(passage.now);
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let sender = passage.packet.sender();
        let d = &mut flow.ends[sender];
        track::introduce(d, &passage.packet);
        track::advance(d, &passage.packet, passage.stamp, true);
        track::record(flow, sender, &passage.packet.segment(passage.stamp));
    }

    #[inline(always)]
    fn judge(&mut self, passage: &mut Passage) -> Option<Stage> {
        let flow = self.storage.flow(passage.index)?;
        let packet = &passage.packet;
        let flags = packet.flags;
        let watch = flow.head.watch;
        let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
        passage.learn = EVERYTHING;
        passage.service = 0;
        let held = flags.0 & TcpFlags::SYN.with(TcpFlags::FIN).with(TcpFlags::RST).0;
        let usual = held | watch.0 | packet.odd.0 | (packet.ttl ^ d.ttl) == 0;
        if !usual || !plain(d, r, packet) || numbers::strays(d, packet) {
            return Some(self.route(passage));
        }
        passage.stamp = Stamp::of(passage.now).next(d.last);
        let note = second_passed(passage.stamp, d.last) || first_payload(d, packet);
        if history::has_news(d, packet) {
            self.chronicle(passage);
        }
        let flow = self.storage.flow(passage.index)?;
        let packet = &passage.packet;
        // Next in order, it does not begin in bytes already sent.
        track::advance(&mut flow.ends[packet.sender()], packet, passage.stamp, true);
        track::record(flow, packet.sender(), &packet.segment(passage.stamp));
        if note {
            self.note(passage);
        }
        None
    }

    /// The state learns from the segment what it may, and records it.
    #[inline(always)]
    fn learn(&mut self, passage: &mut Passage) {
        let sender = passage.packet.sender();
        if passage.learn != NOTHING {
            let Some(flow) = self.storage.flow(passage.index) else { return };
            let d = &mut flow.ends[sender];
            if track::advance(d, &passage.packet, passage.stamp, passage.learn == EVERYTHING) {
                self.behind(passage);
            }
        }
        let Some(flow) = self.storage.flow(passage.index) else { return };
        track::record(flow, sender, &passage.packet.segment(passage.stamp));
    }

    /// Renews what the flow is worth.
    #[inline(always)]
    fn note(&mut self, passage: &Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let worth = track::worth(flow);
        table::note(self.storage, passage.index, worth, seconds(passage.now));
    }

    #[inline(always)]
    fn count_flags(&mut self, packet: &Packet, hook: u8) {
        self.cpu.count(Counter::Segments);
        if packet.len > 0 {
            self.cpu.count(Counter::Data);
        }
        let flags = packet.flags;
        if flags.any(TcpFlags::SYN.with(TcpFlags::FIN).with(TcpFlags::RST)) {
            if flags.is_syn() {
                self.cpu.count(Counter::Syn);
            }
            if flags.is_syn_ack() {
                self.cpu.count(Counter::SynAck);
            }
            if flags.any(TcpFlags::FIN) {
                self.cpu.count(Counter::Fin);
            }
            if flags.any(TcpFlags::RST) {
                self.cpu.count(Counter::Rst);
                if hook == Hook::Egress as u8 {
                    self.cpu.count(Counter::RstOut);
                }
            }
        }
    }
}

/// What the state may learn from a segment: nothing (a reset, or a SYN that belongs to another connection), its sequence numbers
/// (it came from an unexpected distance), or everything.
const NOTHING: u8 = 0;
const NUMBERS: u8 = 1;
const EVERYTHING: u8 = 2;
