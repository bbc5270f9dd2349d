//! Zeroed memory straight from the kernel: taken page by page as it is touched, and aligned, so that a flow begins on a cache line.

use std::{
    io,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

use zerocopy::FromZeros;

/// From this size on the kernel is asked for huge pages. The default table is below: of that a small capture takes what it touches.
const LARGE: usize = 64 << 20;

/// Elements in pages of their own.
pub(crate) struct Pages<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: it owns its elements, as a box does.
unsafe impl<T: Send> Send for Pages<T> {}
// SAFETY: likewise.
unsafe impl<T: Sync> Sync for Pages<T> {}

impl<T: FromZeros> Pages<T> {
    /// So many elements, all zero.
    ///
    /// # Errors
    ///
    /// There is no memory.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        const { assert!(align_of::<T>() <= 4096 && size_of::<T>() > 0) };
        let bytes = len.checked_mul(size_of::<T>()).ok_or(io::ErrorKind::OutOfMemory)?.max(1);
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        if bytes >= LARGE {
            // SAFETY: within the new mapping. Advice may be refused, and nothing is lost by that.
            unsafe { libc::madvise(start, bytes, libc::MADV_HUGEPAGE) };
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, len })
    }
}

impl<T> Deref for Pages<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds so many elements, which were valid as zeros and are ours alone.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Pages<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Pages<T> {
    fn drop(&mut self) {
        // SAFETY: what `new` mapped, and nobody refers to it any more. There is nothing to do about a failure.
        unsafe { libc::munmap(self.start.as_ptr().cast(), (self.len * size_of::<T>()).max(1)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_zero_aligned_and_kept() {
        let mut pages = Pages::<u64>::new(LARGE / 8 + 3).unwrap();
        assert!(pages.iter().all(|element| *element == 0) && pages.as_ptr().addr().is_multiple_of(4096));
        pages[LARGE / 8 + 2] = 7;
        assert_eq!((pages.len(), pages[LARGE / 8 + 2]), (LARGE / 8 + 3, 7));
        assert!(Pages::<u64>::new(0).unwrap().is_empty());
        assert!(Pages::<u64>::new(usize::MAX).is_err());
    }
}
