//! The packet cursor: bounds checks that the verifier understands.

use aya_ebpf::programs::{TcContext, XdpContext};
use sensor_common::wire::Frame;

/// Bytes of headers that the parser may want in one piece: Ethernet, two tags, IPv6 with a small extension, TCP with options.
const HEADERS: u32 = 14 + 8 + 40 + 24 + 60;

/// The linear part of a packet.
pub(crate) struct Cursor {
    start: usize,
    end: usize,
    wire_len: usize,
}

impl Cursor {
    #[inline(always)]
    pub(crate) fn of_xdp(ctx: &XdpContext) -> Self {
        let (start, end) = (ctx.data(), ctx.data_end());
        Self { start, end, wire_len: end - start }
    }

    /// Makes the headers linear where they are not, which moves bytes and changes none.
    #[inline(always)]
    pub(crate) fn of_tc(ctx: &TcContext) -> Self {
        let len = ctx.len();
        if ((ctx.data_end() - ctx.data()) as u32) < HEADERS && (ctx.data_end() - ctx.data()) as u32 != len {
            // A failure leaves the packet as it is, and the parser finds it cut short.
            let _ = ctx.pull_data(if len < HEADERS { len } else { HEADERS });
        }
        Self { start: ctx.data(), end: ctx.data_end(), wire_len: len as usize }
    }
}

impl Frame for Cursor {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        // A check for a single byte is folded into a form that the verifier refuses.
        const { assert!(N >= 2) };
        let at = self.start + offset;
        if at + N > self.end {
            return None;
        }
        // SAFETY: `at..at + N` lies within the packet, as just checked; the verifier checks it again.
        Some(unsafe { &*(at as *const [u8; N]) })
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
