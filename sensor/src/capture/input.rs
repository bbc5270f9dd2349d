//! A window on the input that is as large as the largest record so far, and no larger.

use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::time::Duration;

use super::{CaptureError, packed::Unpacked};

/// The longest record that is believed.
pub(super) const MAX_RECORD: u32 = 16 << 20;
/// Small enough for a core's own cache, large enough for few system calls.
const CAPACITY: usize = 256 << 10;

/// The input, what of it has been read ahead, and how many frames came out of it so far.
#[derive(Debug)]
pub(super) struct Input<R: Read> {
    source: Unpacked<R>,
    buffer: Vec<u8>,
    unread: Range<usize>,
    pub(super) frames: u64,
}

impl<R: Read> Input<R> {
    pub(super) fn new(source: Unpacked<R>) -> Self {
        Self { source, buffer: vec![0; CAPACITY], unread: 0..0, frames: 0 }
    }

    /// Waits for `count` unread bytes; false when the input ends before.
    #[inline]
    pub(super) fn want(&mut self, count: usize) -> Result<bool, CaptureError> {
        if self.unread.len() >= count { Ok(true) } else { self.fill(count) }
    }

    /// The next `count` unread bytes, which a capture that is not cut short has.
    #[inline]
    pub(super) fn need(&mut self, count: usize) -> Result<&[u8], CaptureError> {
        if self.want(count)? {
            Ok(&self.buffer[self.unread.start..][..count])
        } else {
            Err(CaptureError::CutShort { frames: self.frames })
        }
    }

    #[cold]
    fn fill(&mut self, count: usize) -> Result<bool, CaptureError> {
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if count > self.buffer.len() {
            self.buffer.resize(count, 0);
        }
        while self.unread.len() < count {
            match self.source.read(&mut self.buffer[self.unread.end..]) {
                Ok(0) => return Ok(false),
                Ok(more) => self.unread.end += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(cause) => return Err(CaptureError::unread(self.frames, cause)),
            }
        }
        Ok(true)
    }
}

impl<R: Read> Input<R> {
    /// Takes in more, if there is more, now or within `wait`; whether there was.
    pub(super) fn take_in(&mut self, wait: Duration) -> bool {
        self.source.is_at_hand(wait) && self.fill(self.unread.len() + 1).is_ok_and(|more| more)
    }

    /// All that is read ahead.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.unread.clone()]
    }

    /// Bytes that it takes.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.buffer.len()
    }

    /// Moves past `count` bytes that were waited for, and says where they lie until the next wait.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Range<usize> {
        let start = self.unread.start;
        self.unread.start = self.unread.end.min(start + count);
        start..self.unread.start
    }

    /// Bytes that were taken.
    #[inline]
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// The length of the record to come, if it is to be believed.
    #[inline]
    pub(super) fn believe(&self, size: u32) -> Result<usize, CaptureError> {
        if size > MAX_RECORD {
            return Err(CaptureError::TooLarge { frames: self.frames, size });
        }
        Ok(size as usize)
    }

    #[cold]
    pub(super) fn damaged(&self, what: &'static str) -> CaptureError {
        CaptureError::Damaged { frames: self.frames, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// Gives one byte a read, with an interruption before each, and fails at the end.
    struct Reluctant(Vec<u8>, bool);

    impl Read for Reluctant {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(ErrorKind::Interrupted.into());
            }
            let byte = self.0.pop().ok_or(ErrorKind::TimedOut)?;
            buffer[0] = byte;
            Ok(1)
        }
    }

    #[test]
    fn waits_for_what_comes_slowly() {
        let mut input = Input::new(Unpacked::new(Reluctant(vec![3, 2, 1], false)));
        assert_eq!(input.need(2).unwrap(), [1, 2]);
        let taken = input.take(1);
        assert_eq!(input.bytes(taken), [1]);
        assert_eq!(input.need(2).unwrap(), [2, 3]);
        assert!(matches!(input.need(3), Err(CaptureError::Io { .. })));
    }

    #[test]
    fn grows_to_what_is_wanted_only() {
        let mut input = Input::new(Unpacked::new(io::repeat(7).take(1 << 20)));
        assert!(input.want(CAPACITY + 1).unwrap());
        assert_eq!(input.buffer.len(), CAPACITY + 1);
        input.take(CAPACITY);
        assert!(input.want(CAPACITY).unwrap());
        assert_eq!(input.buffer.len(), CAPACITY + 1);
        assert!(!input.want(2 << 20).unwrap());
    }
}
