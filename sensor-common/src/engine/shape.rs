//! Segments that are odd by themselves, and numbers that leap: looked at first, then judged as any other.

use super::{Engine, NOTHING, NUMBERS, Ring, Stage};
use crate::{
    counters::Counter,
    detect::{doubt::is_due, numbers, shape},
    event::Hook,
    flow::{Side, TcpFlags, Watch},
    kind::Kind,
    passage::{Passage, Rule},
    table::Storage,
    time::{Clock, Stamp},
    wire::{Odd, Packet},
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// The stage for a segment that is not plain.
    #[inline(never)]
    pub(super) fn route(&mut self, passage: &mut Passage) -> Stage {
        passage.begin();
        let Some(flow) = self.storage.flow(passage.index) else { return Stage::Watched };
        let packet = &passage.packet;
        let d = &flow.ends[packet.sender()];
        let watch = flow.head.watch;
        // At the beginning and after the end, numbers are judged by others.
        let settled = watch.0 & !(Watch::STRANGER_A.0 | Watch::STRANGER_B.0) == 0;
        let plain = !packet.flags.any(TcpFlags::SYN.with(TcpFlags::RST).with(TcpFlags::FIN));
        if packet.odd.0 != 0 || settled && plain && numbers::leap(d, packet) {
            return Stage::Shape;
        }
        if !plain || watch.0 != 0 || packet.ttl != d.ttl || is_due(&flow.head, d, packet) {
            return Self::next(packet, watch);
        }
        passage.quiet = 1;
        passage.stamp = Stamp::of(passage.now).next(d.last);
        Stage::Analysis
    }

    /// The stage that a segment's flags and its flow ask for.
    #[inline(always)]
    fn next(packet: &Packet, watch: Watch) -> Stage {
        if packet.flags.any(TcpFlags::RST) {
            Stage::Reset
        } else if packet.flags.any(TcpFlags::SYN) || watch.any(Watch::EMBRYONIC) {
            Stage::Handshake
        } else {
            Stage::Watched
        }
    }

    /// Looks at a segment's shape and numbers. Where it goes on; nowhere if its receiver drops it.
    #[inline(always)]
    pub(super) fn shape(&mut self, passage: &mut Passage) -> Option<Stage> {
        self.header(passage);
        if passage.shape == 0 && passage.packet.flags.is_heard() {
            self.leaps(passage);
        }
        let flow = self.storage.flow(passage.index)?;
        let packet = &passage.packet;
        if packet.flags.is_heard() {
            return Some(Self::next(packet, flow.head.watch));
        }
        passage.learn = NOTHING;
        // Payload before the connection is another matter still.
        let early = flow.head.watch.any(Watch::EMBRYONIC) && !packet.flags.any(TcpFlags::SYN.with(TcpFlags::FIN));
        if early { Some(Stage::Handshake) } else { None }
    }

    /// What the header has against it.
    #[inline(never)]
    fn header(&mut self, passage: &mut Passage) {
        let Some(extra) = self.storage.extra(passage.index) else { return };
        let packet = &passage.packet;
        let Some((kind, rule)) = shape::judge(packet, &mut extra.said[packet.sender()]) else { return };
        passage.shape = kind as u8 + 1;
        passage.shape_rule = rule as u8;
        passage.shape_detail = [0; 2];
    }

    /// What its numbers have against it.
    #[inline(never)]
    fn leaps(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let settled = flow.head.watch.0 & !(Watch::STRANGER_A.0 | Watch::STRANGER_B.0) == 0;
        let plain = !passage.packet.flags.any(TcpFlags::SYN.with(TcpFlags::RST).with(TcpFlags::FIN));
        if !settled || !plain {
            return;
        }
        let Some((kind, rule, detail)) = numbers::judge(flow, extra, passage) else { return };
        passage.shape = kind as u8 + 1;
        passage.shape_rule = rule as u8;
        passage.shape_detail = detail;
        if matches!(kind, Kind::SeqUnderflow | Kind::AckUnderflow) {
            // Its window and its IP-ID are those of another connection, or of nobody.
            passage.learn = NUMBERS;
        }
    }

    /// Whether it echoes a timestamp that was never sent. Asked where a segment is suspected of something: of others it would cost
    /// the other side's memory line.
    #[inline(never)]
    pub(super) fn echo(&mut self, passage: &mut Passage) {
        let Some(flow) = self.storage.flow(passage.index) else { return };
        let Some(ahead) = numbers::impossible_echo(flow, &passage.packet, passage.stamp) else { return };
        if passage.shape == 0 {
            passage.shape = Kind::TsEchoImpossible as u8 + 1;
            passage.shape_rule = Rule::Fault as u8;
            passage.shape_detail = [ahead, 0];
        }
    }

    /// Counts a segment that belongs to no flow and opens none.
    #[inline(always)]
    pub(super) fn stray(&mut self, packet: &Packet, hook: u8) {
        self.cpu.count(Counter::Strays);
        let reason = shape::stray(packet.flags);
        self.cpu.count_reason(reason);
        if reason as u8 == Counter::StrayRst as u8 && hook == Hook::Egress as u8 {
            // It answers a stray that was kept.
            return self.cpu.count(Counter::StrayRstOut);
        }
        self.cpu.strays.keep(packet, hook);
    }

    /// Marks a segment of a guarded port that has passed more routers than its peer is away.
    #[inline(always)]
    pub(super) fn guard(&self, packet: &mut Packet) {
        let config = self.config;
        if config.gtsm_ports[0] == 0 {
            return;
        }
        let (a, b) = (packet.key.port(Side::A), packet.key.port(Side::B));
        let mut guarded = false;
        for port in config.gtsm_ports {
            guarded |= port != 0 && (port == a || port == b);
        }
        let far = packet.ttl < 255 - config.gtsm_hops;
        packet.odd.add_if(guarded && far, Odd::HOPS);
    }
}
