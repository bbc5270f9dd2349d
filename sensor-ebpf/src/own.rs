//! The kernel's own word on resets: what its TCP stack sends is handed on to who asks. Not on the path of a packet.

use core::ffi::c_void;

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::generated::{bpf_ktime_get_ns, bpf_probe_read_kernel},
    macros::btf_map,
};
use sensor_common::own::{OwnReset, RECORD};

/// Room for 2340 of them; its reader knows that some may be missing where it finds that many.
#[btf_map]
static OWN_RESETS: RingBuf<OwnReset, 262_144, 0> = RingBuf::new();

const NO_WAKEUP: u64 = 1;
/// Whoever else traces this shall see it too.
const GO_ON: u32 = 1;

// By hand: what aya's macro makes returns 0.
#[unsafe(no_mangle)]
#[unsafe(link_section = "tracepoint")]
extern "C" fn sensor_own_reset(record: *const c_void) -> u32 {
    if let Some(mut entry) = OWN_RESETS.reserve(0) {
        let own = entry.as_mut_ptr();
        // SAFETY: the entry is large enough, and both its fields are written, for the helper clears what it cannot read. Records lie
        // in a buffer of the kernel's that is longer than what is kept of them.
        unsafe {
            (&raw mut (*own).time).write(bpf_ktime_get_ns());
            bpf_probe_read_kernel((&raw mut (*own).record).cast(), RECORD as u32, record);
        }
        entry.submit(NO_WAKEUP);
    }
    GO_ON
}
