//! What the benchmark's user space tells the feeder. Included by both, so that there is one layout.

/// 32-bit words of IPv4 and TCP header that a recipe has: 20 bytes each, and 20 of options.
pub(crate) const WORDS: usize = 15;

/// Bytes of the Ethernet header in front of them, the same in every frame.
pub(crate) const ETHERNET: usize = 14;

/// One frame, a cache line, so that reading the recipes costs every program alike and little.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Recipe {
    /// The headers in network byte order, as they lie in memory.
    pub(crate) headers: [u32; WORDS],
    /// By how much the sequence number grows from one lap to the next.
    pub(crate) seq_step: u8,
    /// By how much the acknowledgment number grows from one lap to the next.
    pub(crate) ack_step: u8,
    /// Whether the client's address and port change with each lap, and on which side of this frame they are: 0 no,
    /// [`SENT`] its source, [`RECEIVED`] its destination.
    pub(crate) scatter: u8,
    /// Keeps the record free of padding.
    pub(crate) reserved: u8,
}

/// The client sent it.
pub(crate) const SENT: u8 = 1;
/// The client receives it.
pub(crate) const RECEIVED: u8 = 2;

/// IPv4 behind an Ethernet header.
pub(crate) const PLAIN: u32 = 0;
/// The same behind a VLAN tag.
pub(crate) const VLAN: u32 = 1;
/// IPv6. A recipe's first word is length, next header and hop limit; of the addresses it has the last 32 bits.
pub(crate) const IPV6: u32 = 2;

/// Where in the frame a word goes; `None` if this layout has no place for it.
#[inline(always)]
pub(crate) const fn place(layout: u32, index: usize) -> Option<usize> {
    match (layout, index) {
        (VLAN, _) => Some(ETHERNET + 4 + index * 4),
        (IPV6, 0) => Some(ETHERNET + 4),
        (IPV6, IPID | TTL) => None,
        (IPV6, SOURCE) => Some(ETHERNET + 8 + 12),
        (IPV6, DESTINATION) => Some(ETHERNET + 24 + 12),
        (IPV6, _) => Some(ETHERNET + 40 + (index - PORTS) * 4),
        _ => Some(ETHERNET + index * 4),
    }
}

/// Identification, flags and fragment offset; TTL and protocol; the two addresses and ports; sequence, acknowledgment, timestamp value.
const IPID: usize = 1;
const TTL: usize = 2;
pub(crate) const SOURCE: usize = 3;
pub(crate) const DESTINATION: usize = 4;
pub(crate) const PORTS: usize = 5;
const SEQ: usize = 6;
const ACK: usize = 7;
const TSVAL: usize = 11;

/// Spreads laps over addresses (an odd number: 2^32 laps, 2^32 addresses).
const SPREAD: u32 = 0x9e37_79b1;

impl Recipe {
    /// The word at `index` in a lap, as it lies in memory.
    #[inline(always)]
    pub(crate) fn word(&self, index: usize, lap: u32) -> u32 {
        let grown = |by: u32| u32::from_be(self.headers[index]).wrapping_add(by).to_be();
        let spread = |side: u8| if self.scatter == side { lap.wrapping_mul(SPREAD) } else { 0 };
        match index {
            // Its upper half in network order; what runs over is lost, as it should.
            IPID => grown(lap << 16),
            SOURCE => self.headers[index] ^ spread(SENT),
            DESTINATION => self.headers[index] ^ spread(RECEIVED),
            // Of the client's port, all but the highest bit: there is no port 0.
            PORTS => self.headers[index] ^ (spread(SENT) & 0xff7f) ^ ((spread(RECEIVED) & 0xff7f) << 16),
            SEQ => grown(lap.wrapping_mul(self.seq_step as u32)),
            ACK => grown(lap.wrapping_mul(self.ack_step as u32)),
            TSVAL => grown(lap),
            _ => self.headers[index],
        }
    }
}

/// Where the feeder stands. It takes the recipes from `first` up to `end` again and again.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Feed {
    /// The next recipe.
    pub(crate) next: u32,
    /// The first recipe of a lap.
    pub(crate) first: u32,
    /// The recipe after the last of a lap.
    pub(crate) end: u32,
    /// Laps done. Numbers grow with it, so that a repeated recipe is no retransmission.
    pub(crate) lap: u32,
}

/// A counter that shares its cache line with nothing.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line {
    /// So many.
    pub(crate) count: u64,
    /// Keeps the record free of padding.
    pub(crate) reserved: [u64; 7],
}
