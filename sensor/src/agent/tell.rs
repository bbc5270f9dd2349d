//! The thread that reports.

use std::{
    io::{self, Write},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use sensor_common::{event::Event, flow::LinkId};
use tokio::{
    runtime::Builder,
    sync::{mpsc, oneshot},
};

use super::{monotonic, names::Names, own::Own, records::Swept, rules::Rules, warn};
use crate::{
    observe::Board,
    report::{Place, Reporter},
};

/// How long the reader of stdout may take to let the last lines go.
const PATIENCE: Duration = Duration::from_secs(3);

/// A thread that tells what comes through the queue: stdout may block it, and nobody else. It ends with the queue, or at the
/// first error.
pub(super) fn write<W: Write + Send + 'static>(
    (mut events, mut swept): (mpsc::Receiver<Bytes>, mpsc::Receiver<Swept>),
    mut reporter: Reporter<W>,
    (names, rules, own): (Names, Rules, Option<Own>),
    failed: oneshot::Sender<()>,
    board: Arc<Board>,
) -> io::Result<JoinHandle<io::Result<Reporter<W>>>> {
    // For waiting alone: the thread may block, and does so on stdout.
    let runtime = Builder::new_current_thread().build()?;
    let begun = monotonic();
    std::thread::Builder::new().name("report".into()).spawn(move || {
        // Dropped with the thread, which tells the drain that nobody writes any more.
        let _failed = failed;
        while let Some(news) = runtime.block_on(next(&mut events, &mut swept)) {
            board.begin();
            reporter.follow(monotonic(), SystemTime::now());
            let (finding, fresh) = match news {
                News::Event(record) => (Event::decode(&record), true),
                News::Swept(Swept::Found(event)) => (Some(*event), false),
                News::Swept(Swept::Read(reading)) => {
                    reporter.read(*reading)?;
                    (None, false)
                }
                News::Swept(Swept::Ended(record)) => {
                    names.with(record.key.link, |place| reporter.record(&record, place))?;
                    board.record();
                    (None, false)
                }
            };
            if let Some(event) = finding {
                let word = own.as_ref().and_then(|own| own.word(&event));
                names.with(link(&event), |place| rules.tell(&mut reporter, &event, Place { word, ..place }))?;
                let age = Duration::from_nanos(monotonic().saturating_sub(event.time));
                // What waited while there was no sensor says nothing of this one's pace.
                board.finding(&event, (fresh && event.time >= begun).then_some(age));
            }
            if events.is_empty() && swept.is_empty() {
                reporter.flush()?;
            }
            board.end(reporter.written());
        }
        Ok(reporter)
    })
}

/// Where an event was seen.
fn link(event: &Event) -> LinkId {
    event.flow.head.key.link
}

/// What there is to tell.
enum News {
    Event(Bytes),
    Swept(Swept),
}

/// The next thing to tell, the kernel's findings first; none when both queues are closed.
async fn next(events: &mut mpsc::Receiver<Bytes>, swept: &mut mpsc::Receiver<Swept>) -> Option<News> {
    tokio::select! {
        biased;
        Some(event) = events.recv() => Some(News::Event(event)),
        Some(swept) = swept.recv() => Some(News::Swept(swept)),
        else => None,
    }
}

/// Waits for the writer, but not for ever: whoever reads stdout may have stopped. `notes` then go to stderr, for the summary
/// cannot be told.
pub(super) fn finished<T>(writer: JoinHandle<T>, notes: &[String]) -> io::Result<T> {
    let limit = Instant::now() + PATIENCE;
    while !writer.is_finished() {
        if Instant::now() > limit {
            notes.iter().for_each(|note| warn(note));
            return Err(io::Error::new(io::ErrorKind::TimedOut, "whoever reads it has stopped reading"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    writer.join().map_err(|_| io::Error::other("the reporting thread has died"))
}
