//! A receiver that keeps its window closed: its application does not drain the socket.

use crate::{
    detect::analysis::Rows,
    flow::{Bits, End, Half, TcpFlags},
    time::{Stamp, stamp_nanos},
    wire::Packet,
};

/// What is told lasted longer: 5 s, in units of 1.024 µs.
const LONG: u32 = 4_882_812;
const _: () = assert!(stamp_nanos(LONG) < 5_000_000_000 && stamp_nanos(LONG + 1) > 5_000_000_000);

/// A stall that is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long it has lasted, in units of 1.024 µs; 0 if there is nothing to tell.
    pub units: u32,
    /// How often the closed window was probed.
    pub probes: u8,
}

impl Stall {
    /// Nothing to tell.
    pub const NONE: Self = Self { units: 0, probes: 0 };
}

/// Follows both sides' closed windows: `half` is the sender's, `far` the other's. A stall is told once, when the answer to a probe shows
/// that it lasts: an opening that was lost would look the same until then. Not if the peer has nothing more to send, since it has
/// sent its FIN.
#[inline(always)]
pub fn follow(r: &End, half: &mut Half, far: &mut Half, packet: &Packet, stamp: Stamp, rows: Rows) -> Stall {
    if far.any(Half::STALLED) && rows.any(Rows(Rows::ZERO_WINDOW_PROBE.0 | Rows::KEEP_ALIVE.0)) {
        far.probes = far.probes.saturating_add(1);
    }
    if packet.flags.any(TcpFlags::RST.with(TcpFlags::SYN)) {
        return Stall::NONE;
    }
    if packet.win != 0 {
        half.marks &= !(Half::STALLED | Half::TOLD_STALL);
        return Stall::NONE;
    }
    // Who has sent a FIN needs no window.
    let needed = !r.bits.any(Bits::FIN);
    if !half.any(Half::STALLED) {
        if !packet.flags.any(TcpFlags::FIN) {
            half.marks |= Half::STALLED;
            half.stalled = stamp;
            half.probes = 0;
            half.count_closed(needed);
        }
        return Stall::NONE;
    }
    let units = stamp.since(half.stalled);
    if units <= LONG || half.probes == 0 || !needed || half.any(Half::TOLD_STALL) {
        return Stall::NONE;
    }
    half.marks |= Half::TOLD_STALL;
    Stall { units, probes: half.probes }
}
