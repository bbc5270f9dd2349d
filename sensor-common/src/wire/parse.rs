//! The parser: Ethernet, VLAN tags, IP, TCP.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    Frame, Options,
    frame::{be16, be32},
    ip,
    options::{OptionList, aligned_timestamp, common_syn, walk},
};
use crate::{
    counters::Counter,
    flow::{Key, LinkId, Segment, Side, TcpFlags},
    opaque::{keep, recall},
    seq::SeqNumber,
    time::Stamp,
};

/// A TCP segment as the engine judges it.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Packet {
    /// The flow.
    pub key: Key,
    /// Sequence number.
    pub seq: SeqNumber,
    /// Acknowledgment field, also where the ACK flag is clear.
    pub ack: SeqNumber,
    /// Payload bytes, by the IP header's length.
    pub len: u32,
    /// Timestamp value; 0 if none.
    pub tsval: u32,
    /// Raw window field.
    pub win: u16,
    /// IPv4 identification; IPv6 flow label folded to 16 bits.
    pub ipid: u16,
    /// Which end sent it: [`Side`] as a number.
    pub side: u8,
    /// TCP flags.
    pub flags: TcpFlags,
    /// TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class, ECN included.
    pub tos: u8,
    /// Options present. All of them on SYN and RST; on others only timestamps, in their usual place.
    pub options: Options,
    /// Window scale shift, where the option is present.
    pub wscale: u8,
    /// Source MAC address folded to a byte; 0 if there is none.
    pub mac: u8,
    /// Keeps the record free of padding.
    pub reserved: u8,
    /// Working memory of the option walk.
    pub list: OptionList,
    /// Working memory of [`Packet::forget`].
    pub offset: u32,
}

impl Packet {
    /// The end that sent it.
    #[inline(always)]
    pub const fn side(&self) -> Side {
        Side::from_index(self.side)
    }

    /// Index of the sender's end. A number, so that the mask which the kernel's verifier asks for survives the compiler.
    #[inline(always)]
    pub const fn sender(&self) -> usize {
        self.side as usize & 1
    }

    /// Index of the other end.
    #[inline(always)]
    pub const fn receiver(&self) -> usize {
        (self.side as usize & 1) ^ 1
    }

    /// An offset that the compiler and the kernel's verifier know nothing of but its bound. Paths that differ in it become one.
    #[inline(always)]
    pub(super) fn forget(&mut self, offset: usize) -> usize {
        keep(&mut self.offset, offset as u32);
        // Two tags, IPv6 and six extension headers of the greatest length come to less.
        recall(&self.offset) as usize & 0x3fff
    }

    /// Sequence number that follows: SYN and FIN count one.
    #[inline(always)]
    pub const fn end(&self) -> SeqNumber {
        let syn = (self.flags.0 >> 1 & 1) as u32;
        let fin = (self.flags.0 & 1) as u32;
        SeqNumber(self.seq.0.wrapping_add(self.len).wrapping_add(syn + fin))
    }

    /// What the recorder keeps of it.
    #[inline(always)]
    pub const fn segment(&self, time: Stamp) -> Segment {
        Segment {
            time,
            seq: self.seq,
            ack: self.ack,
            len: if self.len > 0xffff { 0xffff } else { self.len as u16 },
            win: self.win,
            ipid: self.ipid,
            ttl: self.ttl,
            flags: self.flags,
        }
    }
}

const VLAN: u16 = 0x8100;
const QINQ: u16 = 0x88a8;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Reads a frame into `packet`, or says why it is not judged. `tag` is a VLAN id that the NIC or the kernel took out of the frame (0 if none).
#[inline(always)]
pub fn parse<F: Frame>(
    frame: &F,
    ifindex: u32,
    tag: u16,
    vlan_in_key: bool,
    packet: &mut Packet,
) -> Result<(), Counter> {
    let ethernet = frame.bytes::<14>(0).ok_or(Counter::Truncated)?;
    let mac = fold_mac(ethernet);
    let mut ethertype = be16(ethernet, 12);
    let mut at = 14;
    let mut vlans = [0u16; 2];
    if ethertype == VLAN || ethertype == QINQ {
        let tags = frame.bytes::<4>(at).ok_or(Counter::Truncated)?;
        vlans[0] = be16(tags, 0) & 0xfff;
        ethertype = be16(tags, 2);
        at += 4;
        if ethertype == VLAN || ethertype == QINQ {
            let tags = frame.bytes::<4>(at).ok_or(Counter::Truncated)?;
            vlans[1] = be16(tags, 0) & 0xfff;
            ethertype = be16(tags, 2);
            at += 4;
        }
        at = packet.forget(at);
    }
    if tag != 0 {
        vlans = [tag, vlans[0]];
    }
    let (payload, version) = match ethertype {
        IPV4 => (ip::v4(frame, at, packet)?, 4),
        IPV6 => (ip::v6(frame, at, packet)?, 6),
        VLAN | QINQ => return Err(Counter::VlanLimit),
        _ => return Err(Counter::NotTcp),
    };
    let tcp = frame.bytes::<20>(payload.at).ok_or(Counter::Truncated)?;
    let header_len = (tcp[12] >> 4) as usize * 4;
    if header_len < 20 || header_len > payload.len {
        return Err(Counter::BadTcpHeader);
    }
    let [outer, inner] = if vlan_in_key { vlans } else { [0; 2] };
    packet.key.link = LinkId::new(ifindex, version, outer, inner);
    order(&mut packet.key, &mut packet.side, be16(tcp, 0), be16(tcp, 2));
    packet.seq = SeqNumber(be32(tcp, 4));
    packet.ack = SeqNumber(be32(tcp, 8));
    packet.len = (payload.len - header_len) as u32;
    packet.win = be16(tcp, 14);
    packet.flags = TcpFlags(tcp[13]);
    packet.mac = mac;
    packet.tsval = 0;
    packet.wscale = 0;
    packet.list.rare = 0;
    if header_len > 20 {
        let at = payload.at + 20;
        if packet.flags.any(TcpFlags::SYN.with(TcpFlags::RST)) {
            if !common_syn(frame, at, header_len - 20, packet) {
                let at = packet.forget(at);
                walk(frame, at, header_len - 20, packet);
            }
        } else if header_len >= 32
            && let Some(tsval) = aligned_timestamp(frame, at)
        {
            packet.options.0 |= Options::TIMESTAMPS.0;
            packet.tsval = tsval;
        }
    }
    Ok(())
}

/// Puts the ends of a key in the order that both directions share. On entry, end A is the source.
#[inline(always)]
fn order(key: &mut Key, side: &mut u8, source: u16, destination: u16) {
    if key.link.ip_version() == 4 {
        // Without a branch, which the processor would guess wrong every other time.
        let (from, to) = ((key.a[3] as u64) << 16 | source as u64, (key.b[3] as u64) << 16 | destination as u64);
        // All ones where the source is the higher end.
        let higher = (to.wrapping_sub(from) as i64 >> 63) as u64;
        let swap = (from ^ to) & higher;
        let (low, high) = (from ^ swap, to ^ swap);
        key.a[3] = (low >> 16) as u32;
        key.b[3] = (high >> 16) as u32;
        key.ports = (low as u32) << 16 | high as u32 & 0xffff;
        *side = (higher & 1) as u8;
    } else if lower((&key.a, source), (&key.b, destination)) {
        key.ports = (source as u32) << 16 | destination as u32;
        *side = Side::A as u8;
    } else {
        core::mem::swap(&mut key.a, &mut key.b);
        key.ports = (destination as u32) << 16 | source as u32;
        *side = Side::B as u8;
    }
}

/// Whether `x` comes before `y` (or is the same) in the order that makes both directions share a key.
#[inline(always)]
fn lower(x: (&[u32; 4], u16), y: (&[u32; 4], u16)) -> bool {
    let (a, b) = (x.0, y.0);
    if a[3] != b[3] {
        return a[3] < b[3];
    }
    if a[2] != b[2] {
        return a[2] < b[2];
    }
    if a[1] != b[1] {
        return a[1] < b[1];
    }
    if a[0] != b[0] {
        return a[0] < b[0];
    }
    x.1 <= y.1
}

/// The source MAC address in a byte: equal addresses agree, others differ in 255 of 256 cases.
#[inline(always)]
fn fold_mac(ethernet: &[u8; 14]) -> u8 {
    let (high, low) = (be32(ethernet, 6), be16(ethernet, 10) as u32);
    let mixed = high.wrapping_mul(0x9e37_79b1) ^ low.wrapping_mul(0x85eb_ca6b);
    (mixed >> 24) as u8
}
