//! A segment before it is sent: every field of it can be overridden.

use std::net::SocketAddr;

use sensor::lab::forge::TcpPacket;
use sensor_common::{flow::TcpFlags, seq::SeqNumber};

use super::speaker::Speaker;

/// A segment as its sender would have sent it, so far. Sequence numbers are relative to the initial ones unless they are raw.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(super) packet: TcpPacket,
    pub(super) forged: bool,
    pub(super) unseen: bool,
    /// Nanoseconds by which it comes too late.
    pub(super) late: u64,
    tos: u8,
    urgent: u16,
    reserved: u8,
    isn: SeqNumber,
    peer_isn: SeqNumber,
}

impl Draft {
    pub(super) fn new(packet: TcpPacket, sender: &Speaker, receiver: &Speaker) -> Self {
        let (tos, isn, peer_isn) = (sender.tos, sender.isn, receiver.isn);
        Self { packet, forged: false, unseen: false, late: 0, tos, urgent: 0, reserved: 0, isn, peer_isn }
    }

    fn with(mut self, edit: impl FnOnce(&mut TcpPacket)) -> Self {
        edit(&mut self.packet);
        self
    }

    /// Somebody else sent it: the one in whose name it came knows nothing of it.
    pub fn forged(self) -> Self {
        Self { forged: true, ..self }
    }

    /// It never passes the sensor.
    pub fn unseen(self) -> Self {
        Self { unseen: true, ..self }
    }

    /// It passes the sensor milliseconds late: others overtake it.
    pub fn late(self, milliseconds: u64) -> Self {
        self.late_us(milliseconds * 1_000)
    }

    /// The same in microseconds.
    pub fn late_us(self, microseconds: u64) -> Self {
        Self { late: microseconds * 1_000, ..self }
    }

    /// From another address.
    pub fn source(self, edit: impl FnOnce(SocketAddr) -> SocketAddr) -> Self {
        self.with(|p| p.source = edit(p.source))
    }

    /// To another address.
    pub fn destination(self, edit: impl FnOnce(SocketAddr) -> SocketAddr) -> Self {
        self.with(|p| p.destination = edit(p.destination))
    }

    /// TTL or hop limit.
    pub fn ttl(self, ttl: u8) -> Self {
        self.with(|p| p.ttl = ttl)
    }

    /// TOS or traffic class.
    pub fn tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    /// Urgent pointer.
    pub fn urgent(self, urgent: u16) -> Self {
        Self { urgent, ..self }
    }

    /// The four bits behind the data offset: AE is the lowest.
    pub fn reserved(self, reserved: u8) -> Self {
        Self { reserved, ..self }
    }

    /// Raw window.
    pub fn win(self, window: u16) -> Self {
        self.with(|p| p.window = window)
    }

    /// IP-ID.
    pub fn id(self, id: u16) -> Self {
        self.with(|p| p.id = id)
    }

    /// The don't-fragment bit.
    pub fn df(self, dont_fragment: bool) -> Self {
        self.with(|p| p.dont_fragment = dont_fragment)
    }

    /// TCP flags.
    pub fn flags(self, flags: TcpFlags) -> Self {
        self.with(|p| p.flags = flags)
    }

    /// Sequence number from the sender's initial one.
    pub fn seq(self, seq: u32) -> Self {
        let isn = self.isn;
        self.with(|p| p.seq = isn + seq)
    }

    /// Sequence number that much further, or back.
    pub fn seq_by(self, bytes: i32) -> Self {
        self.with(|p| p.seq = p.seq + bytes as u32)
    }

    /// Sequence number as it is on the wire.
    pub fn raw_seq(self, seq: u32) -> Self {
        self.with(|p| p.seq = SeqNumber(seq))
    }

    /// Acknowledgment from the receiver's initial sequence number.
    pub fn ack(self, ack: u32) -> Self {
        let isn = self.peer_isn;
        self.with(|p| p.ack = isn + ack)
    }

    /// Acknowledgment that much further, or back.
    pub fn ack_by(self, bytes: i32) -> Self {
        self.with(|p| p.ack = p.ack + bytes as u32)
    }

    /// Acknowledgment field as it is on the wire.
    pub fn raw_ack(self, ack: u32) -> Self {
        self.with(|p| p.ack = SeqNumber(ack))
    }

    /// Its own sequence number in place of an acknowledgment, as Windows fills the field.
    pub fn windows(self) -> Self {
        self.with(|p| p.ack = p.seq)
    }

    /// TCP options, a multiple of 4 bytes.
    pub fn options(self, options: &[u8]) -> Self {
        self.with(|p| p.options = options.to_vec())
    }

    /// Timestamps of this value among the options that it has, which a SYN of Linux has second.
    pub fn timestamp(self, value: u32) -> Self {
        self.with(|p| {
            if let Some(at) = p.options.windows(2).position(|kind| kind == [8, 10]) {
                p.options[at + 2..at + 6].copy_from_slice(&value.to_be_bytes());
            }
        })
    }

    /// No TCP options.
    pub fn bare(self) -> Self {
        self.options(&[])
    }

    /// Fast Open, with a cookie (RFC 7413).
    pub fn cookie(self) -> Self {
        self.options(&[2, 4, 5, 180, 34, 6, 1, 2, 3, 4, 1, 1])
    }

    /// That many bytes of payload.
    pub fn len(self, len: usize) -> Self {
        self.with(|p| p.payload = vec![b'x'; len])
    }

    /// Source MAC address.
    pub fn mac(self, mac: [u8; 6]) -> Self {
        self.with(|p| p.macs[0] = mac)
    }

    /// Sender's and receiver's port.
    pub fn ports(self, source: u16, destination: u16) -> Self {
        self.with(|p| {
            p.source.set_port(source);
            p.destination.set_port(destination);
        })
    }

    /// The frame.
    pub(super) fn build(&self) -> Vec<u8> {
        let mut bytes = self.packet.build().0;
        let ip = if self.packet.vlan.is_some() { 18 } else { 14 };
        if self.packet.source.is_ipv6() {
            bytes[ip] |= self.tos >> 4;
            bytes[ip + 1] |= self.tos << 4;
        } else {
            bytes[ip + 1] = self.tos;
            // The forge built it with TOS 0; the header's checksum follows (RFC 1624).
            let sum = u32::from(!u16::from_be_bytes([bytes[ip + 10], bytes[ip + 11]])) + u32::from(self.tos);
            let sum = !((sum + (sum >> 16)) as u16);
            bytes[ip + 10..ip + 12].copy_from_slice(&sum.to_be_bytes());
        }
        // The checksum no longer fits, which nobody looks at.
        let tcp = ip + if self.packet.source.is_ipv6() { 40 } else { 20 };
        bytes[tcp + 12] |= self.reserved & 15;
        bytes[tcp + 18..tcp + 20].copy_from_slice(&self.urgent.to_be_bytes());
        bytes
    }
}
