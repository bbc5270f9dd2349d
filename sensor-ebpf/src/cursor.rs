//! The packet cursor: bounds checks that the verifier understands.

use aya_ebpf::programs::{TcContext, XdpContext};
use sensor_common::wire::Frame;

/// Bytes of headers that the parser may want in one piece: Ethernet, two tags, IPv6 with a small extension, TCP with options.
const HEADERS: u32 = 14 + 8 + 40 + 24 + 60;

/// The linear part of a packet.
pub(crate) struct Cursor {
    start: *const u8,
    end: *const u8,
    wire_len: usize,
}

impl Cursor {
    #[inline(always)]
    pub(crate) fn of_xdp(ctx: &XdpContext) -> Self {
        let (start, end) = (ctx.data(), ctx.data_end());
        Self { start: start as *const u8, end: end as *const u8, wire_len: end - start }
    }

    /// Makes the headers linear where they are not, which moves bytes and changes none.
    #[inline(always)]
    pub(crate) fn of_tc(ctx: &TcContext) -> Self {
        let len = ctx.len();
        let linear = (ctx.data_end() - ctx.data()) as u32;
        if linear < HEADERS && linear != len {
            // A failure leaves the packet as it is, and the parser finds it cut short.
            let _ = ctx.pull_data(if len < HEADERS { len } else { HEADERS });
        }
        let skb = ctx.skb.skb;
        // SAFETY: a valid __sk_buff. Read anew whether it was pulled or not, so that the verifier has one path behind this.
        let (start, end) =
            unsafe { ((&raw const (*skb).data).read_volatile(), (&raw const (*skb).data_end).read_volatile()) };
        Self { start: start as usize as *const u8, end: end as usize as *const u8, wire_len: len as usize }
    }
}

impl Frame for Cursor {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        // A check for a single byte is folded into a form that the verifier refuses.
        const { assert!(N >= 2) };
        // Pointers, not integers: of the latter the compiler would subtract from the packet's end, which the verifier forbids.
        let at = self.start.wrapping_add(offset);
        if at.wrapping_add(N) > self.end {
            return None;
        }
        // SAFETY: `at..at + N` lies within the packet, as just checked; the verifier checks it again.
        Some(unsafe { &*at.cast::<[u8; N]>() })
    }

    #[inline(always)]
    fn wire_len(&self) -> usize {
        self.wire_len
    }
}

/// Interface index, and the VLAN id that was taken out of the packet.
#[inline(always)]
pub(crate) fn link(ctx: &TcContext) -> (u32, u16) {
    let skb = ctx.skb.skb;
    // SAFETY: the kernel hands every classifier a valid __sk_buff.
    let (ifindex, present, tci) = unsafe { ((*skb).ifindex, (*skb).vlan_present, (*skb).vlan_tci) };
    (ifindex, if present != 0 { (tci & 0xfff) as u16 } else { 0 })
}
