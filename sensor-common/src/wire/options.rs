//! TCP options (RFC 9293 §3.1, RFC 7323, RFC 7413, RFC 2018).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{Frame, Packet, frame::be32};
use crate::opaque::recall;

/// Which options a segment carries, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Options(pub u8);

impl Options {
    /// Maximum segment size.
    pub const MSS: Self = Self(1);
    /// Window scale.
    pub const WSCALE: Self = Self(2);
    /// SACK permitted.
    pub const SACK: Self = Self(4);
    /// Timestamps.
    pub const TIMESTAMPS: Self = Self(8);
    /// Fast Open.
    pub const FAST_OPEN: Self = Self(16);
    /// MD5 signature or authentication option.
    pub const AUTH: Self = Self(32);
    /// The IPv4 header's DF bit: kept here because every segment has it.
    pub const DONT_FRAGMENT: Self = Self(64);
    /// An option's length is impossible.
    pub const MALFORMED: Self = Self(128);

    /// Whether any of `options` is present.
    #[inline(always)]
    pub const fn any(self, options: Self) -> bool {
        self.0 & options.0 != 0
    }
}

/// The longest option list: data offset 15 less the fixed header.
pub(super) const MAX_OPTIONS: usize = 40;

/// The option list at hand. Part of the packet's memory, not on the stack, so that the kernel's verifier knows nothing of what is
/// read back from it and can merge its paths at each position.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OptionList {
    /// The options, with room behind them, so that a value can be read at every position without a further check.
    bytes: [u8; MAX_OPTIONS + 5],
    /// Bytes of the list that are there.
    end: u8,
    /// Bytes to skip to the next option.
    skip: u8,
    /// Options that few requests carry, of a SYN: none of the constants is 0; more than one come to [`OptionList::OTHER`].
    pub rare: u8,
}

impl OptionList {
    /// Fast Open (RFC 7413).
    pub const FAST_OPEN: u8 = 1;
    /// Multipath TCP (RFC 8684).
    pub const MULTIPATH: u8 = 2;
    /// One that this parser does not know, or several rare ones.
    pub const OTHER: u8 = 3;
}

impl Default for OptionList {
    fn default() -> Self {
        Self { bytes: [0; MAX_OPTIONS + 5], end: 0, skip: 0, rare: 0 }
    }
}

/// Walks the `len` bytes of options at `offset`. Bounded: one pass over at most 40 bytes, position by position.
#[inline(never)]
pub(super) fn walk<F: Frame>(frame: &F, offset: usize, len: usize, packet: &mut Packet) {
    let list = &mut packet.list;
    list.end = 0;
    list.skip = 0;
    let mut at = 0;
    while at < MAX_OPTIONS && at < len {
        let Some(word) = frame.bytes::<4>(offset + at) else { break };
        list.bytes[at] = word[0];
        list.bytes[at + 1] = word[1];
        list.bytes[at + 2] = word[2];
        list.bytes[at + 3] = word[3];
        at += 4;
        list.end = at as u8;
    }
    for at in 0..MAX_OPTIONS {
        let end = recall(&list.end) as usize;
        if at >= end {
            break;
        }
        let skip = recall(&list.skip);
        if skip > 0 {
            list.skip = skip - 1;
            continue;
        }
        let kind = list.bytes[at];
        if kind == 0 {
            break;
        }
        if kind == 1 {
            continue;
        }
        let size = recall(&list.bytes[at + 1]);
        if size < 2 || at + size as usize > end {
            packet.options.0 |= Options::MALFORMED.0;
            break;
        }
        list.skip = size - 1;
        let found = match (kind, size) {
            (2, 4) => Options::MSS,
            (3, 3) => {
                packet.wscale = list.bytes[at + 2];
                Options::WSCALE
            }
            (4, 2) => Options::SACK,
            (8, 10) => {
                let value = [list.bytes[at + 2], list.bytes[at + 3], list.bytes[at + 4], list.bytes[at + 5]];
                packet.tsval = u32::from_be_bytes(value);
                Options::TIMESTAMPS
            }
            (34, _) => {
                list.rare |= OptionList::FAST_OPEN;
                Options::FAST_OPEN
            }
            (19 | 29, _) => Options::AUTH,
            (2 | 3 | 4 | 8, _) => Options::MALFORMED,
            (5, _) => Options(0),
            (30, _) => {
                list.rare |= OptionList::MULTIPATH;
                Options(0)
            }
            _ => {
                list.rare |= OptionList::OTHER;
                Options(0)
            }
        };
        packet.options.0 |= found.0;
    }
}

/// Reads the options of a SYN in the layout that Linux gives them (MSS, SACK, timestamps, padding, window scale) without a walk;
/// false if it is another.
#[inline(always)]
pub(super) fn common_syn<F: Frame>(frame: &F, offset: usize, len: usize, packet: &mut Packet) -> bool {
    if len != 20 {
        return false;
    }
    let Some(list) = frame.bytes::<20>(offset) else { return false };
    let known = be32(list, 0) >> 16 == 0x0204 && be32(list, 4) == 0x0402_080a && be32(list, 16) >> 8 == 0x01_0303;
    if known {
        let all = Options::MSS.0 | Options::SACK.0 | Options::TIMESTAMPS.0 | Options::WSCALE.0;
        packet.options.0 |= all;
        packet.tsval = be32(list, 8);
        packet.wscale = list[19];
    }
    known
}

/// The timestamp value of the layout that stacks use on established connections (RFC 7323 appendix A), if it is that one.
#[inline(always)]
pub(super) fn aligned_timestamp<F: Frame>(frame: &F, offset: usize) -> Option<u32> {
    let list = frame.bytes::<12>(offset)?;
    (be32(list, 0) == 0x0101_080a).then(|| be32(list, 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Slice;

    fn walked(list: &[u8]) -> Packet {
        let mut packet = Packet::default();
        walk(&Slice::new(list, list.len()), 0, list.len(), &mut packet);
        packet
    }

    #[test]
    fn linux_syn() {
        let w = walked(&[2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7]);
        assert_eq!(w.options.0, Options::MSS.0 | Options::SACK.0 | Options::TIMESTAMPS.0 | Options::WSCALE.0);
        assert_eq!((w.wscale, w.tsval), (7, 0x0102_0304));
    }

    #[test]
    fn the_short_cut_agrees_with_the_walk() {
        let list = [2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7];
        let mut packet = Packet::default();
        assert!(common_syn(&Slice::new(&list, 20), 0, 20, &mut packet));
        let walked = walked(&list);
        assert_eq!((packet.options, packet.wscale, packet.tsval), (walked.options, walked.wscale, walked.tsval));
        for i in (0..8).chain([16, 17, 18]).filter(|&i| i != 2 && i != 3) {
            let mut other = list;
            other[i] ^= 1;
            assert!(!common_syn(&Slice::new(&other, 20), 0, 20, &mut packet), "byte {i}");
        }
    }

    #[test]
    fn impossible_lengths_end_the_walk() {
        for list in [[2, 0, 0, 0], [2, 1, 0, 0], [3, 5, 7, 0], [8, 4, 0, 0]] {
            assert_eq!(walked(&list).options.0, Options::MALFORMED.0, "{list:?}");
        }
        assert_eq!(walked(&[1, 1, 1, 8]).options.0, Options::MALFORMED.0, "kind without a length");
    }

    #[test]
    fn an_end_marker_ends_it() {
        assert_eq!(walked(&[0, 2, 4, 5]).options.0, 0);
    }
}
