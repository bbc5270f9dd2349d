//! The last segments that belong to no flow and open none, but for this host's own resets: who sent them. How many there were, the
//! counters say exactly.
//!
//! A ring for each CPU, written for strays only. Read once a second it holds each of up to [`STRAYS`], and of a flood its latest.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    flow::{Key, TcpFlags},
    opaque::hidden,
    wire::Packet,
};

/// How many are kept.
pub const STRAYS: usize = 64;

/// A segment without a flow: 52 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stray {
    /// Addresses, ports, interface and VLANs.
    pub key: Key,
    /// The raw window.
    pub win: u16,
    /// IPv4 identification; for IPv6 the flow label folded to 16 bits.
    pub ipid: u16,
    /// Header flags.
    pub flags: TcpFlags,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Who sent it, [`crate::flow::Side`] as a number.
    pub sender: u8,
    /// [`crate::event::Hook`] as a number.
    pub hook: u8,
}

/// The last ones.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Strays {
    /// How many there were in all; entry `n % 64` is the next to be written.
    pub n: u64,
    /// A ring.
    pub ring: [Stray; STRAYS],
}

impl Default for Strays {
    fn default() -> Self {
        Self { n: 0, ring: [Stray::default(); STRAYS] }
    }
}

impl Strays {
    /// Keeps one.
    #[inline(always)]
    pub(crate) fn keep(&mut self, packet: &Packet, hook: u8) {
        let slot = &mut self.ring[hidden(self.n as usize) & (STRAYS - 1)];
        self.n = self.n.wrapping_add(1);
        slot.key = packet.key;
        slot.win = packet.win;
        slot.ipid = packet.ipid;
        slot.flags = packet.flags;
        slot.ttl = packet.ttl;
        slot.sender = packet.sender() as u8;
        slot.hook = hook;
    }

    /// Those that came after the first `n`, the oldest first, as far as they are still there.
    pub fn since(&self, n: u64) -> impl Iterator<Item = &Stray> {
        let new = self.n.saturating_sub(n).min(STRAYS as u64);
        (self.n - new..self.n).map(|i| &self.ring[i as usize % STRAYS])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_come_in_order() {
        let mut strays = Strays::default();
        let mut packet = Packet::default();
        for win in 0..100 {
            packet.win = win;
            strays.keep(&packet, 0);
        }
        let since = |n| strays.since(n).map(|stray| stray.win).collect::<std::vec::Vec<_>>();
        assert_eq!(since(98), [98, 99]);
        assert_eq!(since(0), (36..100).collect::<std::vec::Vec<_>>(), "the latest of too many");
        assert!(since(100).is_empty() && since(500).is_empty());
    }
}
