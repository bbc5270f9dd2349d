//! The services of several workers: what is counted for them lies in lists, one a worker, until it is entered in the order of the
//! frames.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    sync::Mutex,
};

use sensor_common::{
    config::Config,
    event::{Event, ServiceSnapshot},
    flow::{Key, Side},
    service::{SERVICE_COUNTERS, Service},
    table::Services as _,
};

use super::memory::AtHand;
use crate::observe::lock;

/// In a snapshot's `flagged`, which never gets there: its counts come later, and `established` is their number in the worker's list.
const LATER: u64 = u64::MAX;

/// Services, and what is yet to be entered.
pub(super) struct Ledger {
    config: Config,
    kept: Mutex<Kept>,
    /// By worker. Whoever holds several holds `kept` before.
    lists: Box<[Mutex<List>]>,
}

struct Kept {
    services: Box<[Service]>,
    /// Times that a service was looked for and found no place.
    overflow: u64,
}

/// What one worker has counted in a batch, by frames.
#[derive(Default)]
struct List {
    notes: Vec<Note>,
    /// Notes that are entered.
    entered: usize,
    /// Snapshots that were asked for, and those that are known.
    asked: u64,
    told: Vec<ServiceSnapshot>,
}

/// What one frame counts for the service of `side` of `key`.
pub(super) struct Note {
    /// The frame's place in the batch.
    pub(super) frame: u32,
    pub(super) key: Key,
    pub(super) side: Side,
    /// Whether it counts if the service has no place.
    pub(super) sought: bool,
    /// Whether somebody wants to know the counts after it.
    pub(super) asked: bool,
    /// So often, by [`sensor_common::service::ServiceCounter`].
    pub(super) counts: [u16; SERVICE_COUNTERS],
}

impl Ledger {
    /// For so many workers.
    pub(super) fn new(config: Config, workers: usize) -> Self {
        let services = vec![Service::default(); config.service_mask as usize + 1].into_boxed_slice();
        let lists = (0..workers).map(|_| Mutex::default()).collect();
        Self { config, kept: Mutex::new(Kept { services, overflow: 0 }), lists }
    }

    /// Puts a note on a worker's list, behind those of earlier frames. What stands for the counts after it, until
    /// [`Ledger::fill_in`].
    #[inline]
    pub(super) fn note(&self, worker: usize, note: Note) -> ServiceSnapshot {
        let Some(list) = self.lists.get(worker) else { return ServiceSnapshot::default() };
        let mut list = lock(list);
        let number = list.asked;
        list.asked += u64::from(note.asked);
        list.notes.push(note);
        ServiceSnapshot { established: number, flagged: LATER, rst: 0 }
    }

    /// Enters what was counted in the batch up to a frame, that one included. All who have earlier ones must be past them.
    pub(super) fn enter(&self, until: u32) {
        let Kept { services, overflow } = &mut *lock(&self.kept);
        let mut lists: Vec<_> = self.lists.iter().map(lock).collect();
        let mut next: BinaryHeap<_> =
            lists.iter().enumerate().filter_map(|(worker, list)| Some(Reverse((list.next()?.frame, worker)))).collect();
        while let Some(mut first) = next.peek_mut() {
            let Reverse((frame, worker)) = &mut *first;
            let Some(list) = lists.get_mut(*worker).filter(|_| *frame <= until) else { break };
            list.enter_next(&self.config, services, overflow);
            match list.next() {
                Some(note) => *frame = note.frame,
                None => drop(PeekMut::pop(first)),
            }
        }
    }

    /// A service as it is, once all that counts is entered.
    pub(super) fn look(&self, key: &Key, side: Side) -> Option<Service> {
        let Kept { services, .. } = &mut *lock(&self.kept);
        let mut services = AtHand(services);
        let index = services.service_of(&self.config, key, side)?;
        services.service(index).copied()
    }

    /// Puts the counts into what a worker found in the batch, once all is entered, and begins its list anew.
    pub(super) fn fill_in(&self, worker: usize, events: &mut [Event]) {
        let Some(list) = self.lists.get(worker) else { return };
        let mut list = lock(list);
        for event in events.iter_mut().filter(|event| event.service.flagged == LATER) {
            event.service = list.told.get(event.service.established as usize).copied().unwrap_or_default();
        }
        let List { notes, told, .. } = &mut *list;
        notes.clear();
        told.clear();
        (list.entered, list.asked) = (0, 0);
    }

    /// The services as they are.
    pub(super) fn services(&self) -> Vec<Service> {
        lock(&self.kept).services.to_vec()
    }

    /// How often one found no place.
    pub(super) fn overflow(&self) -> u64 {
        lock(&self.kept).overflow
    }
}

impl List {
    fn next(&self) -> Option<&Note> {
        self.notes.get(self.entered)
    }

    #[inline]
    fn enter_next(&mut self, config: &Config, services: &mut [Service], overflow: &mut u64) {
        let Some(note) = self.notes.get(self.entered) else { return };
        self.entered += 1;
        let mut services = AtHand(services);
        let index = services.service_of(config, &note.key, note.side);
        match index.and_then(|index| services.service(index)) {
            Some(service) => {
                for (counter, n) in service.counters.iter_mut().zip(note.counts) {
                    *counter += u64::from(n);
                }
            }
            None => *overflow += u64::from(note.sought),
        }
        if note.asked {
            self.told.push(index.map_or_else(ServiceSnapshot::default, |index| services.snapshot(index)));
        }
    }
}
