//! Floors: what a program costs that does the least any flow tracker does.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ktime_get_ns};

use crate::maps::FLOOR;

/// Fields of one TCP segment.
pub(crate) struct Fields {
    source: u32,
    destination: u32,
    ports: u32,
    seq: u32,
    ack: u32,
    /// Bytes by the IP header, and flags and window: whatever a tracker would look at.
    bits: u32,
}

impl Fields {
    /// One number that depends on every field, so that none is left out by the compiler.
    pub(crate) fn digest(&self) -> u32 {
        self.source ^ self.destination ^ self.ports ^ self.seq ^ self.ack ^ self.bits
    }
}

/// A flow, both directions alike: half the entries of a tracker that keeps one for each, which favours the floor.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Tuple {
    lower: u32,
    upper: u32,
    ports: u32,
    protocol: u32,
}

/// 32 bytes of state.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct State {
    last: u64,
    packets: u64,
    bytes: u64,
    seq: u32,
    ack: u32,
}

/// Ethernet, IPv4 without options, TCP: plain loads.
#[inline(always)]
pub(crate) fn parse(start: usize, end: usize) -> Option<Fields> {
    if start + 14 + 20 + 20 > end {
        return None;
    }
    // SAFETY: 54 bytes of packet were checked.
    let word = |at: usize| u32::from_be(unsafe { ((start + at) as *const u32).read_volatile() });
    // SAFETY: as above.
    let half = |at: usize| u16::from_be(unsafe { ((start + at) as *const u16).read_volatile() });
    if half(12) != 0x0800 || half(14) >> 8 != 0x45 || half(22) & 0xff != 6 {
        return None;
    }
    Some(Fields {
        source: word(26),
        destination: word(30),
        ports: word(34),
        seq: word(38),
        ack: word(42),
        bits: word(46) ^ half(16) as u32,
    })
}

/// A fine clock and an LRU hash map: look up, make if new, write through the pointer.
#[inline(always)]
pub(crate) fn track(fields: &Fields) {
    // SAFETY: the helper takes nothing and cannot fail.
    let now = unsafe { bpf_ktime_get_ns() };
    let Fields { source, destination, ports, seq, ack, bits } = *fields;
    let tuple = if source < destination {
        Tuple { lower: source, upper: destination, ports, protocol: 6 }
    } else {
        Tuple { lower: destination, upper: source, ports: ports.rotate_left(16), protocol: 6 }
    };
    if let Some(state) = FLOOR.get_ptr_mut(tuple) {
        // SAFETY: an element of the map; the kernel keeps its memory until this program has returned.
        let state = unsafe { &mut *state };
        *state = State { last: now, packets: state.packets + 1, bytes: state.bytes + bits as u64, seq, ack };
    } else {
        // A full map makes room by itself; a failure would show in the count of entries.
        let _ = FLOOR.insert(tuple, State { last: now, packets: 1, bytes: bits as u64, seq, ack }, BPF_ANY as u64);
    }
}
