//! A segment of the model, and how it looks on the wire.

use std::net::SocketAddr;

use sensor_common::flow::TcpFlags;

/// Options of a TCP header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Options {
    /// Maximum segment size; 0 is none. Comes with SACK-permitted and the scale where those are offered.
    pub(super) mss: u16,
    /// Window scale shift.
    pub(super) wscale: Option<u8>,
    /// SACK permitted.
    pub(super) sack_permitted: bool,
    /// Timestamp value and echo.
    pub(super) timestamps: Option<(u32, u32)>,
    /// Blocks that arrived out of order.
    pub(super) sack: [(u32, u32); 2],
    /// How many of them.
    pub(super) blocks: u8,
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Segment {
    /// Its sender: 0 the client, 1 the server.
    pub(super) from: u8,
    /// Flags.
    pub(super) flags: TcpFlags,
    /// Sequence number.
    pub(super) seq: u32,
    /// Acknowledgment number.
    pub(super) ack: u32,
    /// Bytes of payload.
    pub(super) len: u32,
    /// Raw window.
    pub(super) win: u16,
    /// TTL.
    pub(super) ttl: u8,
    /// IPv4 identification.
    pub(super) id: u16,
    /// IPv6 flow label.
    pub(super) label: u32,
    /// Don't-fragment bit.
    pub(super) dont_fragment: bool,
    /// Options.
    pub(super) options: Options,
}

impl Segment {
    /// Whether it has any of `flags`.
    pub(super) const fn has(&self, flags: TcpFlags) -> bool {
        self.flags.any(flags)
    }
}

/// A frame's headers; the payload is left out, as in a capture that cuts frames short.
#[derive(Debug)]
pub(super) struct Wire {
    bytes: [u8; 128],
    at: usize,
}

impl Default for Wire {
    fn default() -> Self {
        Self { bytes: [0; 128], at: 0 }
    }
}

impl Wire {
    /// Writes the headers and returns them, with the length of the whole frame.
    pub(super) fn write(&mut self, segment: &Segment, ends: [SocketAddr; 2]) -> (&[u8], usize) {
        let (from, to) = (ends[segment.from as usize & 1], ends[segment.from as usize & 1 ^ 1]);
        self.at = 54;
        if from.is_ipv6() {
            self.at = 74;
        }
        let tcp = self.at - 20;
        self.options(&segment.options);
        let header = self.at - tcp;
        let length = header + segment.len as usize;
        self.put(0, &[2, 0, 0, 0, 0, 1 ^ segment.from, 2, 0, 0, 0, 0, segment.from]);
        match (from, to) {
            (SocketAddr::V4(from), SocketAddr::V4(to)) => {
                self.put(12, &[8, 0, 0x45, 0]);
                self.put(16, &(20 + length as u16).to_be_bytes());
                self.put(18, &segment.id.to_be_bytes());
                self.put(20, &[u8::from(segment.dont_fragment) << 6, 0, segment.ttl, 6, 0, 0]);
                self.put(26, &from.ip().octets());
                self.put(30, &to.ip().octets());
            }
            (from, to) => {
                self.put(12, &[0x86, 0xdd]);
                self.put(14, &(0x6000_0000 | segment.label & 0xf_ffff).to_be_bytes());
                self.put(18, &(length as u16).to_be_bytes());
                self.put(20, &[6, segment.ttl]);
                for (at, end) in [(22, from), (38, to)] {
                    if let SocketAddr::V6(end) = end {
                        self.put(at, &end.ip().octets());
                    }
                }
            }
        }
        self.put(tcp, &from.port().to_be_bytes());
        self.put(tcp + 2, &to.port().to_be_bytes());
        self.put(tcp + 4, &segment.seq.to_be_bytes());
        self.put(tcp + 8, &segment.ack.to_be_bytes());
        self.put(tcp + 12, &[(header as u8 / 4) << 4, segment.flags.0]);
        self.put(tcp + 14, &segment.win.to_be_bytes());
        self.put(tcp + 16, &[0; 4]);
        (&self.bytes[..self.at], tcp + length)
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn add(&mut self, bytes: &[u8]) {
        self.put(self.at, bytes);
        self.at += bytes.len();
    }

    /// In the order that Linux has them, aligned to words.
    fn options(&mut self, options: &Options) {
        if options.mss != 0 {
            self.add(&[2, 4]);
            self.add(&options.mss.to_be_bytes());
        }
        if options.sack_permitted {
            self.add(if options.timestamps.is_some() { &[4, 2] } else { &[1, 1, 4, 2] });
        } else if options.timestamps.is_some() {
            self.add(&[1, 1]);
        }
        if let Some((value, echo)) = options.timestamps {
            self.add(&[8, 10]);
            self.add(&value.to_be_bytes());
            self.add(&echo.to_be_bytes());
        }
        if let Some(shift) = options.wscale {
            self.add(&[1, 3, 3, shift]);
        }
        if options.blocks > 0 {
            self.add(&[1, 1, 5, 2 + 8 * options.blocks]);
            for (low, high) in &options.sack[..options.blocks as usize] {
                self.add(&low.to_be_bytes());
                self.add(&high.to_be_bytes());
            }
        }
    }
}
