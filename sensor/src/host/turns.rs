//! Which frame each worker is at. What they share, the services, is counted in lists, for which nobody waits; whoever judges by
//! the counts waits until all others are past its frame.

use std::{
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use sensor_common::{
    config::Config,
    event::ServiceSnapshot,
    flow::{Key, Side},
    service::Service,
    table::Services,
};

use super::{
    ledger::{Ledger, Note},
    memory::AtHand,
};

/// Past all frames of a batch.
pub(super) const PAST: u32 = u32::MAX;
/// Looks at the others before a thread that waits leaves its core to whoever wants it, and before it sleeps: the one that it waits
/// for may have no other.
const SPINS: u32 = 200;
const YIELDS: u32 = 216;
const SLEEP: Duration = Duration::from_micros(50);

/// The index of the service at hand, whichever it is.
const AT_HAND: u32 = 0;

/// The services, and the frame of the batch that each worker is at.
pub(super) struct Turns {
    pub(super) ledger: Ledger,
    at: Box<[At]>,
    /// Workers that are not through with the batch.
    busy: AtomicUsize,
}

/// On a line of its own: it is written for each frame.
#[repr(align(128))]
struct At(AtomicU32);

impl Turns {
    /// So many workers.
    pub(super) fn new(config: Config, workers: usize) -> Self {
        Self {
            ledger: Ledger::new(config, workers),
            at: (0..workers).map(|_| At(AtomicU32::new(PAST))).collect(),
            busy: AtomicUsize::new(0),
        }
    }

    /// A batch begins, with each worker's first frame.
    pub(super) fn begin(&self, first: impl Iterator<Item = u32>) {
        self.busy.store(self.at.len(), Ordering::Relaxed);
        first.enumerate().for_each(|(worker, frame)| self.set(worker, frame));
    }

    /// Says which frame a worker is at.
    #[inline(always)]
    pub(super) fn set(&self, worker: usize, frame: u32) {
        self.at[worker].0.store(frame, Ordering::Release);
    }

    /// A worker is through with the batch. The last one enters what all have counted.
    pub(super) fn end(&self) {
        if self.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ledger.enter(PAST);
        }
    }

    /// A worker's way to the services, for one frame.
    #[inline(always)]
    pub(super) fn of(&self, worker: usize, frame: u32) -> Turn<'_> {
        Turn { all: self, worker, frame, at_hand: None, seen: None }
    }

    /// Waits until all other workers are past a frame.
    #[cold]
    fn wait(&self, worker: usize, frame: u32) {
        for (_, at) in self.at.iter().enumerate().filter(|(other, _)| *other != worker) {
            let mut looks = 0_u32;
            // Each worker moves on, and the one with the earliest frame waits for nobody.
            while at.0.load(Ordering::Acquire) < frame {
                looks = looks.saturating_add(1);
                match looks {
                    ..SPINS => std::hint::spin_loop(),
                    SPINS..YIELDS => thread::yield_now(),
                    _ => thread::sleep(SLEEP),
                }
            }
        }
    }
}

/// A worker's way to the services, for one frame.
pub(super) struct Turn<'a> {
    all: &'a Turns,
    worker: usize,
    frame: u32,
    at_hand: Option<Counted>,
    /// As it was when somebody judged by it.
    seen: Option<Service>,
}

/// What the frame counts for a service, and is not on the list.
struct Counted {
    key: Key,
    side: Side,
    /// Nothing of it is on the list.
    new: bool,
    counts: Service,
}

impl Turn<'_> {
    /// Puts on the list what the frame has counted so far.
    #[cold]
    fn note(&mut self, asked: bool) -> ServiceSnapshot {
        let Some(Counted { key, side, new, counts }) = &mut self.at_hand else { return ServiceSnapshot::default() };
        let counts = std::mem::take(&mut counts.counters).map(|n| n as u16);
        let (key, side, sought) = (*key, *side, std::mem::take(new));
        self.all.ledger.note(self.worker, Note { frame: self.frame, key, side, sought, asked, counts })
    }

    /// The frame is through.
    #[inline(always)]
    pub(super) fn end(mut self) {
        if self.at_hand.as_ref().is_some_and(Counted::is_news) {
            self.note(false);
        }
    }
}

impl Counted {
    fn is_news(&self) -> bool {
        self.new || self.counts.counters.iter().any(|n| *n > 0)
    }
}

impl Services for Turn<'_> {
    #[inline(always)]
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool {
        AtHand::swap_tag(tag, old, new)
    }

    #[inline(always)]
    fn add(counter: &mut u64, n: u64) {
        AtHand::add(counter, n);
    }

    #[inline(always)]
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        self.at_hand.as_mut().filter(|_| index == AT_HAND).map(|counted| &mut counted.counts)
    }

    /// Never `None`: whether there is a place will be known later, and is counted then.
    #[inline]
    fn service_of(&mut self, _: &Config, key: &Key, side: Side) -> Option<u32> {
        if self.at_hand.as_ref().is_some_and(Counted::is_news) {
            self.note(false);
        }
        self.at_hand = Some(Counted { key: *key, side, new: true, counts: Service::default() });
        Some(AT_HAND)
    }

    fn snapshot(&mut self, index: u32) -> ServiceSnapshot {
        if index == AT_HAND { self.note(true) } else { ServiceSnapshot::default() }
    }

    #[cold]
    fn counts(&mut self, index: u32) -> Option<&mut Service> {
        let Counted { key, side, .. } = self.at_hand.as_ref().filter(|_| index == AT_HAND)?;
        let (key, side) = (*key, *side);
        self.note(false);
        self.all.wait(self.worker, self.frame);
        self.all.ledger.enter(self.frame);
        self.seen = self.all.ledger.look(&key, side);
        self.seen.as_mut()
    }
}
