//! What is found of flows at rest, and records of those that ended, of a live table: a thread of its own sweeps once a second, and never waits for who tells them.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::Duration,
};

use sensor_common::{counters::Cpu, event::Event, record::Record};
use tokio::sync::mpsc;

use super::monotonic;
use crate::{
    kernel::Table,
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
}

/// The thread that sweeps. It ends when this is dropped or asked for its account.
pub(super) struct Records {
    /// Dropped to end the thread.
    stop: Sender<()>,
    thread: JoinHandle<Account>,
}

/// What became of the records.
struct Account {
    sweeper: Sweeper,
    wanted: bool,
    found: u64,
    told: u64,
    lost: u64,
}

impl Records {
    /// Sweeps a table whose counters are still at zero; what it finds arrives in the queue, and records where they are `wanted`.
    pub(super) fn start(
        table: Arc<Table>,
        wanted: bool,
        board: Arc<Board>,
    ) -> io::Result<(Self, mpsc::Receiver<Swept>)> {
        let (queue, swept) = mpsc::channel(QUEUE);
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new()
            .name("sweep".into())
            .spawn(move || sweep(&table, &queue, &stopped, wanted, &board))?;
        Ok((Self { stop, thread }, swept))
    }

    /// Sweeps once more, then ends. What to add to the report needs the final counters.
    pub(super) fn end(self) -> impl FnOnce(&Cpu) -> Option<String> {
        drop(self.stop);
        let account = self.thread.join().ok();
        move |cpu| account.and_then(|account| account.tell(cpu))
    }
}

fn sweep(table: &Table, queue: &mpsc::Sender<Swept>, stopped: &Receiver<()>, wanted: bool, board: &Board) -> Account {
    let mut account =
        Account { sweeper: Sweeper::new(table.buckets(), &Cpu::default()), wanted, found: 0, told: 0, lost: 0 };
    let (mut rest, mut ended) = (Findings::default(), Vec::new());
    loop {
        let last = stopped.recv_timeout(ROUND) != Err(RecvTimeoutError::Timeout);
        account.sweeper.sweep(table, monotonic(), &mut rest, &mut ended);
        account.found += rest.0.len() as u64;
        let found = rest.0.drain(..).map(|event| Swept::Found(Box::new(event)));
        for swept in found.chain(ended.drain(..).filter(|_| wanted).map(Swept::Ended)) {
            match queue.try_send(swept) {
                Ok(()) => account.told += 1,
                Err(_) => account.lost += 1,
            }
        }
        let Account { sweeper, found, told, lost, .. } = &account;
        board.sweep(observe::Swept { found: *found, told: *told, lost: *lost, known: sweeper.known() });
        if last {
            return account;
        }
    }
}

impl Account {
    fn tell(&self, cpu: &Cpu) -> Option<String> {
        let missed = if self.wanted { format!("; records_missed {}", self.sweeper.missed(cpu)) } else { String::new() };
        (self.wanted || self.found > 0).then(|| {
            format!(
                "sweep: told {} + lost to a slow reader {}, {} of them findings at rest{missed}",
                self.told, self.lost, self.found
            )
        })
    }
}
