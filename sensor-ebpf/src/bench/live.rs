//! Both ends of a live run: frames are made as they are sent, and counted as they are received.

use aya_ebpf::{
    bindings::xdp_action::{XDP_ABORTED, XDP_DROP},
    helpers::generated::bpf_redirect,
};

use crate::{feed, ifindex, maps::PROGRESS, window};

/// Places in [`PROGRESS`].
const PUBLISHED: u32 = 0;
const SENT: u32 = 1;
const RECEIVED: u32 = 2;

/// So many frames are received before the sender is told: a line that the other CPU reads all the time is dear to write.
const AT_A_TIME: u64 = 32;

/// Writes the next frame and sends it out of the chosen interface; if the receiver is behind, the buffer goes back unused.
#[inline(always)]
pub(crate) fn send(start: usize, end: usize) -> u32 {
    let (Some(received), Some(sent)) = (PROGRESS.get_ptr(PUBLISHED), PROGRESS.get_ptr_mut(SENT)) else {
        return XDP_ABORTED;
    };
    // SAFETY: elements of an array map. One CPU writes each; volatile, as another one reads.
    let on_their_way = unsafe { (*sent).count.wrapping_sub((&raw const (*received).count).read_volatile()) };
    if on_their_way >= window() {
        return XDP_DROP;
    }
    if feed::fill(start, end).is_none() {
        return XDP_ABORTED;
    }
    // SAFETY: as above.
    unsafe { (*sent).count += 1 };
    // SAFETY: the helper takes an interface's number and no flags.
    (unsafe { bpf_redirect(ifindex(), 0) }) as u32
}

/// Counts a frame that came in.
#[inline(always)]
pub(crate) fn count() {
    let (Some(received), Some(published)) = (PROGRESS.get_ptr_mut(RECEIVED), PROGRESS.get_ptr_mut(PUBLISHED)) else {
        return;
    };
    // SAFETY: as above.
    let received = unsafe {
        (*received).count += 1;
        (*received).count
    };
    if received % AT_A_TIME == 0 {
        // SAFETY: as above.
        unsafe { (&raw mut (*published).count).write_volatile(received) };
    }
}
