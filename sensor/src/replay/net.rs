//! Networks, and which frames come from them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use sensor_common::event::Hook;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: [u16; 2] = [0x8100, 0x88a8];

/// An address or a network. IPv4 is kept as IPv6, mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Net {
    bits: u128,
    mask: u128,
}

impl Net {
    /// A single address, in the form of [`ends`].
    pub(super) const fn address(bits: u128) -> Self {
        Self { bits, mask: u128::MAX }
    }

    /// Whether an address is in it.
    pub fn contains(self, address: IpAddr) -> bool {
        self.has(match address {
            IpAddr::V4(address) => mapped(address.to_bits()),
            IpAddr::V6(address) => address.to_bits(),
        })
    }

    const fn has(self, address: u128) -> bool {
        (self.bits ^ address) & self.mask == 0
    }
}

impl FromStr for Net {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().map_err(|_| format!("`{address}` is no IP address"))?;
        let (bits, most) = match address {
            IpAddr::V4(address) => (mapped(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let length = length.map_or(Some(most), |length| length.parse().ok().filter(|length| *length <= most));
        let length = length.ok_or_else(|| format!("a prefix length is a number up to {most}"))?;
        let mask = u128::MAX.checked_shl(most - length).unwrap_or(0) | if most == 32 { !0 << 32 } else { 0 };
        Ok(Self { bits: bits & mask, mask })
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.bits);
        let length = self.mask.leading_ones();
        match address.to_ipv4_mapped() {
            Some(address) if length == 128 => write!(f, "{address}"),
            Some(address) if length >= 96 => write!(f, "{address}/{}", length - 96),
            _ if length == 128 => write!(f, "{address}"),
            _ => write!(f, "{address}/{length}"),
        }
    }
}

/// Which hook would have seen a frame on a host with these addresses.
#[inline]
pub(super) fn hook(local: &[Net], frame: &[u8]) -> Hook {
    if local.is_empty() {
        return Hook::Observer;
    }
    let Some(ends) = ends(frame) else { return Hook::Observer };
    let [from, to] = ends.map(|end| local.iter().any(|net| net.has(end)));
    match (from, to) {
        (true, false) => Hook::Egress,
        (false, true) => Hook::Ingress,
        _ => Hook::Observer,
    }
}

/// Source and destination of an IP packet.
fn ends(frame: &[u8]) -> Option<[u128; 2]> {
    let mut at = 12;
    while VLAN.contains(&be16(frame, at)?) && at < 20 {
        at += 4;
    }
    let ip = at + 2;
    match be16(frame, at)? {
        IPV4 => {
            let end = |at: usize| Some(mapped(u32::from_be_bytes(*frame.get(at..)?.first_chunk()?)));
            Some([end(ip + 12)?, end(ip + 16)?])
        }
        IPV6 => {
            let end = |at: usize| Some(u128::from_be_bytes(*frame.get(at..)?.first_chunk()?));
            Some([end(ip + 8)?, end(ip + 24)?])
        }
        _ => None,
    }
}

const fn mapped(address: u32) -> u128 {
    Ipv4Addr::from_bits(address).to_ipv6_mapped().to_bits()
}

fn be16(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*frame.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    #[test]
    fn networks_read_and_write() {
        for text in ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "0.0.0.0/0", "::/0"] {
            assert_eq!(net(text).to_string(), text);
        }
        assert_eq!(net("10.1.2.3/8"), net("10.0.0.0/8"));
        for text in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }

    #[test]
    fn frames_are_placed_by_their_addresses() {
        let mut frame = [&[0; 12][..], &[8, 0], &[0; 12], &[10, 0, 0, 1], &[192, 0, 2, 1]].concat();
        let at = |local: &[Net], frame: &[u8]| hook(local, frame);
        assert_eq!(at(&[], &frame), Hook::Observer);
        assert_eq!(at(&[net("10.0.0.0/8")], &frame), Hook::Egress);
        assert_eq!(at(&[net("192.0.2.1")], &frame), Hook::Ingress);
        assert_eq!(at(&[net("0.0.0.0/0")], &frame), Hook::Observer);
        assert_eq!(at(&[net("::/0")], &frame), Hook::Observer, "both ends are in it");
        assert_eq!(at(&[net("10.0.0.0/8")], &frame[..30]), Hook::Observer);
        frame.splice(12..12, [0x81, 0, 0, 5]);
        assert_eq!(at(&[net("10.0.0.0/8")], &frame), Hook::Egress);
    }
}
