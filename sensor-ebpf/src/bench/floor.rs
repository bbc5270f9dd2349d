//! Floors: what a program costs that does the least any flow tracker does.

use aya_ebpf::{bindings::BPF_ANY, helpers::generated::bpf_ktime_get_ns};

use crate::{
    buckets, layout,
    maps::{FLOOR, FLOOR_ARRAY},
    recipe::{DESTINATION, IPV6, PLAIN, PORTS, SOURCE, VLAN, place},
};

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

/// Ethernet, IPv4 without options or IPv6, TCP: plain loads. Of an IPv6 address the last 32 bits stand for the whole, which
/// favours the floor.
#[inline(always)]
pub(crate) fn parse(start: usize, end: usize) -> Option<Fields> {
    match layout() {
        VLAN => fields::<VLAN>(start, end),
        IPV6 => fields::<IPV6>(start, end),
        _ => fields::<PLAIN>(start, end),
    }
}

#[inline(always)]
fn fields<const LAYOUT: u32>(start: usize, end: usize) -> Option<Fields> {
    let (source, destination, tcp) = const { (at(LAYOUT, SOURCE), at(LAYOUT, DESTINATION), at(LAYOUT, PORTS)) };
    if start + tcp + 20 > end {
        return None;
    }
    // SAFETY: the packet reaches to the end of TCP's header, as was checked.
    let word = |at: usize| u32::from_be(unsafe { ((start + at) as *const u32).read_volatile() });
    // SAFETY: as above.
    let half = |at: usize| u16::from_be(unsafe { ((start + at) as *const u16).read_volatile() });
    let (ours, length) = match LAYOUT {
        IPV6 => (half(12) == 0x86dd && half(20) >> 8 == 6, half(18)),
        VLAN => (half(12) == 0x8100 && half(16) == 0x0800 && half(18) >> 8 == 0x45 && half(26) & 0xff == 6, half(20)),
        _ => (half(12) == 0x0800 && half(14) >> 8 == 0x45 && half(22) & 0xff == 6, half(16)),
    };
    if !ours {
        return None;
    }
    Some(Fields {
        source: word(source),
        destination: word(destination),
        ports: word(tcp),
        seq: word(tcp + 4),
        ack: word(tcp + 8),
        bits: word(tcp + 12) ^ length as u32,
    })
}

/// Where a word lies that every layout has.
const fn at(layout: u32, index: usize) -> usize {
    match place(layout, index) {
        Some(at) => at,
        None => 0,
    }
}

impl Fields {
    /// The flow, both directions alike.
    #[inline(always)]
    fn tuple(&self) -> Tuple {
        let Self { source, destination, ports, .. } = *self;
        if source < destination {
            Tuple { lower: source, upper: destination, ports, protocol: 6 }
        } else {
            Tuple { lower: destination, upper: source, ports: ports.rotate_left(16), protocol: 6 }
        }
    }
}

/// A fine clock and an LRU hash map: look up, make if new, write through the pointer.
#[inline(always)]
pub(crate) fn track(fields: &Fields) {
    // SAFETY: the helper takes nothing and cannot fail.
    let now = unsafe { bpf_ktime_get_ns() };
    let Fields { seq, ack, bits, .. } = *fields;
    let tuple = fields.tuple();
    if let Some(state) = FLOOR.get_ptr_mut(tuple) {
        // SAFETY: an element of the map; the kernel keeps its memory until this program has returned.
        let state = unsafe { &mut *state };
        *state = State { last: now, packets: state.packets + 1, bytes: state.bytes + bits as u64, seq, ack };
    } else {
        // A full map makes room by itself; a failure would show in the count of entries.
        let _ = FLOOR.insert(tuple, State { last: now, packets: 1, bytes: bits as u64, seq, ack }, BPF_ANY as u64);
    }
}

/// Places a bucket of the table in an array map.
const WAYS: usize = 4;

/// One flow of that table; no packets stand for an empty place.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Place {
    tuple: Tuple,
    state: State,
}

/// A bucket.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Places([Place; WAYS]);

/// A fine clock and a set-associative table in an array map: the same key and state, without a list to keep and without a lock.
/// Whoever finds no place takes that of the flow idle longest.
#[inline(always)]
pub(crate) fn track_in_array(fields: &Fields) {
    // SAFETY: the helper takes nothing and cannot fail.
    let now = unsafe { bpf_ktime_get_ns() };
    let Fields { seq, ack, bits, .. } = *fields;
    let tuple = fields.tuple();
    let mixed = (tuple.lower as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        ^ (tuple.upper as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f)
        ^ (tuple.ports as u64).wrapping_mul(0x1656_67b1_9e37_79f9);
    let Some(places) = FLOOR_ARRAY.get_ptr_mut((mixed >> 32) as u32 & buckets()) else { return };
    // SAFETY: an element of an array map; two CPUs may write it, and what is in it is judged by nobody.
    let Places([a, b, c, d]) = unsafe { &mut *places };
    let is = |place: &Place| {
        let Tuple { lower, upper, ports, .. } = place.tuple;
        lower == tuple.lower && upper == tuple.upper && ports == tuple.ports
    };
    let place = if is(a) {
        a
    } else if is(b) {
        b
    } else if is(c) {
        c
    } else if is(d) {
        d
    } else {
        let older = |a: &'static mut Place, b: &'static mut Place| if b.state.last < a.state.last { b } else { a };
        let oldest = older(older(a, b), older(c, d));
        *oldest = Place { tuple, state: State { last: 0, packets: 0, bytes: 0, seq: 0, ack: 0 } };
        oldest
    };
    let State { packets, bytes, .. } = place.state;
    place.state = State { last: now, packets: packets + 1, bytes: bytes + bits as u64, seq, ack };
}
