//! Built packets are taken apart again and compared; a foreign packet is the independent truth.

use super::*;

/// A FIN of macOS, from `id1.cn-inject.pcap` of fox-it/quantuminsert (public domain).
const FOREIGN: [u8; 66] = [
    0x44, 0x1e, 0xa1, 0xc2, 0x36, 0x46, 0xa4, 0x5e, 0x60, 0xe5, 0xda, 0x95, 0x08, 0x00, 0x45, 0x00, 0x00, 0x34, 0x91,
    0x74, 0x40, 0x00, 0x40, 0x06, 0x3f, 0xb7, 0xac, 0x14, 0x06, 0x01, 0x2a, 0x60, 0x8d, 0x23, 0xc9, 0x2c, 0x00, 0x50,
    0x08, 0x5c, 0x76, 0xaf, 0x7a, 0x25, 0xdf, 0x69, 0x80, 0x11, 0x10, 0x00, 0x34, 0x66, 0x00, 0x00, 0x01, 0x01, 0x08,
    0x0a, 0x0f, 0x29, 0x85, 0xb3, 0x0f, 0x29, 0x82, 0xa0,
];

fn packet(source: &str, destination: &str, vlan: Option<u16>) -> TcpPacket {
    TcpPacket {
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
        vlan,
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        ttl: 125,
        id: if source.starts_with('[') { 0 } else { 77 },
        dont_fragment: !source.starts_with('['),
        flags: TcpFlags::PSH.with(TcpFlags::ACK),
        seq: SeqNumber(u32::MAX - 1),
        ack: SeqNumber(9),
        window: 65323,
        options: vec![1, 1, 1, 1],
        payload: b"odd".to_vec(),
    }
}

#[test]
fn what_is_built_can_be_taken_apart() {
    for vlan in [None, Some(5)] {
        for packet in
            [packet("192.0.2.1:1000", "192.0.2.2:80", vlan), packet("[2001:db8::1]:1000", "[2001:db8::2]:80", vlan)]
        {
            let mut frame = packet.build();
            assert_eq!(TcpPacket::parse(&frame), Some(packet));
            assert_eq!(checksums_hold(&frame), Some(true));
            // Padding is no payload.
            frame.0.extend([0; 9]);
            assert_eq!(checksums_hold(&frame), Some(true));
            // The last byte of the payload.
            let last = frame.0.len() - 10;
            frame.0[last] ^= 1;
            assert_eq!(checksums_hold(&frame), Some(false));
        }
    }
}

#[test]
fn numbers_follow_from_a_packet() {
    let mut fin = packet("192.0.2.1:1000", "192.0.2.2:80", None);
    fin.flags = TcpFlags::FIN.with(TcpFlags::ACK);
    let answer = fin.answer();
    assert_eq!((answer.seq, answer.ack, answer.flags), (SeqNumber(9), SeqNumber(2), TcpFlags::ACK));
    assert_eq!((answer.source, answer.destination, answer.window), (fin.destination, fin.source, 65323));
    assert_eq!(answer.macs, [fin.macs[1], fin.macs[0]]);
    assert!(answer.payload.is_empty() && answer.options.is_empty());
    let follow = fin.follow();
    assert_eq!((follow.seq, follow.ack, follow.source), (SeqNumber(2), SeqNumber(9), fin.source));
}

#[test]
fn nonsense_is_refused() {
    let frame = packet("192.0.2.1:1000", "192.0.2.2:80", Some(5)).build();
    for length in 0..frame.0.len() {
        let short = Frame(frame.0[..length].to_vec());
        assert_eq!(TcpPacket::parse(&short), None, "{length} bytes");
    }
    let mut fragment = frame.clone();
    fragment.0[ETHERTYPE + 4 + 2 + 6] = 0x20;
    assert_eq!(TcpPacket::parse(&fragment), None);
}

#[test]
fn the_sums_of_a_foreign_packet_hold() {
    let frame = Frame(FOREIGN.to_vec());
    assert_eq!(checksums_hold(&frame), Some(true));
    let packet = TcpPacket::parse(&frame).unwrap();
    assert_eq!(packet.build(), frame);
}
