//! From bytes to plausible segments: a fuzzer would need long to find two numbers that agree.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use sensor::lab::forge::TcpPacket;
use sensor_common::{engine::Seen, event::Hook, flow::TcpFlags, seq::SeqNumber};

/// Numbers of the conversations so far: four clients of one server, both directions.
#[derive(Default)]
pub(super) struct Kitchen {
    now: u64,
    next: [[SeqNumber; 2]; 4],
}

const FLAGS: [u8; 8] = [0x10, 0x18, 0x02, 0x12, 0x11, 0x14, 0x04, 0xff];
const STEPS: [i32; 8] = [0, 0, 0, 1, -1, 1460, -1460, 0x4000_0000];
const GAPS: [u64; 8] = [0, 1_000, 50_000, 1_000_000, 20_000_000, 3_000_000_000, 300_000_000_000, 5_000_000_000_000];

impl Kitchen {
    /// Time, place and frame. A recipe: who, flags, step of sequence and acknowledgment, length, TTL, window, IP-ID, gap and
    /// version of IP.
    pub(super) fn cook(&mut self, recipe: &[u8; 8]) -> (u64, Seen, Vec<u8>) {
        let &[who, flags, steps, len, ttl, window, id, gap] = recipe;
        let flow = usize::from(who >> 1 & 3);
        let sender = usize::from(who & 1);
        self.now = self.now.saturating_add(GAPS[usize::from(gap & 7)]);
        let flags = match FLAGS[usize::from(flags & 7)] {
            0xff => flags,
            common => common,
        };
        let step = |bits: u8| STEPS[usize::from(bits & 7)] as u32;
        let next = &self.next[flow];
        let ack =
            if flags & 0x10 == 0 && steps & 0x40 == 0 { SeqNumber(0) } else { next[1 - sender] + step(steps >> 3) };
        let (client, server) = addresses(gap & 8 != 0, flow as u16);
        let (source, destination) = if sender == 0 { (client, server) } else { (server, client) };
        let packet = TcpPacket {
            macs: [[who & 0xf0; 6], [2; 6]],
            vlan: (gap & 16 != 0).then_some(u16::from(gap)),
            source,
            destination,
            ttl: if ttl == 0 { 60 } else { ttl },
            id: u16::from(id) << (id & 8),
            dont_fragment: id & 1 == 0,
            flags: TcpFlags(flags),
            seq: next[sender] + step(steps),
            ack,
            window: u16::from(window) << 6,
            options: options(flags, window, self.now),
            payload: vec![0; usize::from(len) * usize::from(len) / 16],
        };
        // What the high bit marks was forged: its sender does not know of it.
        if steps & 0x80 == 0 && flags & 4 == 0 {
            self.next[flow][sender] = packet.next();
        }
        let hook = match who >> 3 & 7 {
            0 => Hook::Observer,
            _ if sender == 0 => Hook::Ingress,
            _ => Hook::Egress,
        };
        (self.now, Seen { ifindex: 1, tag: 0, hook }, packet.build().0)
    }
}

fn addresses(v6: bool, flow: u16) -> (SocketAddr, SocketAddr) {
    if v6 {
        let address = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
        return ((address(1), 40_000 + flow).into(), (address(2), 443).into());
    }
    ((Ipv4Addr::new(10, 0, 0, 2), 40_000 + flow).into(), (Ipv4Addr::new(10, 0, 0, 1), 443).into())
}

fn options(flags: u8, window: u8, now: u64) -> Vec<u8> {
    let time = ((now >> 20) as u32).to_be_bytes();
    match (flags & 2 != 0, window & 1 != 0) {
        (_, false) => Vec::new(),
        (true, true) => [&[2, 4, 5, 0xb4, 4, 2, 8, 10][..], &time, &[0, 0, 0, 0, 1, 3, 3, window >> 4]].concat(),
        (false, true) => [&[1, 1, 8, 10][..], &time, &[0; 4]].concat(),
    }
}
