//! What the kernel says of a reset that its own TCP stack sends: the record of the tracepoint `tcp:tcp_send_reset`, as it is. What
//! lies where in it differs from kernel to kernel; user space reads that from the tracepoint's format.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bytes of the tracepoint's record that are kept: with both addresses, 88 on Linux 6.10 to 6.18.
pub const RECORD: usize = 96;

/// A reset of the kernel's own.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OwnReset {
    /// When: nanoseconds of the monotonic clock.
    pub time: u64,
    /// The tracepoint's record, its common fields included.
    pub record: [u8; RECORD],
}
