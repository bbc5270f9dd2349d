//! Reads on a thread of its own, some blocks ahead, so that whoever reads waits neither for the disk nor for a decoder.

use std::{
    io::{self, ErrorKind, Read},
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread,
    time::Duration,
};

/// Bytes that are asked for at a time. What comes is handed on at once, however little: somebody may be waiting for it.
const BLOCK: usize = 256 << 10;
/// Blocks that wait to be read.
const BLOCKS: usize = 4;

/// What a thread reads.
#[derive(Debug)]
pub(super) struct Beside {
    blocks: Receiver<io::Result<Block>>,
    /// Blocks that were read, to be filled again.
    spare: Sender<Block>,
    block: Block,
    /// What was found where a block was looked for.
    failed: Option<io::Error>,
}

/// Bytes, and how many of them are unread, from where on.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    first: usize,
    last: usize,
}

impl Beside {
    /// Starts to read.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub(super) fn start(source: impl Read + Send + 'static) -> io::Result<Self> {
        let (give, blocks) = sync_channel(BLOCKS);
        let (spare, back) = channel();
        thread::Builder::new().name("read".to_owned()).spawn(move || read_all(source, &give, &back))?;
        Ok(Self { blocks, spare, block: Block::default(), failed: None })
    }

    /// Whether there are bytes to read, now or within `wait`.
    pub(super) fn is_at_hand(&mut self, wait: Duration) -> bool {
        if self.block.is_read() {
            match self.blocks.recv_timeout(wait) {
                Ok(Ok(next)) => self.go_on(next),
                Ok(Err(error)) => self.failed = Some(error),
                Err(_) => {}
            }
        }
        !self.block.is_read()
    }

    fn go_on(&mut self, next: Block) {
        let read = std::mem::replace(&mut self.block, next);
        // Whoever filled it may be through and gone.
        let _ = self.spare.send(read);
    }
}

impl Block {
    fn is_read(&self) -> bool {
        self.first == self.last
    }
}

/// Reads to the end or the first error, or until nobody wants more.
fn read_all(mut source: impl Read, give: &SyncSender<io::Result<Block>>, back: &Receiver<Block>) {
    loop {
        let mut block = back.try_recv().unwrap_or_default();
        block.bytes.resize(BLOCK, 0);
        let read = loop {
            match source.read(&mut block.bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let told = match read {
            // The channel's end says so.
            Ok(0) => return,
            Ok(last) => give.send(Ok(Block { first: 0, last, ..block })),
            Err(error) => return drop(give.send(Err(error))),
        };
        if told.is_err() {
            return;
        }
    }
}

impl Read for Beside {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_read() {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let Ok(next) = self.blocks.recv() else { return Ok(0) };
            self.go_on(next?);
        }
        let Block { bytes, first, last } = &mut self.block;
        let more = (*last - *first).min(buffer.len());
        buffer[..more].copy_from_slice(&bytes[*first..][..more]);
        *first += more;
        Ok(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte more with each read, after an interruption, and fails when there are no more.
    struct Growing(Vec<u8>, usize, bool);

    impl Read for Growing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(ErrorKind::Interrupted.into());
            }
            if self.0.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.1 += 1;
            let more: Vec<u8> = self.0.drain(..self.1.min(self.0.len())).collect();
            buffer[..more.len()].copy_from_slice(&more);
            Ok(more.len())
        }
    }

    #[test]
    fn all_comes_in_order_and_then_the_error() {
        let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let mut beside = Beside::start(Growing(sent.clone(), 0, false)).unwrap();
        let mut got = Vec::new();
        let error = beside.read_to_end(&mut got).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(got == sent);
        assert_eq!(beside.read(&mut [0]).unwrap(), 0, "the error is the last");
    }

    #[test]
    fn what_is_at_hand_is_not_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut beside = Beside::start(reader).unwrap();
        assert!(!beside.is_at_hand(Duration::ZERO));
        for sent in [3, 5] {
            io::Write::write_all(&mut writer, &vec![1; sent]).unwrap();
            assert!(beside.is_at_hand(Duration::from_secs(60)));
            let mut got = [0; 9];
            assert_eq!((beside.read(&mut got).unwrap(), beside.is_at_hand(Duration::ZERO)), (sent, false));
        }
        let mut beside = Beside::start(Growing(Vec::new(), 0, false)).unwrap();
        assert!(!beside.is_at_hand(Duration::from_secs(60)));
        assert_eq!(beside.read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut, "an error is not lost by looking");
    }

    #[test]
    fn the_end_is_the_end_and_nobody_has_to_get_there() {
        let mut beside = Beside::start(io::repeat(7).take(3 << 20)).unwrap();
        let mut got = Vec::new();
        beside.read_to_end(&mut got).unwrap();
        assert_eq!((got.len(), got.iter().all(|byte| *byte == 7)), (3 << 20, true));
        // Whoever stops halfway leaves nobody behind who reads for ever.
        let mut beside = Beside::start(io::repeat(7)).unwrap();
        beside.read_exact(&mut got).unwrap();
    }
}
