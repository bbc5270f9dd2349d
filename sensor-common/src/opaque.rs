//! Values that the compiler and the kernel's verifier must not see through.
//!
//! The verifier follows a program once for each combination of values that it knows. What passes through a map's memory it
//! forgets, so that thousands of paths become one. On the host this costs a load and a store.

/// Writes to memory for good.
#[inline(always)]
pub(crate) fn keep<T: Copy>(slot: &mut T, value: T) {
    // SAFETY: a valid, aligned place.
    unsafe { core::ptr::from_mut(slot).write_volatile(value) };
}

/// Reads from memory, whatever was just written there.
#[inline(always)]
pub(crate) fn recall<T: Copy>(slot: &T) -> T {
    // SAFETY: a valid, aligned place.
    unsafe { core::ptr::from_ref(slot).read_volatile() }
}

/// An index whose range the compiler must not know: it would drop the mask that the verifier wants to see.
#[inline(always)]
pub(crate) fn hidden(index: usize) -> usize {
    core::hint::black_box(index)
}
