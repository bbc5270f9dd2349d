//! A conversation: requests and answers, pauses, and one of many ways to end.

use std::net::SocketAddr;

use super::{
    class::Class,
    dice::Dice,
    endpoint::{Endpoint, MS, Manners, Outbox, State},
    path::Path,
};

const SECOND: u64 = 1000 * MS;

/// How a conversation ends. The number is the side that does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Fin(usize),
    BothFin,
    HalfClose,
    Abort(usize),
    AbortInTheMiddle(usize),
    CloseInTheMiddle,
    FinThenReset(usize),
    ResetForFin(usize),
    Forgetful,
    Vanish,
    LoserBeforeAnswer,
    LoserAfterAnswer,
    Refused,
    Rebinding,
}

impl Ending {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let side = dice.below(2) as usize;
        match dice.below(100) {
            0..42 => Self::Fin(side),
            42..46 => Self::BothFin,
            46..52 => Self::HalfClose,
            52..60 => Self::Abort(side),
            60..66 => Self::AbortInTheMiddle(side),
            66..72 => Self::CloseInTheMiddle,
            72..77 => Self::FinThenReset(side),
            77..82 => Self::ResetForFin(side),
            82..86 => Self::Forgetful,
            86..89 => Self::Vanish,
            89..91 => Self::LoserBeforeAnswer,
            91..93 => Self::LoserAfterAnswer,
            93..96 => Self::Refused,
            96..98 => Self::Rebinding,
            _ => Self::Fin(0),
        }
    }

    /// Whether it ends while an answer is on its way.
    const fn in_the_middle(self) -> bool {
        matches!(self, Self::AbortInTheMiddle(_) | Self::CloseInTheMiddle)
    }
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Connecting,
    Pause,
    Asked,
    Thinking,
    Answering { middle: u32 },
    Closing,
}

/// What is to happen later.
#[derive(Clone, Copy, Debug)]
pub(super) enum Later {
    Application,
    KeepAlive(usize),
    Read,
}

#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) number: u64,
    /// The addresses: client, server.
    pub(super) ends: [SocketAddr; 2],
    pub(super) sides: [Endpoint; 2],
    pub(super) paths: [Path; 2],
    pub(super) ending: Ending,
    /// Frames that pass before the sensor is there.
    pub(super) unseen: u32,
    /// Nothing gets through to the client any more.
    pub(super) deaf: bool,
    /// The client's port is about to change.
    pub(super) rebind: bool,
    /// Things under way.
    pub(super) pending: u32,
    /// The last coarse time at which a frame was seen.
    pub(super) seen: u64,
    pub(super) later: Vec<(u64, Later)>,
    phase: Phase,
    left: u64,
}

impl Conversation {
    pub(super) fn new(
        number: u64,
        ends: [SocketAddr; 2],
        sides: [Endpoint; 2],
        paths: [Path; 2],
        ending: Ending,
        dice: &mut Dice,
    ) -> Self {
        Self {
            number,
            ends,
            sides,
            paths,
            ending,
            unseen: 0,
            deaf: false,
            rebind: false,
            pending: 0,
            seen: 0,
            later: Vec::new(),
            phase: Phase::Connecting,
            left: dice.spread(1, 8),
        }
    }

    /// The application's turn.
    pub(super) fn application(&mut self, now: u64, dice: &mut Dice, out: &mut Outbox) {
        match self.phase {
            Phase::Connecting => self.connect(now, dice, out),
            Phase::Pause if self.left == 0 => self.end(now, dice, out),
            Phase::Pause => {
                self.left -= 1;
                self.phase = Phase::Asked;
                self.sides[0].write(now, dice.spread(60, 6000) as u32, out);
                if self.left == 0 && self.ending == Ending::HalfClose {
                    out.tally.count(Class::HalfClose);
                    self.sides[0].close(now, out);
                }
            }
            Phase::Thinking => self.answer(now, dice, out),
            Phase::Closing => match self.ending {
                Ending::FinThenReset(side) if self.sides[side].state == State::Open => {
                    out.tally.count(Class::ResetAfterOwnFin);
                    self.sides[side].abort(now, out);
                }
                Ending::Vanish => self.sides[1].abort(now, out),
                _ => {}
            },
            _ => {}
        }
    }

    fn connect(&mut self, now: u64, dice: &mut Dice, out: &mut Outbox) {
        if self.ending == Ending::Refused {
            self.sides[1].leave();
        }
        if dice.chance(60_000) {
            let reader = &mut self.sides[0];
            reader.slow = true;
            reader.stack.buffer = reader.stack.buffer.min(16_384);
            self.later.push((SECOND, Later::Read));
        }
        self.sides[0].connect(now, out);
        if self.ending == Ending::LoserBeforeAnswer {
            out.tally.count(Class::LoserBeforeAnswer);
            self.sides[0].leave();
        }
    }

    fn answer(&mut self, now: u64, dice: &mut Dice, out: &mut Outbox) {
        let half = self.left == 0 && self.ending == Ending::HalfClose;
        let most = if self.sides[1].peer_mss < 1000 { 12_000 } else { 120_000 };
        let bytes = if half { dice.range(8000, most) } else { dice.spread(100, most) } as u32;
        let segments = bytes / self.sides[1].peer_mss;
        if segments >= 16 && !self.ending.in_the_middle() {
            self.reroute(dice, out);
        }
        let written = self.sides[1].written;
        self.sides[1].write(now, bytes, out);
        self.phase = Phase::Answering { middle: written + bytes / 3 };
        if half {
            self.sides[1].close(now, out);
        }
    }

    /// A reroute comes with a long answer, so that it can be seen to stay.
    fn reroute(&mut self, dice: &mut Dice, out: &mut Outbox) {
        let path = &mut self.paths[dice.below(2) as usize];
        if path.hops == 0 {
            return;
        }
        if path.other != path.hops {
            out.tally.count(Class::FlowletPaths);
            std::mem::swap(&mut path.hops, &mut path.other);
        } else if dice.chance(80_000) {
            out.tally.count(Class::Reroute);
            let change = dice.range(1, 4) as u8;
            let before = path.hops;
            path.hops = if dice.chance(500_000) { before + change } else { before.saturating_sub(change).max(1) };
            path.delay = path.delay * dice.range(70, 130) / 100;
            path.other = if dice.chance(500_000) { before } else { path.hops };
        }
    }

    /// What follows from what has arrived.
    pub(super) fn progress(&mut self, now: u64, dice: &mut Dice, out: &mut Outbox) {
        match self.phase {
            Phase::Connecting if self.sides[0].state == State::Open => {
                if self.ending == Ending::LoserAfterAnswer {
                    out.tally.count(Class::LoserAfterAnswer);
                    self.phase = Phase::Closing;
                    self.sides[0].abort(now, out);
                } else {
                    self.phase = Phase::Pause;
                    self.later.push((dice.spread(MS / 50, 20 * MS), Later::Application));
                }
            }
            Phase::Asked if self.sides[1].rcv >= self.sides[0].written => {
                self.phase = Phase::Thinking;
                self.later.push((dice.spread(MS / 20, 200 * MS), Later::Application));
            }
            Phase::Answering { middle } => self.answering(now, middle, dice, out),
            _ => {}
        }
        let answered = !matches!(self.phase, Phase::Asked | Phase::Thinking);
        for side in &mut self.sides {
            if side.closed_by_peer && !side.fin && answered {
                side.close(now, out);
            }
        }
    }

    fn answering(&mut self, now: u64, middle: u32, dice: &mut Dice, out: &mut Outbox) {
        let arrived = self.sides[0].rcv;
        if self.left == 0 && arrived >= middle && self.ending.in_the_middle() {
            self.phase = Phase::Closing;
            if let Ending::AbortInTheMiddle(side) = self.ending {
                out.tally.count(Class::AbortInTheMiddle);
                self.sides[side].abort(now, out);
            } else {
                self.sides[0].manners = Manners::Orphaned;
                self.sides[0].close(now, out);
            }
        } else if arrived >= self.sides[1].written && self.sides[1].settled() {
            self.phase = Phase::Pause;
            let mut idle = dice.spread(MS / 10, 2 * SECOND);
            if dice.chance(30_000) {
                idle = dice.range(12, 300) * SECOND;
                let probing = dice.below(2) as usize;
                let every = dice.pick(&[10, 15, 45]) * SECOND;
                self.later.extend((1..idle / every).take(8).map(|n| (n * every, Later::KeepAlive(probing))));
                if self.left > 0 {
                    out.tally.count(Class::IdleThenResume);
                }
            }
            self.later.push((idle, Later::Application));
        }
    }

    /// The end that was chosen for it.
    fn end(&mut self, now: u64, dice: &mut Dice, out: &mut Outbox) {
        self.phase = Phase::Closing;
        match self.ending {
            Ending::Fin(side) => self.sides[side].close(now, out),
            Ending::BothFin => {
                out.tally.count(Class::SimultaneousClose);
                self.sides[0].close(now, out);
                self.sides[1].close(now, out);
            }
            Ending::Abort(side) => {
                out.tally.count(Class::Abort);
                self.sides[side].abort(now, out);
            }
            Ending::FinThenReset(side) => {
                self.sides[side].close(now, out);
                self.later.push((dice.spread(MS / 50, 60 * MS), Later::Application));
            }
            Ending::ResetForFin(side) => {
                self.sides[side].manners = Manners::Rude;
                self.sides[side ^ 1].close(now, out);
            }
            Ending::Forgetful => {
                self.sides[0].manners = Manners::Forgetful;
                self.sides[0].close(now, out);
            }
            Ending::Vanish => {
                out.tally.count(Class::Vanished);
                self.deaf = true;
                self.sides[0].leave();
                self.later.extend((1..=3).map(|n| (n * 20 * SECOND, Later::KeepAlive(1))));
                self.later.push((80 * SECOND, Later::Application));
            }
            Ending::Rebinding => {
                out.tally.count(Class::NatRebinding);
                self.rebind = true;
                self.sides[1].leave();
                self.sides[0].write(now, dice.spread(60, 3000) as u32, out);
            }
            _ => self.sides[0].close(now, out),
        }
    }

    /// Whether both sides are through with it, so that the addresses may be used again.
    pub(super) fn over(&self) -> bool {
        self.sides.iter().all(|side| matches!(side.state, State::Gone | State::TimeWait))
            && !self.deaf
            && self.ending != Ending::Rebinding
    }
}
