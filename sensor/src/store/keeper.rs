//! Keeps what is told, on a thread of its own: a disk may be slow or full, and nobody else waits for it.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use sensor_common::counters::Cpu;

use super::{Kept, Row, StoreError, Writer};
use crate::{
    correlate::MAX_INCIDENTS,
    observe::{lock, nanos},
};

/// Rows that may wait: 6 MB of findings.
const QUEUE: usize = 8192;
/// Rows in a transaction.
const BATCH: usize = 2048;
/// How long the first row of a batch waits for others: what is lost if the process is killed.
const GATHER: Duration = Duration::from_secs(1);
/// Between two rows of counters.
const MINUTE: Duration = Duration::from_secs(60);
/// How long the end of the report waits for the last batch.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same where there is all the time in the world.
const A_DAY: Duration = Duration::from_secs(86_400);

/// Where the counters come from; none where they cannot be read.
pub type Source = Box<dyn Fn() -> Option<Cpu> + Send>;

/// How to keep.
pub struct Manner {
    /// Kept once a minute, and at the end.
    pub source: Option<Source>,
    /// Whether whoever has a row waits for room: a capture can, a network cannot.
    pub patient: bool,
    /// Between two tries of a file that could not be written.
    pub retry: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        Self { source: None, patient: false, retry: Duration::from_secs(30) }
    }
}

/// What goes through the queue.
enum Message {
    Row(Box<Row>),
    /// Whoever sent it waits until all before it is written, or lost.
    Settle(SyncSender<()>),
}

/// What the threads have in common.
#[derive(Debug, Default)]
pub struct Shared {
    kept: Mutex<Kept>,
    /// Rows that found the queue full.
    refused: AtomicU64,
}

impl Shared {
    /// What became of all rows so far.
    pub fn kept(&self) -> Kept {
        let kept = self.own();
        Kept { lost: kept.lost + self.refused.load(Ordering::Relaxed), ..kept }
    }

    fn own(&self) -> Kept {
        *lock(&self.kept)
    }

    fn change(&self, change: impl FnOnce(&mut Kept)) {
        change(&mut lock(&self.kept));
    }
}

/// Takes rows and never waits, unless it is patient. Writes what is left when it is dropped.
pub struct Keeper {
    name: String,
    queue: Option<SyncSender<Message>>,
    patient: bool,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// When there can be no more threads.
    pub fn start(writer: Writer, manner: Manner) -> io::Result<Self> {
        let (queue, rows) = sync_channel(QUEUE);
        let shared = Arc::new(Shared::default());
        let name = writer.file().display().to_string();
        let patient = manner.patient;
        let work = Work { writer, manner, shared: Arc::clone(&shared), retry: None, owed: BTreeMap::new() };
        let thread = std::thread::Builder::new().name("store".into()).spawn(move || work.run(&rows))?;
        Ok(Self { name, queue: Some(queue), patient, shared, thread: Some(thread) })
    }

    /// What became of all rows, for others to look at.
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Keeps a row, or counts it as lost.
    pub fn keep(&self, row: Row) {
        let message = Message::Row(Box::new(row));
        let sent = match &self.queue {
            Some(queue) if self.patient => queue.send(message).is_ok(),
            Some(queue) => queue.try_send(message).is_ok(),
            None => false,
        };
        if !sent {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all rows so far are written or lost, but not for ever, unless it is patient. What became of them.
    pub fn settle(&self) -> Kept {
        let (settled, wait) = sync_channel(1);
        let mut message = Message::Settle(settled);
        let end = Instant::now() + if self.patient { A_DAY } else { PATIENCE };
        while let Some(queue) = &self.queue
            && Instant::now() < end
        {
            match queue.try_send(message) {
                Err(TrySendError::Full(back)) => message = back,
                // An answer, or nobody to give one.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {
                    let _ = wait.recv_timeout(end.saturating_duration_since(Instant::now()));
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.shared.kept()
    }

    /// What became of all rows, for the summary.
    pub fn account(&self) -> Vec<String> {
        let Kept { incidents, findings, records, lost, .. } = self.settle();
        let mut lines = vec![format!(
            "db: {findings} findings, {records} records, {incidents} incidents and their updates in {}",
            self.name.escape_default()
        )];
        if lost > 0 {
            lines.push(format!("db: {lost} lost"));
        }
        lines
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.queue.take());
        // A panic was printed there.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Work {
    writer: Writer,
    manner: Manner,
    shared: Arc<Shared>,
    /// When to try again, after a failure.
    retry: Option<Instant>,
    /// Incidents as they stood last, to be written then: they are few, and what is asked for.
    owed: BTreeMap<String, Row>,
}

impl Work {
    fn run(mut self, rows: &Receiver<Message>) {
        let (mut batch, mut waiting) = (Vec::new(), Vec::new());
        let mut minute = Instant::now() + MINUTE;
        // What became too old while nobody looked; and how large it is, for whoever asks before anything happens.
        self.keep(&mut batch);
        loop {
            let more = gather(rows, minute, &mut batch, &mut waiting);
            if !more || Instant::now() >= minute {
                minute = Instant::now() + MINUTE;
                let counters = self.manner.source.as_ref().and_then(|read| read());
                batch.extend(counters.map(|cpu| Row::counters(&cpu, now())));
            }
            if !more {
                // The last word is tried, whatever happened before.
                self.retry = self.retry.map(|_| Instant::now());
            }
            self.keep(&mut batch);
            waiting.clear();
            if !more {
                break;
            }
        }
        let owed = self.owed.len() as u64;
        self.shared.change(|kept| kept.lost += owed);
        let lost = self.shared.kept().lost;
        // Without it the next run takes this one for broken off, which is nearly true.
        let _ = self.writer.end(lost, now());
    }

    /// Writes a batch, or counts it as lost.
    fn keep(&mut self, batch: &mut Vec<Row>) {
        if self.retry.is_some_and(|retry| Instant::now() < retry) {
            self.lose(batch);
            return;
        }
        batch.splice(0..0, std::mem::take(&mut self.owed).into_values());
        match self.try_keep(batch) {
            Ok(()) => {
                if self.retry.take().is_some() {
                    let lost = self.shared.kept().lost;
                    self.shared.change(|kept| kept.failing = false);
                    warn(&format!("{} is written again; {lost} rows were lost so far", self.writer.file().display()));
                }
            }
            Err(error) => {
                if self.retry.is_none() {
                    warn(&format!("{error}; findings are told all the same, and lost there"));
                }
                self.retry = Some(Instant::now() + self.manner.retry);
                self.shared.change(|kept| kept.failing = true);
                self.lose(batch);
            }
        }
    }

    fn try_keep(&mut self, batch: &mut Vec<Row>) -> Result<(), StoreError> {
        let lost = self.shared.kept().lost;
        let mut kept = self.shared.own();
        let written = self.writer.write(batch, lost, now(), &mut kept);
        if written.is_ok() {
            batch.clear();
        }
        let done = written.and_then(|()| self.writer.prune(now(), &mut kept).map(drop));
        self.shared.change(|shared| *shared = kept);
        done
    }

    fn lose(&mut self, batch: &mut Vec<Row>) {
        for row in batch.drain(..) {
            match row {
                Row::Incident { ref id, .. } if self.owed.len() < MAX_INCIDENTS => {
                    self.owed.insert(id.clone(), row);
                }
                _ => self.shared.change(|kept| kept.lost += 1),
            }
        }
    }
}

/// Takes what comes until the batch is full, old enough, or asked for; or `until`, if nothing comes. Whether more may come.
fn gather(rows: &Receiver<Message>, until: Instant, batch: &mut Vec<Row>, waiting: &mut Vec<SyncSender<()>>) -> bool {
    let mut end = until;
    while batch.len() < BATCH {
        match rows.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Message::Row(row)) => {
                if batch.is_empty() {
                    end = Instant::now() + GATHER;
                }
                batch.push(*row);
            }
            Ok(Message::Settle(settled)) => {
                waiting.push(settled);
                return true;
            }
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

fn now() -> u64 {
    nanos(SystemTime::now())
}

fn warn(text: &str) {
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "sensor: {text}");
}
