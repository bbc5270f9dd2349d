//! The model's clock: what happens when, and what of it the sensor sees.

mod birth;

use std::{cmp::Ordering, collections::BinaryHeap};

use sensor_common::{event::Hook, flow::TcpFlags};

use super::{
    class::{Class, Tally},
    conversation::{Conversation, Later},
    dice::Dice,
    endpoint::{MS, Outbox},
    segment::{Segment, Wire},
};

/// Conversations at any time.
const CONCURRENT: usize = 1200;

/// Where the sensor sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// On the server.
    Server,
    /// On the client.
    Client,
    /// Between them, at a mirror port.
    Observer,
}

/// A frame as the sensor sees it.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// When, in nanoseconds.
    pub time: u64,
    /// The same as the coarse clock has it.
    pub coarse: u64,
    /// Which hook.
    pub hook: Hook,
    /// Which conversation.
    pub conversation: u64,
    /// The frame's headers.
    pub headers: &'a [u8],
    /// Bytes of the whole frame.
    pub length: usize,
}

/// Something under way.
#[derive(Clone, Copy, Debug)]
enum What {
    /// Passes the sensor on its way.
    Pass(Segment),
    /// Arrives at the end that it is for.
    Arrive(Segment),
    Timer(usize),
    Later(Later),
}

#[derive(Debug)]
struct Item {
    at: u64,
    order: u64,
    place: usize,
    what: What,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    /// The earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// All conversations and the time.
pub struct World {
    seat: Seat,
    /// Length of the coarse clock's tick in nanoseconds.
    tick: u64,
    dice: Dice,
    now: u64,
    order: u64,
    agenda: BinaryHeap<Item>,
    conversations: Vec<Conversation>,
    out: Outbox,
    wire: Wire,
    /// The next port of each client address, and the initial TTL last seen behind it.
    clients: [(u16, u8); 256],
    born: u64,
}

impl World {
    /// A world of its own for each seed.
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let seat = [Seat::Server, Seat::Observer, Seat::Server, Seat::Client][seed as usize % 4];
        let tick = [1, 4 * MS, MS, 10 * MS][(seed / 4 % 4) as usize];
        // Not at the beginning of time, and sometimes shortly before stamps wrap.
        let now = (1 << 42) * dice.range(1, 300) - dice.below(600_000) * MS;
        let clients = std::array::from_fn(|_| (dice.any() as u16, 0));
        let mut world = Self {
            seat,
            tick,
            dice,
            now,
            order: 0,
            agenda: BinaryHeap::new(),
            conversations: Vec::new(),
            out: Outbox::default(),
            wire: Wire::default(),
            clients,
            born: 0,
        };
        for place in 0..CONCURRENT {
            let conversation = world.birth();
            world.conversations.push(conversation);
            let delay = world.dice.below(5000) * MS;
            world.push(delay, place, What::Later(Later::Application));
        }
        world
    }

    /// Where the sensor sits.
    pub const fn seat(&self) -> Seat {
        self.seat
    }

    /// How often each look-alike has happened.
    pub const fn tally(&self) -> &Tally {
        &self.out.tally
    }

    /// Goes on until something has been seen.
    pub fn run(&mut self, frames: u64, mut watch: impl FnMut(Sight<'_>)) {
        let mut seen = 0;
        while seen < frames
            && let Some(item) = self.agenda.pop()
        {
            self.now = item.at;
            self.conversations[item.place].pending -= 1;
            seen += self.step(item.place, item.what, &mut watch);
            if self.conversations[item.place].pending == 0 {
                self.succeed(item.place);
            }
        }
    }

    fn push(&mut self, delay: u64, place: usize, what: What) {
        self.order += 1;
        self.conversations[place].pending += 1;
        self.agenda.push(Item { at: self.now + delay, order: self.order, place, what });
    }

    fn step(&mut self, place: usize, what: What, watch: &mut impl FnMut(Sight<'_>)) -> u64 {
        let Self { conversations, dice, out, now, .. } = self;
        let (talk, now) = (&mut conversations[place], *now);
        let mut seen = 0;
        match what {
            What::Pass(segment) => return self.see(place, &segment, watch),
            What::Arrive(segment) => {
                if self.seat == if segment.from == 0 { Seat::Server } else { Seat::Client } {
                    seen += self.see(place, &segment, watch);
                }
                let Self { conversations, dice, out, .. } = self;
                let talk = &mut conversations[place];
                let to = segment.from as usize & 1 ^ 1;
                if to == 1 || !talk.deaf {
                    talk.sides[to].arrive(now, &segment, out);
                    talk.progress(now, dice, out);
                }
            }
            What::Timer(side) => {
                talk.sides[side].queued_at = u64::MAX;
                talk.sides[side].timer(now, out);
            }
            What::Later(Later::Application) => {
                talk.application(now, dice, out);
                talk.progress(now, dice, out);
            }
            What::Later(Later::KeepAlive(side)) => talk.sides[side].keep_alive(now, out),
            What::Later(Later::Read) => {
                talk.sides[0].read(now, out);
                talk.progress(now, dice, out);
                if talk.sides[0].state != super::endpoint::State::Gone && talk.pending > 0 {
                    talk.later.push((dice.spread(100 * MS, 4000 * MS), Later::Read));
                }
            }
        }
        seen + self.settle(place, watch)
    }

    /// Sends what is to be sent, and calls again when that is wanted.
    fn settle(&mut self, place: usize, watch: &mut impl FnMut(Sight<'_>)) -> u64 {
        let mut seen = 0;
        if self.conversations[place].rebind {
            self.rebind(place);
        }
        let mut segments = std::mem::take(&mut self.out.segments);
        for segment in segments.drain(..) {
            seen += self.send(place, segment, watch);
        }
        self.out.segments = segments;
        for side in 0..2 {
            let end = &mut self.conversations[place].sides[side];
            let deadline = end.deadline();
            if deadline < end.queued_at {
                end.queued_at = deadline;
                self.push(deadline.saturating_sub(self.now), place, What::Timer(side));
            }
        }
        while let Some((delay, later)) = self.conversations[place].later.pop() {
            self.push(delay, place, What::Later(later));
        }
        seen
    }

    /// One segment on its way: whole past a sensor on the same host, cut into pieces after that.
    fn send(&mut self, place: usize, segment: Segment, watch: &mut impl FnMut(Sight<'_>)) -> u64 {
        let leaving = self.seat == if segment.from == 0 { Seat::Client } else { Seat::Server };
        let seen = if leaving { self.see(place, &segment, watch) } else { 0 };
        let talk = &self.conversations[place];
        let mss = talk.sides[segment.from as usize & 1].peer_mss;
        let hops = talk.paths[segment.from as usize & 1].hops;
        let mut at = 0;
        loop {
            let len = (segment.len - at).min(mss);
            let last = at + len == segment.len;
            let mut piece = Segment { seq: segment.seq.wrapping_add(at), len, ..segment };
            piece.ttl = segment.ttl - if leaving { 0 } else { hops };
            piece.id = if segment.id == 0 { 0 } else { segment.id.wrapping_add((at / mss) as u16) };
            if !last {
                piece.flags = TcpFlags(piece.flags.0 & !(TcpFlags::FIN.0 | TcpFlags::PSH.0));
            }
            self.travel(place, piece);
            at += len;
            if last {
                return seen;
            }
        }
    }

    /// A piece on the path: lost before or behind an observer, overtaken, doubled.
    fn travel(&mut self, place: usize, piece: Segment) {
        let observed = self.seat == Seat::Observer;
        let path = &mut self.conversations[place].paths[piece.from as usize & 1];
        let lost = path.loses(&mut self.dice);
        let lost_early = lost && (!observed || self.dice.chance(500_000));
        let (arrival, overtaken) = path.arrival(self.now, &mut self.dice);
        let copies = if self.dice.chance(path.duplicate) { 2 } else { 1 };
        let tally = &mut self.out.tally;
        if lost {
            tally.count(Class::Loss);
        }
        if lost_early {
            return;
        }
        if overtaken {
            tally.count(Class::Reordered);
        }
        if copies == 2 {
            tally.count(Class::Duplicate);
        }
        for copy in 0..copies {
            let delay = arrival - self.now + copy * self.dice.clone().range(1000, 3 * MS);
            if observed {
                self.push(delay / 2, place, What::Pass(piece));
            }
            if !lost {
                self.push(delay, place, What::Arrive(piece));
            }
        }
    }

    fn see(&mut self, place: usize, segment: &Segment, watch: &mut impl FnMut(Sight<'_>)) -> u64 {
        let talk = &mut self.conversations[place];
        if talk.unseen > 0 {
            talk.unseen -= 1;
            return 0;
        }
        let coarse = self.now - self.now % self.tick;
        if coarse == talk.seen {
            self.out.tally.count(Class::ClockTie);
        }
        talk.seen = coarse;
        let hook = match (self.seat, segment.from) {
            (Seat::Observer, _) => Hook::Observer,
            (Seat::Client, 0) | (Seat::Server, 1) => Hook::Egress,
            _ => Hook::Ingress,
        };
        let (headers, length) = self.wire.write(segment, talk.ends);
        watch(Sight { time: self.now, coarse, hook, conversation: talk.number, headers, length });
        1
    }
}
