//! Memory that will be needed is asked for beforehand, so that nobody waits for it.

/// A cache line.
const LINE: usize = 64;

/// Asks the processor for the line at an address, and goes on.
#[inline(always)]
fn fetch(at: *const u8) {
    // SAFETY: a hint, which touches nothing and faults nowhere.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    // SAFETY: likewise.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{at}]", at = in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

/// Asks for all lines of a value.
#[inline(always)]
pub(crate) fn fetch_all<T>(value: *const T) {
    let start = value.cast::<u8>();
    (0..size_of::<T>().div_ceil(LINE)).for_each(|line| fetch(start.wrapping_add(line * LINE)));
}
