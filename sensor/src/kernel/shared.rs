//! A map's memory in our own.

use std::{
    io,
    os::fd::{AsFd as _, AsRawFd as _},
    ptr::NonNull,
};

use aya::maps::MapData;
use zerocopy::FromBytes;

use crate::fetch::fetch_all;

/// A mapping, which the kernel or another process may write meanwhile.
pub(super) struct Shared {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread; what is read of it is copied volatile.
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
        NonNull::new(start.cast()).map(|start| Self { start, bytes }).ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// A copy of what lies at a byte, as it is at the moment or torn between two; none beyond the end.
    #[inline]
    pub(super) fn read<T: FromBytes + Copy>(&self, at: usize) -> Option<T> {
        let there = self.holds::<T>(at);
        // SAFETY: within the mapping, and aligned, as it begins on a page. Volatile because others write it.
        there.then(|| unsafe { self.start.add(at).cast::<T>().read_volatile() })
    }

    /// Has fetched what lies at a byte.
    #[inline]
    pub(super) fn fetch<T>(&self, at: usize) {
        if self.holds::<T>(at) {
            fetch_all(self.start.as_ptr().wrapping_add(at).cast::<T>());
        }
    }

    /// A word; 0 beyond the end.
    pub(super) fn word(&self, index: usize) -> u64 {
        self.read(index * size_of::<u64>()).unwrap_or(0)
    }

    /// Writes a word of a writable mapping; nothing beyond the end.
    pub(super) fn set(&self, index: usize, word: u64) {
        let at = index * size_of::<u64>();
        if self.holds::<u64>(at) {
            // SAFETY: as above.
            unsafe { self.start.add(at).cast::<u64>().write_volatile(word) };
        }
    }

    fn holds<T>(&self, at: usize) -> bool {
        at.is_multiple_of(align_of::<T>()) && at.checked_add(size_of::<T>()).is_some_and(|end| end <= self.bytes)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and nobody refers to it any more. There is nothing to do about a failure.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
