//! Link types, and how frames of those that are not Ethernet are presented as Ethernet II.
//!
//! Numbers and layouts: <https://www.tcpdump.org/linktypes.html>.

use super::order::Order;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// An Ethernet II header, and where its EtherType lies.
const HEADER: usize = 14;
const ADDRESSES: usize = 12;
/// How much of a packet is copied behind the header; more than all headers together.
const SNAP: usize = 512;

/// How a frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    Ethernet,
    /// No header: IPv4 or IPv6.
    Raw,
    Ipv4,
    Ipv6,
    /// Linux cooked captures, two versions.
    Sll,
    Sll2,
    /// BSD loopback: an address family, in either byte order.
    Null,
    Ppp,
    /// Cisco HDLC.
    Hdlc,
    /// Not supported.
    Other(u32),
}

impl Link {
    pub(super) fn of(number: u32) -> Self {
        match number {
            0 | 108 => Self::Null,
            1 => Self::Ethernet,
            9 => Self::Ppp,
            12 | 14 | 101 => Self::Raw,
            104 => Self::Hdlc,
            113 => Self::Sll,
            228 => Self::Ipv4,
            229 => Self::Ipv6,
            276 => Self::Sll2,
            other => Self::Other(other),
        }
    }

    /// Reads the link header that a frame begins with.
    fn header(self, frame: &[u8]) -> Header {
        match self {
            Self::Raw => Header::new(0, frame.first().map(|byte| ip_version(byte >> 4))),
            Self::Ipv4 => Header::new(0, Some(IPV4)),
            Self::Ipv6 => Header::new(0, Some(IPV6)),
            Self::Sll => Header { source: mac(frame, u16_at(frame, 4), 6), ..Header::new(16, u16_at(frame, 14)) },
            Self::Sll2 => {
                let address_length = frame.get(11).copied().map(u16::from);
                Header { source: mac(frame, address_length, 12), ..Header::new(20, u16_at(frame, 0)) }
            }
            Self::Null => Header::new(4, frame.first_chunk().copied().map(family)),
            Self::Ppp => ppp(frame),
            Self::Hdlc => Header::new(4, u16_at(frame, 2)),
            Self::Ethernet | Self::Other(_) => Header::new(0, None),
        }
    }
}

/// What a link header tells, whichever it is.
struct Header {
    length: usize,
    /// The sender's address, or zeros.
    source: [u8; 6],
    /// None where the header is cut short before it.
    ether_type: Option<u16>,
}

impl Header {
    fn new(length: usize, ether_type: Option<u16>) -> Self {
        Self { length, source: [0; 6], ether_type }
    }
}

fn ip_version(version: u8) -> u16 {
    match version {
        4 => IPV4,
        6 => IPV6,
        _ => 0,
    }
}

/// The EtherType of an address family, whose numbers differ between systems but are all small.
fn family(bytes: [u8; 4]) -> u16 {
    match u32::from_le_bytes(bytes).min(u32::from_be_bytes(bytes)) {
        2 => IPV4,
        10 | 23 | 24 | 28 | 30 => IPV6, // Linux, Windows, OpenBSD and NetBSD, FreeBSD, macOS
        _ => 0,
    }
}

/// RFC 1662: address and control bytes may be left out, and so may the first byte of a small protocol number.
fn ppp(frame: &[u8]) -> Header {
    let start = if frame.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    let (length, protocol) = match frame.get(start) {
        Some(&byte) if byte & 1 == 1 && byte != 0xff => (1, Some(u16::from(byte))),
        _ => (2, u16_at(frame, start)),
    };
    let ether_type = protocol.map(|protocol| match protocol {
        0x0021 => IPV4,
        0x0057 => IPV6,
        _ => 0,
    });
    Header::new(start + length, ether_type)
}

fn u16_at(frame: &[u8], at: usize) -> Option<u16> {
    (frame.len() >= at + 2).then(|| Order::Big.u16(frame, at))
}

/// The sender's address, if it is one of Ethernet.
fn mac(frame: &[u8], length: Option<u16>, at: usize) -> [u8; 6] {
    let address = frame.get(at..).and_then(|rest| rest.first_chunk());
    address.filter(|_| length == Some(6)).copied().unwrap_or_default()
}

/// Builds Ethernet II frames, in a place that is used again for each.
#[derive(Debug)]
pub(super) struct Presenter {
    frame: [u8; HEADER + SNAP],
}

impl Default for Presenter {
    fn default() -> Self {
        Self { frame: [0; HEADER + SNAP] }
    }
}

impl Presenter {
    /// A captured frame as Ethernet II, and the length that this had on the wire.
    ///
    /// A frame cut short within its link header has no EtherType: what is left are the 12 bytes before it.
    pub(super) fn present(&mut self, link: Link, captured: &[u8], wire_len: u32) -> (&[u8], u32) {
        let header = link.header(captured);
        let wire_len = wire_len.saturating_sub(header.length as u32).saturating_add(HEADER as u32);
        self.frame[6..ADDRESSES].copy_from_slice(&header.source);
        let (Some(ether_type), Some(packet)) = (header.ether_type, captured.get(header.length..)) else {
            return (&self.frame[..ADDRESSES], wire_len);
        };
        self.frame[ADDRESSES..HEADER].copy_from_slice(&ether_type.to_be_bytes());
        let packet = &packet[..packet.len().min(SNAP)];
        let end = HEADER + packet.len();
        self.frame[HEADER..end].copy_from_slice(packet);
        (&self.frame[..end], wire_len)
    }
}

/// The names of common link types that are not supported.
pub(super) fn name(number: u32) -> &'static str {
    match number {
        6 => "Token Ring",
        8 => "SLIP",
        10 => "FDDI",
        50 => "PPP in HDLC framing",
        51 => "PPPoE",
        105 => "802.11",
        107 => "Frame Relay",
        117 => "OpenBSD pflog",
        119 => "802.11 with Prism header",
        122 => "IP over Fibre Channel",
        127 => "802.11 with radiotap",
        147..=162 => "private to its user",
        187 | 201 | 251 | 254 | 255 => "Bluetooth",
        189 | 220 | 249 | 266 => "USB",
        192 => "PPI",
        195 | 215 | 230 | 283 => "802.15.4",
        197 => "ERF",
        227 => "CAN",
        239 => "Linux NFLOG",
        247 => "InfiniBand",
        252 => "Wireshark upper PDU",
        253 => "Linux netlink",
        271 => "vsock",
        _ => "not a common one",
    }
}

#[cfg(test)]
mod tests;
