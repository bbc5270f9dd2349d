//! Draining the ring: never waits for anybody who reads what it found.

use std::{
    sync::{Arc, Mutex, mpsc::SyncSender},
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};
use bytes::{Bytes, BytesMut};
use sensor_common::{detect::Severity, event::Event};
use tokio::{io::unix::AsyncFd, sync::mpsc, time};

use super::RingRecords;

/// How long a mild event may lie in the ring: the kernel wakes the reader for severe ones only.
const TIMER: Duration = Duration::from_millis(10);
/// The same once nothing has come for a second: looking costs more than all else that an idle agent does.
const LAZY: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

/// How long the reader lets events gather after a wake-up, so that a burst costs few of them.
const GATHER: Duration = Duration::from_millis(2);

/// Events that may wait for their readers.
const QUEUE: usize = 32_768;

/// Room in the queue that mild events leave to severe ones.
const RESERVED: usize = QUEUE / 4;

/// What became of the events that the kernel submitted: submitted = before + received, received = queued + dropped + undecodable. Flows that gave way are
/// counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Taken out of the ring by sensors before this one.
    pub before: RingRecords,
    /// Taken out of the ring.
    pub received: u64,
    /// Handed on.
    pub queued: u64,
    /// Dropped because their readers were too slow.
    pub dropped: u64,
    /// Not of this agent's layout.
    pub undecodable: u64,
    /// Flows that gave way, taken out of the ring.
    pub parted: u64,
    /// Those of them that the sweep was too busy to take.
    pub parted_dropped: u64,
}

/// The account as others may read it while the drain works.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// What became of the events.
    pub drained: Drained,
    /// Those that wait for their reader at the moment.
    pub waiting: u64,
    /// When the drain was last at work; none before it is.
    pub beat: Option<Instant>,
}

/// The reader of the ring.
pub struct Drain {
    ring: AsyncFd<RingBuf<MapData>>,
    arena: BytesMut,
    queue: mpsc::Sender<Bytes>,
    parted: SyncSender<Box<Event>>,
    drained: Drained,
    account: Arc<Mutex<Account>>,
}

impl Drain {
    /// A drain of this ring, and the queue in which its events arrive; flows that gave way go to `parted`. Must be called within a
    /// tokio runtime.
    pub fn new(
        ring: RingBuf<MapData>,
        parted: SyncSender<Box<Event>>,
    ) -> std::io::Result<(Self, mpsc::Receiver<Bytes>)> {
        let (queue, records) = mpsc::channel(QUEUE);
        // SAFETY: the ring owns its descriptor and keeps it open and the same for as long as it lives.
        let ring = unsafe { AsyncFd::register(ring) }.map_err(std::io::Error::from)?;
        let (arena, drained, account) = Default::default();
        let drain = Self { ring, arena, queue, parted, drained, account };
        Ok((drain, records))
    }

    /// Goes on after sensors that have taken these.
    pub fn after(&mut self, taken: RingRecords) {
        self.drained.before = taken;
        self.publish();
    }

    /// Drains until the future is dropped.
    pub async fn run(&mut self) -> std::io::Result<()> {
        let mut came = Instant::now();
        loop {
            let timer = if came.elapsed() < SECOND { TIMER } else { LAZY };
            if let Ok(ready) = time::timeout(timer, self.ring.readable_mut()).await {
                ready?.clear_ready();
            }
            if self.empty() > 0 {
                came = Instant::now();
                time::sleep(GATHER).await;
            }
            self.publish();
        }
    }

    /// Where the account is published, each time that the drain has been at work.
    pub fn account(&self) -> Arc<Mutex<Account>> {
        Arc::clone(&self.account)
    }

    /// Never waits: who reads the account now finds it as it was a moment ago.
    fn publish(&self) {
        if let Ok(mut account) = self.account.try_lock() {
            let waiting = (self.queue.max_capacity() - self.queue.capacity()) as u64;
            *account = Account { drained: self.drained, waiting, beat: Some(Instant::now()) };
        }
    }

    /// Takes out what is there now; how many records.
    pub fn empty(&mut self) -> u64 {
        let before = self.drained.received + self.drained.parted;
        let Self { ring, arena, queue, parted, drained, .. } = self;
        while let Some(record) = ring.get_mut().next() {
            if let Some(flow) = Event::parted(&record) {
                drained.parted += 1;
                drained.parted_dropped += u64::from(parted.try_send(Box::new(flow)).is_err());
                continue;
            }
            drained.received += 1;
            let Some(event) = Event::decode(&record) else {
                drained.undecodable += 1;
                continue;
            };
            let mild = event.severity() < Severity::Warn;
            if mild && queue.capacity() < RESERVED {
                drained.dropped += 1;
                continue;
            }
            // One allocation serves many records; each is a counted slice of it.
            arena.extend_from_slice(&record);
            match queue.try_send(arena.split().freeze()) {
                Ok(()) => drained.queued += 1,
                Err(_) => drained.dropped += 1,
            }
        }
        drained.received + drained.parted - before
    }

    /// The account so far.
    pub fn drained(&self) -> Drained {
        self.drained
    }
}
