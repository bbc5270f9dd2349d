//! Segments that begin in bytes already sent, and the silence that follows some of them.

use super::{Engine, Ring};
use crate::{
    detect::silence::{self, Silence},
    flow::{Doubt, Watch},
    passage::Passage,
    table::Storage,
    time::Clock,
};

impl<S: Storage, R: Ring, C: Clock> Engine<'_, S, R, C> {
    /// A segment that was learnt, and begins in bytes already sent: payload again, a FIN again, or a keep-alive.
    #[inline(never)]
    pub(super) fn behind(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if silence::begins(flow, &passage.packet) {
            flow.head.watch.set(Watch::DOUBTED);
            extra.doubt.marks |= Doubt::SILENT;
        }
    }

    /// A silence whose finding was lost is watched on.
    #[inline(never)]
    pub(super) fn listen_on(&mut self, passage: &Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        flow.head.watch.set(Watch::DOUBTED);
        extra.doubt.marks |= Doubt::SILENT;
    }

    /// What a reset says of a silence that is being watched.
    #[inline(never)]
    pub(super) fn given_up(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if flow.head.watch.any(Watch::DOUBTED) && extra.doubt.marks & Doubt::SILENT != 0 {
            silence::reset(flow, passage);
        }
    }

    /// Whether a silence that is being watched has lasted for long enough.
    #[inline(never)]
    pub(super) fn silence(&mut self, passage: &mut Passage) {
        let Some((flow, extra)) = self.storage.whole(passage.index) else { return };
        if !flow.head.watch.any(Watch::DOUBTED) || extra.doubt.marks & Doubt::SILENT == 0 || passage.found != 0 {
            return;
        }
        match silence::judge(flow, passage) {
            Silence::Lasts => return,
            Silence::Broken => {}
            Silence::Told(kind, rule) => {
                passage.finding.name(kind, rule);
                passage.found = 1;
            }
        }
        extra.doubt.marks &= !Doubt::SILENT;
    }
}
