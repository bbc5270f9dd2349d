//! Segments that are not plain: counted by Wireshark's rows, and the lines told that they cross.

use super::{EVERYTHING, Engine, Ring, Stage};
use crate::{
    detect::{
        analysis::{At, ROWS, Rows, halves, judge},
        performance,
    },
    flow::{End, Half, Watch, history},
    kind::Kind,
    opaque::recall,
    passage::Passage,
    service::ServiceCounter,
    table::Storage,
    time::{Clock, Stamp},
    track,
    wire::Packet,
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// Judges a segment by Wireshark's rows, and lets the state learn from it unless there is more to do.
    #[inline(always)]
    pub(super) fn analyse(&mut self, passage: &mut Passage) -> Option<Stage> {
        if passage.quiet != 0 {
            self.chronicle(passage);
        }
        self.rows(passage);
        let flow = self.storage.flow(passage.index)?;
        if passage.found != 0 || passage.shape != 0 || flow.head.watch.any(Watch::EMBRYONIC) {
            return Some(Stage::Tell);
        }
        let d = &flow.ends[passage.packet.sender()];
        let note = passage.quiet == 0 || second_passed(passage.stamp, d.last) || first_payload(d, &passage.packet);
        self.learn(passage);
        if passage.service != 0 {
            self.account(passage);
        }
        if note {
            self.note(passage);
        }
        None
    }

    /// The rows, before the state learns from the segment.
    #[inline(never)]
    fn rows(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        let at = At { stamp: passage.stamp, clock: Stamp::of(passage.now) };
        let learns = passage.learn == EVERYTHING;
        let judged = judge(flow, extra, &passage.packet, at, learns, &mut passage.rows);
        let rows = recall(&passage.rows.0);
        for row in 0..ROWS {
            self.cpu.analysis[row] = self.cpu.analysis[row].wrapping_add((rows >> row & 1) as u64);
        }
        let sender = passage.packet.sender();
        passage.count(ServiceCounter::Retransmit, judged.repeated && passage.packet.len > 0);
        if Rows(rows).any(Rows::REPEATED) && passage.packet.len > 0 {
            history::note_repeated(flow, extra, sender);
        }
        if passage.found != 0 || !learns {
            return;
        }
        let (d, r) = track::ends(flow, sender);
        let (half, far) = halves(extra, sender);
        let crossed = performance::judge((d, half), (r, far), &passage.packet, at.stamp, Rows(rows), judged);
        if let Some(line) = crossed {
            passage.finding.about(passage.packet.segment(passage.stamp));
            passage.finding.detail = line.detail;
            passage.finding.name(line.kind, line.rule);
            passage.found = 1;
        }
    }

    /// A warning that found no room is told again: a stall with the next answer to a probe, blindness with the next unseen byte.
    #[inline(always)]
    pub(super) fn warn_again(&mut self, passage: &Passage) {
        let Some(extra) = self.storage.extra(passage.index) else { return };
        let (half, far) = halves(extra, passage.packet.sender());
        if passage.finding.kind == Kind::ZeroWindowStall as u8 {
            half.marks &= !Half::TOLD_STALL;
        } else if passage.finding.kind == Kind::WsAckLostSegment as u8 {
            far.marks &= !Half::TOLD_BLIND;
        }
    }
}

/// Whether the table is to be told that a flow still lives: once a second (2^20 units) is enough.
#[inline(always)]
pub(super) const fn second_passed(now: Stamp, last: Stamp) -> bool {
    (now.0 ^ last.0) >> 20 != 0
}

/// Whether a side speaks for the first time: its flow is worth more from then on.
#[inline(always)]
pub(super) const fn first_payload(d: &End, packet: &Packet) -> bool {
    packet.len > 0 && d.data == 0
}
