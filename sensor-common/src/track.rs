//! The state machine: what a flow learns from each segment. Nothing here judges, and nothing learns from a reset.

use zerocopy::{FromBytes, IntoBytes};

use crate::{
    flow::{
        Bits, End, Extra, Flow, HeadBits, RECORDED, Reset, Segment, Side, TcpFlags, Watch,
        history::{PURE_ACK, is_pure_ack},
    },
    seq::SeqNumber,
    table::Worth,
    time::{Stamp, millis, stamp_nanos},
    wire::{Options, Packet},
};

/// The least round trip that is trusted as a measure of distance: below it scheduling noise rules.
pub const MIN_TRUSTED_RTT: u32 = 1953;
/// IP-ID of ZMap's probes.
const ZMAP_IPID: u16 = 54321;
const _: () = assert!(stamp_nanos(MIN_TRUSTED_RTT) >= 1_999_000 && stamp_nanos(MIN_TRUSTED_RTT) <= 2_001_000);

/// The ends of a flow as a packet sees them: its sender's, then the other's.
#[inline(always)]
pub fn ends(flow: &mut Flow, sender: usize) -> (&mut End, &mut End) {
    let ends = flow.ends.as_mut_ptr();
    let index = sender & 1;
    // SAFETY: the two indices are 0 and 1 in either order, so both lie within the array and do not overlap. Spelled out because
    // a match on the side makes the kernel's verifier, and the branch predictor, take two paths.
    unsafe { (&mut *ends.add(index), &mut *ends.add(index ^ 1)) }
}

/// Starts a connection on an entry whose contents are stale: `first` is its first segment.
#[inline(always)]
pub fn begin(flow: &mut Flow, first: &Packet, now: u64) {
    forget(flow, 0, now);
    forget(flow, 1, now);
    open(flow, first, now);
}

/// Forgets what one side's memory holds. The recorder is left as it is, uncounted: a flood of connections would have to fetch its
/// lines for nothing.
#[inline(always)]
pub fn forget(flow: &mut Flow, end: usize, now: u64) {
    clear(&mut flow.ends[end & 1]);
    // Nothing was before: the first segment's own time stands.
    flow.ends[end & 1].last = Stamp(Stamp::of(now).0.wrapping_sub(1));
    flow.tails[end & 1].reset = Reset::default();
}

/// Starts the head of a connection.
#[inline(always)]
pub fn open(flow: &mut Flow, first: &Packet, now: u64) {
    flow.head.first = millis(now);
    flow.head.closed = 0;
    flow.head.how = 0;
    flow.head.told = 0;
    flow.head.watch = Watch::EMBRYONIC;
    flow.head.bits.0 &= HeadBits::LOCAL_A.0 | HeadBits::LOCAL_B.0 | HeadBits::TOMBSTONE.0;
    let client = if first.flags.is_syn() {
        first.side()
    } else if first.flags.is_syn_ack() {
        first.side().other()
    } else {
        return;
    };
    flow.head.bits.set(HeadBits::HANDSHAKE);
    if let Side::B = client {
        flow.head.bits.set(HeadBits::CLIENT_B);
    }
}

/// Begins a new connection of the same addresses and ports; the old one's final numbers stay as a tombstone.
#[inline(never)]
pub fn renew(flow: &mut Flow, extra: &mut Extra, first: &Packet, now: u64) {
    clear(extra);
    flow.head.tomb_nxt = [flow.ends[0].nxt, flow.ends[1].nxt];
    flow.head.bits.set(HeadBits::TOMBSTONE);
    let (closed, how) = (flow.head.closed, flow.head.how);
    begin(flow, first, now);
    flow.head.closed = closed;
    flow.head.how = how;
}

/// Zeroes a part of a flow, word by word: a single assignment becomes a call to a byte loop on the BPF target.
#[inline(always)]
pub fn clear<T: FromBytes + IntoBytes>(part: &mut T) {
    const { assert!(align_of::<T>() == 8) };
    let words = core::ptr::from_mut(part).cast::<u64>();
    for i in 0..size_of::<T>() / 8 {
        // SAFETY: in bounds and aligned, and any bytes are valid for the part.
        unsafe { words.add(i).write_volatile(0) };
    }
}

/// What one side's first segment teaches, or its SYN.
#[inline(always)]
pub fn introduce(end: &mut End, packet: &Packet) {
    end.isn = packet.seq;
    end.nxt = packet.seq;
    end.ack = packet.ack;
    end.windows = packet.win as u64;
    end.max_window = packet.win as u32;
    end.ttl = packet.ttl;
    end.ttl_n = 0;
    end.ttl_alt = 0;
    end.alt_n = 0;
    end.ipid = packet.ipid.wrapping_sub(1);
    end.tos = packet.tos & !End::MARKS;
    end.mac = packet.mac;
    end.bits.0 = 0;
    if packet.options.any(Options::DONT_FRAGMENT) {
        end.bits.set(Bits::DF);
    }
    if packet.flags.any(TcpFlags::SYN) {
        end.bits.set(Bits::ISN);
        if packet.flags.is_syn() {
            end.tos |= packet.rare() & End::MARKS;
        }
        if packet.options.any(Options::WSCALE) {
            end.bits.set(Bits::WSCALE);
            end.wscale = if packet.wscale > 14 { 14 } else { packet.wscale };
        }
        if packet.ipid == ZMAP_IPID {
            end.wscale |= End::ZMAP;
        }
        if packet.options.any(Options::TIMESTAMPS) {
            end.bits.set(Bits::TIMESTAMPS);
        }
        let ecn = packet.flags.0 & (TcpFlags::ECE.0 | TcpFlags::CWR.0);
        let wanted = if packet.flags.any(TcpFlags::ACK) { TcpFlags::ECE.0 } else { TcpFlags::ECE.0 | TcpFlags::CWR.0 };
        if ecn == wanted {
            end.bits.set(Bits::ECN);
        }
    }
}

/// What a recorded SYN teaches of a side whose state was cleared after it. Its options are gone.
#[inline(always)]
pub fn resume(end: &mut End, syn: &Segment) {
    end.isn = syn.seq;
    end.nxt = syn.end();
    end.nxt_at = syn.time;
    end.last = syn.time;
    end.windows = syn.win as u64;
    end.max_window = syn.win as u32;
    end.ipid = syn.ipid;
    end.ttl = syn.ttl;
    end.flags = syn.flags;
    end.bits = Bits::ISN;
}

/// Advances the sender's numbers. `familiar` is false for a segment from an unexpected distance: its sequence numbers count,
/// its IP-ID and window do not. Returns whether it began in bytes already sent.
#[inline(always)]
pub fn advance(d: &mut End, packet: &Packet, at: Stamp, familiar: bool) -> bool {
    let end = packet.end();
    let behind = packet.seq.before(d.nxt);
    if packet.len > 0 {
        if d.data != 0 && packet.seq.0 != d.isn.0.wrapping_add(1) && end.after(d.nxt) {
            d.wscale |= End::SEVERAL;
        }
        d.data = d.data.saturating_add(1);
        if packet.tos & End::MARKS != 0 {
            d.tos |= packet.tos & End::MARKS;
        }
    }
    if end.after(d.nxt) {
        d.nxt = end;
        d.nxt_at = at;
    }
    if packet.flags.any(TcpFlags::ACK) && (packet.ack.after(d.ack) || !d.flags.any(TcpFlags::ACK)) {
        d.ack = packet.ack;
        d.ack_at = at;
    }
    d.flags = d.flags.with(packet.flags);
    if is_pure_ack(packet) {
        d.flags = d.flags.with(PURE_ACK);
    }
    if packet.tsval != 0 {
        d.tsval = packet.tsval;
    }
    if familiar {
        if packet.win != d.windows as u16 {
            d.windows = d.windows << 16 | packet.win as u64;
        }
        let scaled = (packet.win as u32) << scale(d, packet.flags);
        if scaled > d.max_window {
            d.max_window = scaled;
        }
        let step = packet.ipid.wrapping_sub(d.ipid);
        d.ipid = packet.ipid;
        if step.wrapping_sub(1) < 64 {
            d.ipid_steps = d.ipid_steps.saturating_add(1);
        } else {
            d.ipid_jumps = d.ipid_jumps.saturating_add(1);
        }
        if packet.ttl == d.ttl {
            d.ttl_n = d.ttl_n.saturating_add(1);
        }
    }
    behind
}

/// The shift that applies to a segment's window: none on SYN, and only if both sides offered it (RFC 7323 §2.2).
#[inline(always)]
pub fn scale(d: &End, flags: TcpFlags) -> u32 {
    if flags.any(TcpFlags::SYN) || !d.bits.any(Bits::SCALED) {
        0
    } else {
        // Never above 14, as stored; the mask says so to the verifier.
        (d.wscale & 15) as u32
    }
}

/// Enters a segment into its sender's recorder. The entry is written before it is counted.
#[inline(always)]
pub fn record(flow: &mut Flow, sender: usize, segment: &Segment) {
    let index = sender & 1;
    let end = &mut flow.ends[index];
    let slot = end.segments as usize % RECORDED;
    end.segments = end.segments.wrapping_add(1);
    end.last = segment.time;
    flow.tails[index].recorder[slot] = *segment;
}

/// Whether both sides' numbers agree: each acknowledged something that the other sent. A blind spoofer cannot bring this about.
#[inline(always)]
pub fn agree(d: &End, r: &End) -> bool {
    acknowledges(d, r) && acknowledges(r, d)
}

/// Whether `d` acknowledged something that `r` sent; a SYN must have been acknowledged itself.
#[inline(always)]
fn acknowledges(d: &End, r: &End) -> bool {
    let least = if r.bits.any(Bits::ISN) { 1 } else { 0 };
    d.flags.any(TcpFlags::ACK) && d.ack.since(r.isn) >= least && !d.ack.after(r.nxt)
}

/// What a flow is worth to the table.
#[inline(always)]
pub fn worth(flow: &Flow) -> Worth {
    if flow.head.watch.any(Watch::EMBRYONIC) {
        Worth::Embryonic
    } else if flow.head.closed != 0 {
        Worth::Closed
    } else if flow.ends[0].data == 0 && flow.ends[1].data == 0 {
        Worth::Silent
    } else {
        Worth::Established
    }
}

/// Notes that a side closed, by FIN or RST; the first to do so is remembered as such.
#[inline(always)]
pub fn close(flow: &mut Flow, sender: usize, flag: TcpFlags) {
    let first = if flow.head.how == 0 { 8 } else { 0 };
    let how = (flag.0 & (TcpFlags::FIN.0 | TcpFlags::RST.0)) | first;
    flow.head.how |= how << (4 * (sender & 1));
}

/// What is longer is no round trip (275 s); sums of a few never wrap.
const LONGEST: u32 = 1 << 28;

/// A measured round trip, if it beats the least so far. Units of 1.024 µs.
#[inline(always)]
pub fn round_trip(end: &mut End, units: u32) {
    if end.min_rtt == 0 || units < end.min_rtt {
        end.min_rtt = units.clamp(1, LONGEST);
    }
}

/// Whether `seq` lies in `[low, high]`.
#[inline(always)]
pub fn within(seq: SeqNumber, low: SeqNumber, high: SeqNumber) -> bool {
    seq.since(low) >= 0 && high.since(seq) >= 0
}
