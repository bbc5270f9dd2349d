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
    detect::Severity,
    event::Event,
    kind::MAX_KINDS,
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

/// Room in the queue that records and mild findings leave to severe ones and to readings.
const RESERVED: usize = QUEUE / 8;

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

impl Swept {
    /// Whether it may take the last places in the queue.
    fn is_severe(&self) -> bool {
        match self {
            Self::Ended(_) => false,
            Self::Found(event) => event.severity() >= Severity::Warn,
            Self::Read(_) => true,
        }
    }
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
    /// Mild findings that were too many of a kind.
    held: u64,
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

/// What a sweep goes by, and whom it tells, beside the queue.
pub(super) struct Terms {
    /// Whether anybody is to be told what became of the records.
    pub(super) wanted: bool,
    /// Mild findings of a kind in each round at the most; 0 is no limit.
    pub(super) rate: u32,
    pub(super) board: Arc<Board>,
    pub(super) own: Option<Own>,
    /// What the sensor before has left.
    pub(super) handover: Option<Handover>,
}

impl Records {
    /// Sweeps a table whose counters are still at zero, or were handed over; what it finds arrives in the queue.
    pub(super) fn start(
        table: Arc<Table>,
        mut aggregates: Aggregates,
        parting: Parting,
        terms: Terms,
    ) -> io::Result<(Self, mpsc::Receiver<Swept>)> {
        let (queue, swept) = mpsc::channel(QUEUE);
        let Parting { parted, parting } = parting;
        let thread = std::thread::Builder::new()
            .name("sweep".into())
            .spawn(move || sweep(&table, &mut aggregates, &queue, &parting, &terms))?;
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
    table: &Table,
    aggregates: &mut Aggregates,
    queue: &mpsc::Sender<Swept>,
    parting: &Receiver<Box<Event>>,
    terms: &Terms,
) -> Account {
    let Terms { wanted, rate, board, own, handover } = terms;
    let before = handover.as_ref().map(|handover| handover.before.cpu).unwrap_or_default();
    let mut account = Account {
        sweeper: Sweeper::new(table.buckets(), &before),
        wanted: *wanted,
        found: 0,
        told: 0,
        lost: 0,
        held: 0,
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
        account.held += hold_back(found, *rate);
        let found = found.drain(..).map(|event| Swept::Found(Box::new(event)));
        for swept in found.chain(ended.drain(..).map(Swept::Ended)) {
            let room = queue.capacity() > RESERVED || swept.is_severe();
            let sent = room && queue.try_send(swept).is_ok();
            *(if sent { &mut account.told } else { &mut account.lost }) += 1;
        }
        if let Some(reading) = aggregates.read(table) {
            // Counters go on: what is lost of one reading is in the next.
            let _ = queue.try_send(Swept::Read(Box::new(reading)));
        }
        let Account { sweeper, found, told, lost, held, .. } = &account;
        let (known, leaks_skipped) = (sweeper.known(), rest.1.skipped());
        board.sweep(observe::Swept { found: *found, told: *told, lost: *lost, held: *held, leaks_skipped, known });
        if let Some(handover) = handover {
            handover.rounds.swept(now);
        }
        if last {
            return account;
        }
    }
}

/// Leaves `rate` mild findings of a kind, as the kernel program does a second: what anybody can make must not drown the rest. How many
/// it took out.
fn hold_back(found: &mut Vec<Event>, rate: u32) -> u64 {
    let (before, mut told) = (found.len(), [0_u32; MAX_KINDS]);
    found.retain(|event| {
        if rate == 0 || event.severity() >= Severity::Warn {
            return true;
        }
        let told = &mut told[usize::from(event.kind)];
        *told += 1;
        *told <= rate
    });
    (before - found.len()) as u64
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
            let held = if self.held > 0 { format!(", {} held back", self.held) } else { String::new() };
            format!(
                "sweep: told {} + lost to a slow reader {}, {} of them findings at rest{held}{missed}{unread}",
                self.told,
                self.lost,
                self.found - self.held
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::kind::Kind;
    use zerocopy::FromZeros as _;

    use super::*;

    #[test]
    fn mild_findings_at_rest_are_limited_by_kind_and_severe_ones_are_not() {
        let event = |kind, severity| {
            let mut event = Event::new_zeroed();
            (event.kind, event.severity) = (kind as u8, severity as u8);
            event
        };
        let some = || {
            let mild = [Kind::CtSynNone, Kind::CtAckNone].map(|kind| vec![event(kind, Severity::Info); 300]);
            let severe = vec![event(Kind::CtSynNone, Severity::Warn); 300];
            [mild.concat(), severe].concat()
        };
        let (mut found, mut all) = (some(), some());
        assert_eq!((hold_back(&mut found, 200), hold_back(&mut all, 0)), (200, 0));
        assert_eq!((found.len(), all.len()), (700, 900));
        assert_eq!(found.iter().filter(|event| event.severity() == Severity::Warn).count(), 300);
    }
}
