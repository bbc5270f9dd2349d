//! Who talks to whom: both directions of a connection share one key.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// One of a flow's two ends. `A` is the endpoint that is numerically lower by (address, port).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// The numerically lower endpoint.
    #[default]
    A = 0,
    /// The numerically higher endpoint.
    B = 1,
}

impl Side {
    /// The end with this index; only the lowest bit counts.
    #[inline(always)]
    pub const fn from_index(index: u8) -> Self {
        if index & 1 == 0 { Self::A } else { Self::B }
    }

    /// The opposite end.
    #[inline(always)]
    pub const fn other(self) -> Self {
        Self::from_index(self as u8 ^ 1)
    }
}

/// Where a packet was seen: interface and VLAN tags. Part of a flow's identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct LinkId {
    /// Interface index; 0 in a capture without one.
    pub ifindex: u32,
    /// IP version in the top byte (4 or 6), then the outer and the inner VLAN id, 12 bits each; 0 where untagged.
    pub version_vlans: u32,
}

impl LinkId {
    /// Packs the parts; `outer` and `inner` are VLAN ids (12 bits).
    #[inline(always)]
    pub const fn new(ifindex: u32, version: u8, outer: u16, inner: u16) -> Self {
        let vlans = ((outer as u32 & 0xfff) << 12) | (inner as u32 & 0xfff);
        Self { ifindex, version_vlans: ((version as u32) << 24) | vlans }
    }

    /// 4 or 6.
    pub const fn ip_version(self) -> u8 {
        (self.version_vlans >> 24) as u8
    }

    /// Outer and inner VLAN id; 0 where untagged.
    pub const fn vlans(self) -> (u16, u16) {
        ((self.version_vlans >> 12 & 0xfff) as u16, (self.version_vlans & 0xfff) as u16)
    }
}

/// An address as four 32-bit words in network order of words, host order of bytes; IPv4 is `[0, 0, 0xffff, address]`.
pub type Words = [u32; 4];

/// A flow's key: both ends in numeric order and the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Key {
    /// Address of end A.
    pub a: Words,
    /// Address of end B.
    pub b: Words,
    /// Port of A in the upper, of B in the lower half.
    pub ports: u32,
    /// Interface and VLAN.
    pub link: LinkId,
}

impl Key {
    /// Port of one end.
    pub const fn port(&self, side: Side) -> u16 {
        match side {
            Side::A => (self.ports >> 16) as u16,
            Side::B => self.ports as u16,
        }
    }

    /// Address words of one end.
    pub const fn addr(&self, side: Side) -> &Words {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }
}
