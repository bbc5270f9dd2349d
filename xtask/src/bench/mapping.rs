//! A map's elements in our own memory.

use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;

use anyhow::{Context, Result, bail};
use aya::maps::Map;

/// The elements of an array map made with `BPF_F_MMAPABLE`.
pub(super) struct Mapping<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone, whichever thread has it.
unsafe impl<T: Send> Send for Mapping<T> {}

impl<T> Mapping<T> {
    /// Maps `len` elements. `T` must be plain old data of the map's own value size.
    pub(super) fn new(map: &Map, len: usize) -> Result<Self> {
        let Map::Array(data) = map else { bail!("not an array map") };
        let size = data.info()?.value_size() as usize;
        if size != size_of::<T>() {
            bail!("an element has {size} bytes, not the {} that this xtask knows: build both anew", size_of::<T>());
        }
        let fd = data.fd().as_fd().as_raw_fd();
        let bytes = len * size;
        // SAFETY: a new mapping of a file descriptor that is open; the kernel chooses the address.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, fd, 0)
        };
        if start == libc::MAP_FAILED {
            return Err(std::io::Error::last_os_error()).context("cannot map a BPF map");
        }
        let start = NonNull::new(start.cast()).context("cannot map a BPF map")?;
        Ok(Self { start, len })
    }

    /// An element that programs may write at this moment.
    pub(super) fn read(&self, index: usize) -> T
    where
        T: Copy,
    {
        assert!(index < self.len);
        // SAFETY: within the mapping; volatile, as others write it.
        unsafe { self.start.add(index).read_volatile() }
    }

    /// The elements. No program runs while they are borrowed: this thread runs the programs.
    pub(super) fn elements(&mut self) -> &mut [T] {
        // SAFETY: `len` elements were mapped, any bytes are valid for the plain types used here, and `self` is borrowed.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and nobody borrows it any more. There is nothing to do about a failure.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len * size_of::<T>()) };
    }
}
