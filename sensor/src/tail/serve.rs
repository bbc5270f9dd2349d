//! The thread that serves those who follow. It writes, and reads nothing: whoever says something is let go.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
    vec,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::{Builder, Runtime},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time,
};

use super::{
    SocketError,
    feed::{Feed, Frame, READERS},
    socket,
    wire::{Hello, MAGIC, Message},
};

/// How long a reader that was too slow has to hear of it.
const GRACE: Duration = Duration::from_secs(10);

/// The same where the agent itself is about to end.
const LAST: Duration = Duration::from_secs(1);

/// A socket that listens, before there is anything to tell.
pub struct Server {
    runtime: Runtime,
    listener: UnixListener,
    place: socket::Place,
}

impl Server {
    /// Takes the socket's place; one that is stale is replaced.
    ///
    /// # Errors
    ///
    /// Why it cannot be had.
    pub fn open(path: &Path) -> Result<Self, SocketError> {
        let failed = |cause| SocketError::Make { path: path.into(), cause };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (listener, place) = socket::listen(path)?;
        let entered = runtime.enter();
        let listener = UnixListener::from_std(listener).map_err(failed)?;
        drop(entered);
        Ok(Self { runtime, listener, place })
    }

    /// A folder with nothing but the socket in it, from which it is removed at the end.
    pub fn folder(&self) -> Option<PathBuf> {
        self.place.own_folder()
    }

    /// Serves from `feed` until the result is dropped, which lets all readers have what waits for them.
    ///
    /// # Errors
    ///
    /// When there can be no more threads.
    pub fn start(self, feed: Feed) -> io::Result<Serving> {
        let (stop, stopped) = oneshot::channel::<()>();
        let Self { runtime, listener, place } = self;
        let work = {
            let feed = feed.clone();
            move || runtime.block_on(serve(listener, feed, stopped))
        };
        let thread = std::thread::Builder::new().name("tail".into()).spawn(work)?;
        Ok(Serving { feed, stop: Some(stop), thread: Some(thread), _place: place })
    }
}

/// The thread that serves. It ends when this is dropped, soon.
pub struct Serving {
    feed: Feed,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Given up last.
    _place: socket::Place,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.feed.end();
        drop(self.stop.take());
        // A panic was printed there.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: UnixListener, feed: Feed, mut stopped: oneshot::Receiver<()>) {
    let mut readers = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(readers.spawn(one(stream, feed.clone()))),
                // No file left to open, for a while.
                Err(_) => time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = readers.join_next() => {}
            _ = &mut stopped => break,
        }
    }
    drop(listener);
    let _ = time::timeout(LAST, async { while readers.join_next().await.is_some() {} }).await;
}

/// Serves one reader to its end.
async fn one(stream: UnixStream, feed: Feed) {
    let (input, output) = stream.into_split();
    let mut line = Line { output, frame: Arc::from(&[][..]), at: 0 };
    tokio::select! {
        _ = line.tell(&feed) => {}
        () = ended(input) => {}
    }
}

/// Completes when the reader has gone, or says something.
async fn ended(mut input: OwnedReadHalf) {
    let _ = input.read(&mut [0]).await;
}

/// The way to a reader, with the frame that is on it.
struct Line {
    output: OwnedWriteHalf,
    frame: Frame,
    at: usize,
}

impl Line {
    async fn tell(&mut self, feed: &Feed) -> io::Result<()> {
        self.output.write_all(&MAGIC).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos() as u64);
        self.send(Message::Hello(Hello::own(now)).encode().into()).await?;
        let Some(mut reading) = feed.follow() else {
            return self.send(Message::Full(READERS as u32).encode().into()).await;
        };
        let slow = tokio::select! {
            result = self.all(&mut reading.remembered, &mut reading.queue) => { result?; false }
            () = reading.fate.sealed() => true,
        };
        if !slow {
            return self.send(Message::End.encode().into()).await;
        }
        // What waits is let go; a frame that is half out must end first.
        let finished = time::timeout(GRACE, self.finish()).await;
        let lost = feed.let_go(&mut reading);
        finished??;
        time::timeout(GRACE, self.send(Message::Slow(lost).encode().into())).await?
    }

    async fn all(
        &mut self,
        remembered: &mut vec::IntoIter<(u64, Frame)>,
        queue: &mut mpsc::Receiver<Frame>,
    ) -> io::Result<()> {
        for (_, frame) in remembered {
            self.send(frame).await?;
        }
        self.send(Message::Live.encode().into()).await?;
        while let Some(frame) = queue.recv().await {
            self.send(frame).await?;
        }
        Ok(())
    }

    async fn send(&mut self, frame: Frame) -> io::Result<()> {
        (self.frame, self.at) = (frame, 0);
        self.finish().await
    }

    /// Writes what is left of the frame. May be given up and taken up again.
    async fn finish(&mut self) -> io::Result<()> {
        while self.at < self.frame.len() {
            match self.output.write(&self.frame[self.at..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.at += written,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        os::unix::net::UnixStream,
        thread,
    };

    use sensor_common::{
        event::{EVENT_VERSION, Event},
        kind::Kind,
    };
    use tempfile::TempDir;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::report::{Finding, Place, Sink as _, WallClock};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A server, and somebody who follows it after so many findings.
    fn start(remembered: u64) -> (TempDir, Feed, Serving, UnixStream) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.sock");
        let mut feed = Feed::default();
        (0..remembered).for_each(|time| tell(&mut feed, time));
        let serving = Server::open(&path).unwrap().start(feed.clone()).unwrap();
        let stream = UnixStream::connect(&path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        (folder, feed, serving, stream)
    }

    fn tell(feed: &mut Feed, time: u64) {
        let mut event = Event::new_zeroed();
        event.version = EVENT_VERSION;
        event.kind = Kind::RstSeqData as u8;
        event.time = time;
        feed.finding(&Finding::new(&event, WallClock::epoch(), Place::default()));
    }

    /// What comes behind the mark.
    fn messages(stream: &mut UnixStream) -> impl Iterator<Item = Message> {
        let mut mark = [0; MAGIC.len()];
        stream.read_exact(&mut mark).unwrap();
        assert_eq!(mark, MAGIC);
        std::iter::from_fn(|| Message::read(stream).unwrap())
    }

    /// Waits until `live` has come.
    fn live(messages: &mut impl Iterator<Item = Message>) -> usize {
        assert!(matches!(messages.next(), Some(Message::Hello(_))));
        messages.take_while(|message| !matches!(message, Message::Live)).count()
    }

    #[test]
    fn a_reader_gets_what_was_and_what_comes_and_an_end() {
        let (_folder, mut feed, serving, mut stream) = start(0);
        tell(&mut feed, 1);
        let mut told = messages(&mut stream);
        let remembered = live(&mut told);
        assert!(remembered <= 1);
        tell(&mut feed, 2);
        // The first may have come before the reader did, or after.
        let rest = 2 - remembered;
        assert!((0..rest).all(|_| matches!(told.next(), Some(Message::Finding { .. }))));
        drop(serving);
        assert!(matches!(told.next(), Some(Message::End)) && told.next().is_none());
    }

    #[test]
    fn who_stops_reading_is_let_go_and_told_how_much_is_lost() {
        // It falls behind what comes, and behind what was.
        for remembered in [0, 2000] {
            let (_folder, mut feed, _serving, mut stream) = start(remembered);
            while feed.following() == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            // Nobody reads meanwhile, and nothing waits for that. What comes when it has been let go is not for it.
            let mut all = remembered;
            for time in remembered..remembered + 20_000 {
                tell(&mut feed, time);
                all += feed.following() as u64;
            }
            let (mut came, mut lost) = (0, None);
            for message in messages(&mut stream) {
                assert_eq!(lost, None, "the last word");
                match message {
                    Message::Hello(_) => {}
                    Message::Live => assert!(came >= remembered),
                    Message::Finding { event, .. } => {
                        assert_eq!(event.time, came, "in order");
                        came += 1;
                    }
                    Message::Slow(n) => lost = Some(n),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(lost, Some(all - came), "all = told + lost");
            assert_eq!((feed.account().slow, feed.account().lost), (1, all - came));
        }
    }

    #[test]
    fn who_speaks_is_let_go() {
        let (_folder, _feed, _serving, mut stream) = start(0);
        let mut mine = stream.try_clone().unwrap();
        let mut told = messages(&mut stream);
        live(&mut told);
        mine.write_all(b"hello").unwrap();
        // What it had not read may break the connection.
        assert!(!matches!(Message::read(&mut mine), Ok(Some(_))));
    }
}
