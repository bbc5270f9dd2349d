//! One end of a conversation: its habits and its numbers.

use std::net::SocketAddr;

use sensor::lab::forge::TcpPacket;
use sensor_common::{flow::TcpFlags, seq::SeqNumber};

/// A host that talks. Its methods change its habits.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub(super) address: SocketAddr,
    pub(super) mac: [u8; 6],
    pub(super) ttl: u8,
    pub(super) tos: u8,
    pub(super) window: u16,
    pub(super) syn_window: u16,
    /// The next IP-ID; none where it is always 0.
    pub(super) id: Option<u16>,
    pub(super) dont_fragment: bool,
    pub(super) isn: SeqNumber,
    pub(super) nxt: SeqNumber,
    /// Its last acknowledgment field.
    pub(super) acked: SeqNumber,
    wscale: Option<u8>,
    timestamps: bool,
}

impl Speaker {
    pub(super) fn new(address: SocketAddr, mac: [u8; 6], ttl: u8, isn: u32) -> Self {
        Self {
            address,
            mac,
            ttl,
            tos: 0,
            window: if isn < 50_000 { 502 } else { 509 },
            syn_window: 64_240,
            id: Some(isn as u16),
            dont_fragment: true,
            isn: SeqNumber(isn),
            nxt: SeqNumber(isn),
            acked: SeqNumber(0),
            wscale: Some(7),
            timestamps: true,
        }
    }

    /// Its address and port.
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// What its TTL or hop limit has come down to at the sensor.
    pub fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// Its TOS or traffic class.
    pub fn tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    /// Its raw window from now on.
    pub fn window(self, window: u16) -> Self {
        Self { window, ..self }
    }

    /// The window of its SYN.
    pub fn syn_window(self, syn_window: u16) -> Self {
        Self { syn_window, ..self }
    }

    /// Its initial sequence number: before it has said anything.
    pub fn isn(self, isn: u32) -> Self {
        Self { isn: SeqNumber(isn), nxt: SeqNumber(isn), ..self }
    }

    /// Its next IP-ID; it counts up from there.
    pub fn id(self, id: u16) -> Self {
        Self { id: Some(id), ..self }
    }

    /// IP-IDs always 0.
    pub fn no_id(self) -> Self {
        Self { id: None, ..self }
    }

    /// No TCP options but the segment size, and fragments allowed.
    pub fn plain(self) -> Self {
        Self { wscale: None, timestamps: false, dont_fragment: false, ..self }
    }

    /// Its window scale.
    pub fn wscale(self, shift: Option<u8>) -> Self {
        Self { wscale: shift, ..self }
    }

    /// Its source MAC address.
    pub fn mac(self, mac: [u8; 6]) -> Self {
        Self { mac, ..self }
    }

    /// The options that it puts into a segment.
    pub(super) fn options(&self, flags: TcpFlags, peer: &Self, milliseconds: u64) -> Vec<u8> {
        let now = (milliseconds as u32).to_be_bytes();
        let stamp = [&[1, 1, 8, 10][..], &now, &[0; 4]].concat();
        if !flags.any(TcpFlags::SYN) {
            return if self.timestamps && peer.timestamps { stamp } else { Vec::new() };
        }
        let mut options = vec![2, 4, 5, 0xb4];
        if self.timestamps {
            options.extend([4, 2]);
            options.extend(&stamp[2..]);
        }
        if let Some(shift) = self.wscale {
            options.extend([1, 3, 3, shift]);
        }
        options
    }

    /// Keeps its numbers after a segment of its own.
    pub(super) fn said(&mut self, packet: &TcpPacket) {
        self.id = self.id.map(|id| if packet.id == id { id.wrapping_add(1) } else { id });
        if packet.flags.any(TcpFlags::ACK) {
            self.acked = packet.ack;
        }
        let next = packet.next();
        if !packet.flags.any(TcpFlags::RST) && next.after(self.nxt) {
            self.nxt = next;
        }
    }

    /// Numbers of a new connection.
    pub(super) fn restart(&mut self, step: u32) {
        self.isn = self.isn + step;
        self.nxt = self.isn;
    }
}
