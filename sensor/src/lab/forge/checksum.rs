//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

use super::{TCP, octets};

/// Over parts that each, but the last, have an even length.
pub(super) fn internet(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = parts
        .iter()
        .flat_map(|part| part.chunks(2))
        .map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Over a TCP header with its payload and the pseudo header (RFC 9293 §3.1, RFC 8200 §8.1: the same sum).
pub(super) fn tcp(source: IpAddr, destination: IpAddr, tcp: &[u8]) -> u16 {
    let length = (tcp.len() as u32).to_be_bytes();
    internet(&[&octets(source), &octets(destination), &length, &[0, 0, 0, TCP], tcp])
}

#[cfg(test)]
mod tests {
    use super::internet;

    #[test]
    fn the_example_of_the_rfc() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(internet(&[&bytes]), !0xddf2);
        assert_eq!(internet(&[&bytes[..4], &bytes[4..]]), !0xddf2);
        assert_eq!(internet(&[&[0xff]]), 0x00ff);
    }
}
