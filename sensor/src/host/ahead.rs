//! What the host can do and the kernel cannot: look at the frames to come, and have memory fetched before it is needed.

use std::mem;

use sensor_common::{
    config::Config,
    flow::{Key, LinkId},
    table::{Place, place},
    wire::{Packet, Slice, parse},
};

/// Frames between the first look at a flow's place and its judgement: enough to keep the memory busy, few enough for the nearest
/// cache.
pub const AHEAD: usize = 16;

/// Frames between the look into its bucket, which says where it is, and its judgement.
pub(super) const NEAR: usize = 8;

/// The places of the frames to come.
#[derive(Default)]
pub struct Coming {
    places: [Option<Place>; AHEAD - NEAR],
    next: usize,
}

impl Coming {
    /// Enters a frame's place, if it has one. The place of the frame that is [`NEAR`] by now.
    #[inline(always)]
    pub(super) fn push(&mut self, place: Option<Place>) -> Option<Place> {
        let near = mem::replace(&mut self.places[self.next], place);
        self.next = (self.next + 1) % self.places.len();
        near
    }
}

/// The place of the frame's flow, if it has one. What is usual (IPv4 without options, no VLAN) is read without looking for what
/// may be wrong with it: to guess costs a fetched line, no more.
#[inline(always)]
pub(super) fn guess(frame: &[u8], wire_len: usize, ifindex: u32, config: &Config) -> Option<Place> {
    if let Some(head) = frame.first_chunk::<38>()
        && head[12..15] == [0x08, 0x00, 0x45]
    {
        if head[23] != 6 {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (from, to, ports) = (word(26), word(30), word(34));
        // Both directions share the key of the lower end's.
        let (from, to) =
            (u64::from(from) << 16 | u64::from(ports >> 16), u64::from(to) << 16 | u64::from(ports & 0xffff));
        let (low, high) = (from.min(to), from.max(to));
        let words = |end: u64| [0, 0, 0xffff, (end >> 16) as u32];
        let ports = (low as u32) << 16 | high as u32 & 0xffff;
        let key = Key { a: words(low), b: words(high), ports, link: LinkId::new(ifindex, 4, 0, 0) };
        return Some(place(&key, config));
    }
    let mut packet = Packet::default();
    let in_key = config.vlan_in_key != 0;
    parse(&Slice::new(frame, wire_len), ifindex, 0, in_key, &mut packet).ok().map(|()| place(&packet.key, config))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lab::forge::TcpPacket;

    proptest! {
        /// The shortcut and the parser mean the same flow.
        #[test]
        fn the_guess_is_right(ends: [(u32, u16); 2], ifindex: u32, v6: bool, vlan in proptest::option::of(0_u16..4096)) {
            let [from, to] = ends.map(|(address, port)| match v6 {
                true => std::net::SocketAddr::from((std::net::Ipv6Addr::from_bits(u128::from(address)), port)),
                false => std::net::SocketAddr::from((std::net::Ipv4Addr::from_bits(address), port)),
            });
            let packet = TcpPacket {
                macs: [[2; 6]; 2],
                vlan,
                source: from,
                destination: to,
                ttl: 64,
                id: 0,
                dont_fragment: false,
                flags: sensor_common::flow::TcpFlags::ACK,
                seq: Default::default(),
                ack: Default::default(),
                window: 1,
                options: Vec::new(),
                payload: Vec::new(),
            };
            let frame = packet.build().0;
            let config = Config::replay(u32::MAX >> 8);
            let mut parsed = Packet::default();
            prop_assert!(parse(&Slice::new(&frame, frame.len()), ifindex, 0, true, &mut parsed).is_ok());
            prop_assert_eq!(guess(&frame, frame.len(), ifindex, &config), Some(place(&parsed.key, &config)));
        }
    }
}
