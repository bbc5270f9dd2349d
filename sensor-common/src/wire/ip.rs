//! IPv4 and IPv6 headers up to the TCP header.

use super::{
    Frame, Options, Packet,
    frame::{be16, be32},
};
use crate::counters::Counter;

/// Where the TCP segment lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    /// Offset of the TCP header in the frame.
    pub(super) at: usize,
    /// Bytes from the TCP header on, by the IP header's own length field.
    pub(super) len: usize,
}

const TCP: u8 = 6;

/// Extension headers that are walked (RFC 8200 §4.1 orders five).
const MAX_EXTENSIONS: usize = 6;

/// IPv4 (RFC 791), options skipped. Source and destination become ends A and B of the key, for now.
#[inline(always)]
pub(super) fn v4<F: Frame>(frame: &F, at: usize, packet: &mut Packet) -> Result<Payload, Counter> {
    let header = frame.bytes::<20>(at).ok_or(Counter::Truncated)?;
    let header_len = (header[0] & 0xf) as usize * 4;
    if header[0] >> 4 != 4 || header_len < 20 {
        return Err(Counter::BadIpHeader);
    }
    if header[9] != TCP {
        return Err(Counter::NotTcp);
    }
    let fragment = be16(header, 6);
    if fragment & 0x1fff != 0 {
        return Err(Counter::Fragments);
    }
    // Length 0: a segment that offloading has made too long for the field.
    let total = match be16(header, 2) as usize {
        0 => frame.wire_len().saturating_sub(at),
        total => total,
    };
    if total < header_len {
        return Err(Counter::BadIpHeader);
    }
    packet.key.a = [0, 0, 0xffff, be32(header, 12)];
    packet.key.b = [0, 0, 0xffff, be32(header, 16)];
    packet.ipid = be16(header, 4);
    packet.ttl = header[8];
    packet.tos = header[1];
    packet.options = Options((fragment >> 8) as u8 & Options::DONT_FRAGMENT.0);
    Ok(Payload { at: at + header_len, len: total - header_len })
}

/// IPv6 (RFC 8200) with up to six extension headers.
#[inline(always)]
pub(super) fn v6<F: Frame>(frame: &F, at: usize, packet: &mut Packet) -> Result<Payload, Counter> {
    let header = frame.bytes::<40>(at).ok_or(Counter::Truncated)?;
    if header[0] >> 4 != 6 {
        return Err(Counter::BadIpHeader);
    }
    let payload = match be16(header, 4) as usize {
        0 => frame.wire_len().saturating_sub(at + 40),
        payload => payload,
    };
    let label = be32(header, 0) & 0xf_ffff;
    packet.key.a = [be32(header, 8), be32(header, 12), be32(header, 16), be32(header, 20)];
    packet.key.b = [be32(header, 24), be32(header, 28), be32(header, 32), be32(header, 36)];
    packet.ipid = (label ^ label >> 4) as u16;
    packet.ttl = header[7];
    packet.tos = (be16(header, 0) >> 4) as u8;
    packet.options = Options(0);
    let first = at + 40;
    if header[6] == TCP {
        return Ok(Payload { at: first, len: payload });
    }
    let tcp = extensions(frame, packet, first, header[6])?;
    let len = (first + payload).checked_sub(tcp).ok_or(Counter::BadIpHeader)?;
    Ok(Payload { at: tcp, len })
}

/// Offset of the TCP header behind the extension headers that begin at `at`.
#[inline(always)]
fn extensions<F: Frame>(frame: &F, packet: &mut Packet, mut at: usize, first: u8) -> Result<usize, Counter> {
    let mut next = first;
    for _ in 0..MAX_EXTENSIONS {
        at = packet.forget(at);
        let header = frame.bytes::<4>(at).ok_or(Counter::Truncated)?;
        at += match next {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: units of 8 bytes after the first 8.
            0 | 43 | 60 | 135 | 139 | 140 => 8 + header[1] as usize * 8,
            // Authentication header (RFC 4302): units of 4 bytes after the first 8.
            51 => 8 + header[1] as usize * 4,
            // Fragment.
            44 if be16(header, 2) & 0xfff8 != 0 => return Err(Counter::Fragments),
            44 => 8,
            _ => return Err(Counter::NotTcp),
        };
        next = header[0];
        if next == TCP {
            return Ok(packet.forget(at));
        }
    }
    Err(Counter::ExtensionLimit)
}
