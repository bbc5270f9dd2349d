//! What is found of flows at rest, and records of those that ended, of a live table: a thread of its own sweeps once a second, and never waits for who tells them.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use sensor_common::{
    counters::{Counter, Cpu},
    event::Event,
    record::Record,
};
use tokio::sync::mpsc;

use super::{aggregates::Aggregates, monotonic, own::Own};
use crate::{
    correlate::aggregate::Reading,
    kernel::{Handover, Table},
    leaks::Leaks,
    observe::{self, Board},
    sweep::{Findings, Slots as _, Sweeper},
};

/// Records that may wait for their reader.
const QUEUE: usize = 8192;

/// Between two sweeps.
const ROUND: Duration = Duration::from_secs(1);

/// What a sweep has to tell.
pub(super) enum Swept {
    /// A flow ended.
    Ended(Record),
    /// A flow came to rest in a way that says something.
    Found(Box<Event>),
    /// What was read for the detectors of aggregates.
    Read(Box<Reading>),
}

/// The thread that sweeps. It ends when this is dropped or asked for its account.
pub(super) struct Records {
    /// Flows that gave way. The thread ends when nobody can send any more.
    parted: SyncSender<Box<Event>>,
    thread: JoinHandle<Account>,
}

/// What became of the records.
struct Account {
    sweeper: Sweeper,
    wanted: bool,
    found: u64,
    told: u64,
    lost: u64,
    /// Records of flows that gave way and were handed on.
    parted: u64,
    /// What was not looked into.
    unread: Option<String>,
}

/// The way of flows that gave way before they were told of, laid before there is a thread at its end.
pub(super) struct Parting {
    parted: SyncSender<Box<Event>>,
    parting: Receiver<Box<Event>>,
}

impl Default for Parting {
    fn default() -> Self {
        let (parted, parting) = sync_channel(QUEUE);
        Self { parted, parting }
    }
}

impl Parting {
    /// Where they go.
    pub(super) fn parted(&self) -> SyncSender<Box<Event>> {
        self.parted.clone()
    }
}

impl Records {
    /// Sweeps a table whose counters are still at zero, or were handed over; what it finds arrives in the queue; `wanted` says
    /// whether anybody is to be told what became of the records.
    pub(super) fn start(
        (table, mut aggregates): (Arc<Table>, Aggregates),
        wanted: bool,
        parting: Parting,
        (board, own): (Arc<Board>, Option<Own>),
        handover: Option<Handover>,
    ) -> io::Result<(Self, mpsc::Receiver<Swept>)> {
        let (queue, swept) = mpsc::channel(QUEUE);
        let Parting { parted, parting } = parting;
        let thread = std::thread::Builder::new().name("sweep".into()).spawn(move || {
            let given = (&*board, own.as_ref(), handover.as_ref());
            sweep((&table, &mut aggregates), &queue, &parting, wanted, given)
        })?;
        Ok((Self { parted, thread }, swept))
    }

    /// Sweeps once more, then ends; nobody else may still have [`Parting::parted`]. What to add to the report needs the final counters.
    pub(super) fn end(self) -> impl FnOnce(&Cpu) -> Option<String> {
        drop(self.parted);
        let account = self.thread.join().ok();
        move |cpu| account.and_then(|account| account.tell(cpu))
    }
}

fn sweep(
    (table, aggregates): (&Table, &mut Aggregates),
    queue: &mpsc::Sender<Swept>,
    parting: &Receiver<Box<Event>>,
    wanted: bool,
    (board, own, handover): (&Board, Option<&Own>, Option<&Handover>),
) -> Account {
    let before = handover.map(|handover| handover.before.cpu).unwrap_or_default();
    let mut account = Account {
        sweeper: Sweeper::new(table.buckets(), &before),
        wanted,
        found: 0,
        told: 0,
        lost: 0,
        parted: 0,
        unread: None,
    };
    let (mut rest, mut ended) = ((Findings::default(), Leaks::default()), Vec::new());
    if let Some(Handover { swept: then @ 1.., .. }) = handover {
        account.sweeper.resume(table, *then, monotonic());
        // Strays of before are no news.
        let _ = aggregates.read(table);
    }
    loop {
        let last = gather(parting, &mut account, &mut ended);
        if let Some(own) = own {
            own.listen();
        }
        let now = monotonic();
        account.sweeper.sweep(table, now, &mut rest, &mut ended);
        let (Findings(found), leaks) = &mut rest;
        leaks.look(table, now, found);
        account.unread = leaks.note();
        account.found += found.len() as u64;
        let found = found.drain(..).map(|event| Swept::Found(Box::new(event)));
        for swept in found.chain(ended.drain(..).map(Swept::Ended)) {
            match queue.try_send(swept) {
                Ok(()) => account.told += 1,
                Err(_) => account.lost += 1,
            }
        }
        if let Some(reading) = aggregates.read(table) {
            // Counters go on: what is lost of one reading is in the next.
            let _ = queue.try_send(Swept::Read(Box::new(reading)));
        }
        let Account { sweeper, found, told, lost, .. } = &account;
        let (known, leaks_skipped) = (sweeper.known(), rest.1.skipped());
        board.sweep(observe::Swept { found: *found, told: *told, lost: *lost, leaks_skipped, known });
        if let Some(handover) = handover {
            handover.rounds.swept(now);
        }
        if last {
            return account;
        }
    }
}

/// Takes in flows that gave way, for a round. Whether it was the last.
fn gather(parting: &Receiver<Box<Event>>, account: &mut Account, ended: &mut Vec<Record>) -> bool {
    let end = Instant::now() + ROUND;
    loop {
        match parting.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(event) => {
                let record = account.sweeper.parted(&event);
                account.parted += u64::from(record.is_some());
                ended.extend(record);
            }
            Err(error) => return error == RecvTimeoutError::Disconnected,
        }
        if ended.len() >= QUEUE || Instant::now() >= end {
            return false;
        }
    }
}

impl Account {
    fn tell(&self, cpu: &Cpu) -> Option<String> {
        let missed = if self.wanted {
            let (parted, missed) = (self.parted, self.sweeper.missed(cpu));
            let skipped = cpu.get(Counter::RecordsSkipped);
            format!("; of flows that gave way {parted}, skipped {skipped}, records_missed {missed}")
        } else {
            String::new()
        };
        let unread = self.unread.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
        (self.wanted || self.found > 0 || self.unread.is_some()).then(|| {
            format!(
                "sweep: told {} + lost to a slow reader {}, {} of them findings at rest{missed}{unread}",
                self.told, self.lost, self.found
            )
        })
    }
}
