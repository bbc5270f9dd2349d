//! The way from one end to the sensor and on to the other end.

use super::{dice::Dice, endpoint::MS};

/// One direction of a connection's path.
#[derive(Debug)]
pub(super) struct Path {
    /// Routers between the sender and the sensor.
    pub(super) hops: u8,
    /// What flowlets alternate with.
    pub(super) other: u8,
    /// From the sender to the receiver, in nanoseconds.
    pub(super) delay: u64,
    /// Losses in a million.
    pub(super) loss: u32,
    /// Segments in a million that are overtaken.
    pub(super) reorder: u32,
    /// Segments in a million that come twice.
    pub(super) duplicate: u32,
    /// The first so many are lost.
    pub(super) dead: u32,
    /// When the last one came through: queues keep the order.
    last: u64,
}

impl Path {
    pub(super) fn new(hops: u8, delay: u64, dice: &mut Dice) -> Self {
        let loss = match dice.below(20) {
            0..13 => 0,
            13..19 => dice.spread(500, 10_000) as u32,
            _ => dice.spread(10_000, 60_000) as u32,
        };
        let reorder = if dice.chance(250_000) { dice.spread(500, 20_000) as u32 } else { 0 };
        let duplicate = if dice.chance(250_000) { dice.spread(200, 5_000) as u32 } else { 0 };
        let dead = if dice.chance(20_000) { dice.range(1, 3) as u32 } else { 0 };
        Self { hops, other: hops, delay, loss, reorder, duplicate, dead, last: 0 }
    }

    /// Whether the next one is lost.
    pub(super) const fn loses(&mut self, dice: &mut Dice) -> bool {
        let dead = self.dead > 0;
        self.dead = self.dead.saturating_sub(1);
        dead || dice.chance(self.loss)
    }

    /// When a segment sent at `now` comes through, and whether others may overtake it.
    pub(super) fn arrival(&mut self, now: u64, dice: &mut Dice) -> (u64, bool) {
        let queue = dice.below(self.delay / 16 + 2) + if dice.chance(2000) { self.delay / 2 } else { 0 };
        let at = now + self.delay + queue;
        if dice.chance(self.reorder) {
            return (at.max(self.last) + dice.spread(MS / 20, 8 * MS), true);
        }
        self.last = at.max(self.last + 1000);
        (self.last, false)
    }
}
