//! What workers share: the services, touched in the order of the frames. Whoever wants one waits until all others are past its frame.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use sensor_common::service::Service;

use super::memory::Services;
use crate::observe::lock;

/// Past all frames of a batch.
pub(super) const PAST: u32 = u32::MAX;
/// Looks at the others before a thread that waits gives up its core.
const SPINS: u32 = 200;

/// The services, and the frame of the batch that each worker is at.
pub(super) struct Turns {
    services: Mutex<Box<[Service]>>,
    slots: u32,
    at: Box<[At]>,
}

/// On a line of its own: it is written for each frame.
#[repr(align(128))]
struct At(AtomicU32);

impl Turns {
    /// So many workers, and places for services.
    pub(super) fn new(workers: usize, slots: u32) -> Self {
        Self {
            services: Mutex::new(vec![Service::default(); slots as usize].into_boxed_slice()),
            slots,
            at: (0..workers).map(|_| At(AtomicU32::new(PAST))).collect(),
        }
    }

    /// Says which frame a worker is at.
    #[inline(always)]
    pub(super) fn set(&self, worker: usize, frame: u32) {
        self.at[worker].0.store(frame, Ordering::Release);
    }

    /// A worker's way to the services, for one frame.
    #[inline(always)]
    pub(super) fn of(&self, worker: usize, frame: u32) -> Turn<'_> {
        Turn { all: self, worker, frame, services: None }
    }

    /// The services as they are.
    pub(super) fn services(&self) -> Vec<Service> {
        lock(&self.services).to_vec()
    }
}

/// A worker's way to the services, for one frame.
pub(super) struct Turn<'a> {
    all: &'a Turns,
    worker: usize,
    frame: u32,
    /// Once it was waited for.
    services: Option<MutexGuard<'a, Box<[Service]>>>,
}

impl Turn<'_> {
    /// Waits until all others are past this frame.
    #[cold]
    fn wait(&self) {
        for (_, at) in self.all.at.iter().enumerate().filter(|(other, _)| *other != self.worker) {
            let mut spins = 0_u32;
            // Each worker moves on, and the one with the earliest frame waits for nobody.
            while at.0.load(Ordering::Acquire) < self.frame {
                spins = spins.saturating_add(1);
                if spins >= SPINS { thread::yield_now() } else { std::hint::spin_loop() }
            }
        }
    }
}

impl Services for Turn<'_> {
    fn service(&mut self, index: u32) -> Option<&mut Service> {
        if index >= self.all.slots {
            return None;
        }
        if self.services.is_none() {
            self.wait();
            self.services = Some(lock(&self.all.services));
        }
        self.services.as_mut()?.get_mut(index as usize)
    }
}
