//! A map's memory in our own.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    ptr::NonNull,
};

use aya::maps::MapData;

/// A mapping of whole words, which the kernel or another process may write meanwhile.
pub(super) struct Shared {
    start: NonNull<u64>,
    words: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; words are read and written whole.
unsafe impl Send for Shared {}
// SAFETY: likewise.
unsafe impl Sync for Shared {}

impl Shared {
    /// Maps `bytes` of a map's memory, from `offset` on, which is a multiple of the page's size.
    pub(super) fn new(map: &MapData, offset: usize, bytes: usize, writable: bool) -> io::Result<Self> {
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let fd = map.fd().as_fd().as_raw_fd();
        // SAFETY: a new mapping of an open descriptor at an address of the kernel's choice.
        let start =
            unsafe { libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, fd, offset as libc::off_t) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        NonNull::new(start.cast())
            .map(|start| Self { start, words: bytes / size_of::<u64>() })
            .ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// A word; 0 beyond the end.
    pub(super) fn word(&self, index: usize) -> u64 {
        // SAFETY: within the mapping, and aligned, as it begins on a page. Volatile because others write it.
        if index < self.words { unsafe { self.start.add(index).read_volatile() } } else { 0 }
    }

    /// Writes a word of a writable mapping; nothing beyond the end.
    pub(super) fn set(&self, index: usize, word: u64) {
        if index < self.words {
            // SAFETY: as above.
            unsafe { self.start.add(index).write_volatile(word) };
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and nobody refers to it any more. There is nothing to do about a failure.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.words * size_of::<u64>()) };
    }
}
