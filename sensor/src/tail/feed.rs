//! The agent's end: what is remembered, and who follows. The report hands everything in and never waits: who does not keep up
//! is let go, and told so.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    vec,
};

use sensor_common::detect::Severity;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    record::Saved,
    wire::{self, Message, Seen},
};
use crate::{
    correlate::View,
    report::{Beside, Finding, Sink, flow::Told},
};

/// Readers at a time.
pub(super) const READERS: usize = 16;

/// Frames that may wait for a reader: three megabytes, of findings.
const QUEUE: usize = 4096;

/// Findings below warn, findings from warn up, records and incidents that are remembered: together some six megabytes.
const REMEMBERED: [usize; 4] = [2048, 2048, 2048, 512];

/// A frame, made once for all.
pub(super) type Frame = Arc<[u8]>;

/// What became of it all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// Readers, ever.
    pub readers: u64,
    /// Of these let go because they were too slow.
    pub slow: u64,
    /// Turned away because there were too many.
    pub refused: u64,
    /// Frames lost to slow readers.
    pub lost: u64,
}

/// Where findings are handed in, and readers find them.
#[derive(Clone, Debug, Default)]
pub struct Feed(Arc<Mutex<Shared>>);

#[derive(Debug, Default)]
struct Shared {
    /// By class, each with its number among all.
    remembered: [VecDeque<(u64, Frame)>; 4],
    next: u64,
    readers: Vec<Writer>,
    account: Account,
    ended: bool,
}

/// The way to a reader.
#[derive(Debug)]
struct Writer {
    queue: mpsc::Sender<Frame>,
    fate: Arc<Fate>,
}

/// What a reader loses once it is too slow.
#[derive(Debug, Default)]
pub(super) struct Fate {
    lost: AtomicU64,
    slow: tokio::sync::Notify,
}

impl Fate {
    /// Completes when the reader was too slow.
    pub(super) async fn sealed(&self) {
        self.slow.notified().await;
    }

    /// Frames that it will not get, beside those that wait.
    fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// What a reader gets.
pub(super) struct Reading {
    /// What is remembered, in order, with its numbers.
    pub(super) remembered: vec::IntoIter<(u64, Frame)>,
    /// What comes; it ends with the agent, or when the reader is too slow.
    pub(super) queue: mpsc::Receiver<Frame>,
    pub(super) fate: Arc<Fate>,
}

impl Feed {
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, class: usize, frame: Vec<u8>) {
        let frame: Frame = frame.into();
        let mut shared = self.shared();
        let Shared { remembered, next, readers, account, .. } = &mut *shared;
        *next += 1;
        let memory = &mut remembered[class];
        if memory.len() >= REMEMBERED[class] {
            memory.pop_front();
        }
        memory.push_back((*next, Arc::clone(&frame)));
        readers.retain(|reader| {
            if reader.queue.is_closed() {
                return false;
            }
            if reader.fate.lost() > 0 {
                // It has yet to be let go.
                reader.fate.lost.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            match reader.queue.try_send(Arc::clone(&frame)) {
                Ok(()) => true,
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(_)) => {
                    account.slow += 1;
                    reader.fate.lost.store(1, Ordering::Relaxed);
                    reader.fate.slow.notify_one();
                    true
                }
            }
        });
    }

    /// Somebody wants to follow; none where there are too many already, or the agent has ended.
    pub(super) fn follow(&self) -> Option<Reading> {
        let mut shared = self.shared();
        shared.readers.retain(|reader| !reader.queue.is_closed());
        if shared.readers.len() >= READERS || shared.ended {
            shared.account.refused += 1;
            return None;
        }
        shared.account.readers += 1;
        let (sender, queue) = mpsc::channel(QUEUE);
        let fate = Arc::<Fate>::default();
        shared.readers.push(Writer { queue: sender, fate: Arc::clone(&fate) });
        let mut remembered: Vec<_> = shared.remembered.iter().flatten().cloned().collect();
        drop(shared);
        remembered.sort_unstable_by_key(|(number, _)| *number);
        Some(Reading { remembered: remembered.into_iter(), queue, fate })
    }

    /// Lets a reader go that was too slow. The frames that it loses: those that waited for it, and those that came since.
    pub(super) fn let_go(&self, reading: &mut Reading) -> u64 {
        // Held, so that a frame is either counted or comes after.
        let mut shared = self.shared();
        reading.queue.close();
        let lost = (reading.remembered.len() + reading.queue.len()) as u64 + reading.fate.lost();
        shared.account.lost += lost;
        lost
    }

    /// Readers that a frame would be for.
    #[cfg(test)]
    pub(super) fn following(&self) -> usize {
        self.shared().readers.len()
    }

    /// What became of it all.
    pub fn account(&self) -> Account {
        self.shared().account
    }

    /// Nothing more comes: each reader gets what waits for it.
    pub fn end(&self) {
        let mut shared = self.shared();
        shared.ended = true;
        shared.readers.clear();
    }
}

impl Sink for Feed {
    fn finding(&mut self, finding: &Finding<'_>) {
        let class = usize::from(finding.severity >= Severity::Warn);
        let seen = Seen { interface: finding.place.interface.map(str::to_owned), beside: Beside::of(finding) };
        self.tell(class, wire::finding(finding.event, finding.time, &seen));
    }

    fn record(&mut self, told: &Told<'_>) {
        self.tell(2, Message::Record(Box::new(Saved::of(told))).encode());
    }

    fn incident(&mut self, incident: &View) {
        self.tell(3, Message::Incident(Box::new(incident.clone())).encode());
    }

    fn account(&self) -> Vec<String> {
        let Account { readers, slow, refused, lost } = Self::account(self);
        let line = || {
            format!(
                "tail: readers {readers}, let go for being slow {slow}, frames lost to these {lost}, refused {refused}"
            )
        };
        (readers + refused > 0).then(line).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(frame: &Frame) -> u64 {
        u64::from_le_bytes(frame[5..13].try_into().unwrap())
    }

    fn frame(n: u64) -> Vec<u8> {
        Message::Slow(n).encode()
    }

    #[test]
    fn what_is_severe_outlives_what_is_not_and_the_order_holds() {
        let feed = Feed::default();
        for n in 0..10_000 {
            feed.tell(usize::from(n % 1000 == 0), frame(n));
        }
        let numbers: Vec<_> = feed.follow().unwrap().remembered.map(|(_, frame)| number(&frame)).collect();
        assert_eq!(numbers.len(), REMEMBERED[0] + 10);
        assert!(numbers.is_sorted());
        assert_eq!(numbers[..3], [0, 1000, 2000]);
    }

    #[test]
    fn a_slow_reader_loses_and_is_told_and_others_lose_nothing() {
        let feed = Feed::default();
        let mut slow = feed.follow().unwrap();
        let mut good = feed.follow().unwrap();
        let mut told = 0;
        for n in 0..QUEUE as u64 + 10 {
            feed.tell(0, frame(n));
            told += u64::from(number(&good.queue.try_recv().unwrap()) == n);
        }
        assert_eq!((told, good.fate.lost()), (QUEUE as u64 + 10, 0));
        assert_eq!(slow.fate.lost(), 10);
        assert_eq!(feed.account(), Account { readers: 2, slow: 1, refused: 0, lost: 0 });
        assert_eq!(feed.let_go(&mut slow), QUEUE as u64 + 10, "all that waited, and all that came since");
        drop(slow);
        feed.tell(0, frame(0));
        assert_eq!(feed.following(), 1, "who has gone costs nothing");
    }

    #[test]
    fn there_are_so_many_readers_and_no_more() {
        let feed = Feed::default();
        let mut readers: Vec<_> = (0..READERS).map(|_| feed.follow().unwrap()).collect();
        assert!(feed.follow().is_none());
        readers.pop();
        assert!(feed.follow().is_some());
        feed.end();
        assert!(feed.follow().is_none());
        assert!(matches!(readers[0].queue.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
        assert_eq!(feed.account().refused, 2);
    }
}
