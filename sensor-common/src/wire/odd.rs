//! What a header has against itself: all that segments rarely have, a bit each.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Options, Packet};
use crate::{
    flow::TcpFlags,
    opaque::{keep, recall},
};

/// What is odd about a segment by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Odd(pub u8);

impl Odd {
    /// A combination of flags that no stack sets.
    pub const FLAGS: Self = Self(1);
    /// An option of an impossible length.
    pub const OPTIONS: Self = Self(2);
    /// An option that is there twice.
    pub const TWICE: Self = Self(4);
    /// The urgent pointer and its flag disagree.
    pub const URGENT: Self = Self(8);
    /// A reserved bit, AE apart (RFC 9768).
    pub const RESERVED: Self = Self(16);
    /// Payload on a reset, or on a SYN without Fast Open; or a SYN that acknowledges without the flag.
    pub const LOAD: Self = Self(32);
    /// Its ends are the same, or one has port 0. Known of a flow's first segment only.
    pub const ENDS: Self = Self(64);
    /// Fewer hops left than its service asks for (RFC 5082).
    pub const HOPS: Self = Self(128);

    /// Of the header's thirteenth and fourteenth byte: the reserved bits without AE, and URG, ACK, RST, SYN, FIN.
    pub(super) const HELD: u16 = 0x0e37;
    /// What nearly every segment has of them: ACK.
    pub(super) const USUAL: u16 = 0x0010;
    /// What a request for a connection has of them: SYN.
    pub(super) const REQUEST: u16 = 0x0002;

    /// Both sets together.
    #[inline(always)]
    pub const fn with(self, odd: Self) -> Self {
        Self(self.0 | odd.0)
    }

    /// Whether any of `bits` is set.
    #[inline(always)]
    pub const fn any(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// Adds `bits` where `present`; through memory, so that the kernel's verifier has one path to follow.
    #[inline(always)]
    pub fn add_if(&mut self, present: bool, bits: Self) {
        let bits = if present { bits.0 } else { 0 };
        let found = recall(&self.0);
        keep(&mut self.0, found | bits);
    }
}

impl TcpFlags {
    /// Flags that no stack sets together, and none at all: SYN goes with neither FIN nor RST, RST not with FIN, FIN not without ACK,
    /// and nothing without one of them (RFC 9293 §3.10.7).
    #[inline(always)]
    pub const fn is_illegal(self) -> bool {
        // A bit for each combination of FIN, SYN, RST, and ACK in place of PSH.
        let n = self.0 & 7 | (self.0 & Self::ACK.0) >> 1;
        // Legal: SYN, RST; with ACK also none and FIN.
        const LEGAL: u16 = 1 << 2 | 1 << 4 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 12;
        LEGAL >> n & 1 == 0
    }

    /// What a receiver takes notice of: a segment with SYN and FIN at once, or without SYN, RST and ACK, it drops (RFC 9293 §3.10.7.4).
    #[inline(always)]
    pub const fn is_heard(self) -> bool {
        let both = Self::SYN.0 | Self::FIN.0;
        self.any(Self::RST) || self.any(Self::SYN.with(Self::ACK)) && self.0 & both != both
    }
}

impl Packet {
    /// A connection request that has nothing against it.
    #[inline(always)]
    pub const fn is_plain_syn(&self) -> bool {
        self.flags.is_syn() && self.odd.0 == 0
    }

    /// Looks at what is not usual: `held` is the header's thirteenth and fourteenth byte, `urgent` its urgent pointer.
    #[inline(never)]
    pub(super) fn look(&mut self, held: u16, urgent: u16) {
        let flags = self.flags;
        self.odd.add_if(flags.is_illegal(), Odd::FLAGS);
        self.odd.add_if(flags.any(TcpFlags::URG) != (urgent != 0), Odd::URGENT);
        self.odd.add_if(held & Odd::HELD & 0xff00 != 0, Odd::RESERVED);
        let load = if flags.is_syn() {
            self.ack.0 != 0 || (self.len > 0 && !self.options.any(Options::FAST_OPEN))
        } else {
            self.len > 0 && flags.any(TcpFlags::RST)
        };
        self.odd.add_if(load, Odd::LOAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legal_are_the_flags_that_stacks_set() {
        let (fin, syn, rst, ack) = (TcpFlags::FIN, TcpFlags::SYN, TcpFlags::RST, TcpFlags::ACK);
        let legal = [syn, rst, ack, fin.with(ack), syn.with(ack), rst.with(ack)];
        for flags in 0..=255u8 {
            let held = flags & fin.with(syn).with(rst).with(ack).0;
            let expected = legal.iter().all(|legal| legal.0 != held);
            assert_eq!(TcpFlags(flags).is_illegal(), expected, "{flags:#04x}");
        }
    }

    #[test]
    fn what_is_legal_is_heard() {
        for flags in (0..=255u8).map(TcpFlags) {
            assert!(flags.is_illegal() || flags.is_heard(), "{flags:?}");
        }
        let xmas = TcpFlags::FIN.with(TcpFlags::PSH).with(TcpFlags::URG);
        let syn_fin = TcpFlags::SYN.with(TcpFlags::FIN).with(TcpFlags::ACK);
        assert!(!xmas.is_heard() && !syn_fin.is_heard() && !TcpFlags(0).is_heard());
        assert!(TcpFlags::RST.with(TcpFlags::FIN).is_heard());
    }
}
