//! Records of a live table: a thread of its own sweeps once a second, and never waits for who tells them.

use std::{
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use sensor_common::{counters::Cpu, record::Record};
use tokio::sync::mpsc;

use super::monotonic;
use crate::{
    kernel::Table,
    sweep::{Slots as _, Sweeper},
};

/// Records that may wait for their reader.
const QUEUE: usize = 8192;

/// Between two sweeps.
const ROUND: Duration = Duration::from_secs(1);

/// The thread that sweeps. It ends when this is dropped or asked for its account.
pub(super) struct Records {
    /// Dropped to end the thread.
    stop: Sender<()>,
    thread: JoinHandle<Account>,
}

/// What became of the records.
struct Account {
    sweeper: Sweeper,
    told: u64,
    lost: u64,
}

impl Records {
    /// Sweeps a table whose counters are still at zero; the records arrive in the queue.
    pub(super) fn start(table: Table) -> io::Result<(Self, mpsc::Receiver<Record>)> {
        let (queue, records) = mpsc::channel(QUEUE);
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("sweep".into()).spawn(move || sweep(&table, &queue, &stopped))?;
        Ok((Self { stop, thread }, records))
    }

    /// Sweeps once more, then ends. What to add to the report needs the final counters.
    pub(super) fn end(self) -> impl FnOnce(&Cpu) -> Option<String> {
        drop(self.stop);
        let account = self.thread.join().ok();
        move |cpu| account.map(|account| account.tell(cpu))
    }
}

fn sweep(table: &Table, queue: &mpsc::Sender<Record>, stopped: &Receiver<()>) -> Account {
    let mut account = Account { sweeper: Sweeper::new(table.buckets(), &Cpu::default()), told: 0, lost: 0 };
    let mut ended = Vec::new();
    loop {
        let last = stopped.recv_timeout(ROUND) != Err(RecvTimeoutError::Timeout);
        account.sweeper.sweep(table, monotonic(), &mut (), &mut ended);
        for record in ended.drain(..) {
            match queue.try_send(record) {
                Ok(()) => account.told += 1,
                Err(_) => account.lost += 1,
            }
        }
        if last {
            return account;
        }
    }
}

impl Account {
    fn tell(&self, cpu: &Cpu) -> String {
        let missed = self.sweeper.missed(cpu);
        format!("records: told {} + lost to a slow reader {}; records_missed {missed}", self.told, self.lost)
    }
}
