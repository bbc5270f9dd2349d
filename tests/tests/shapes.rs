//! Every TCP header that bits can form: through the kernel and the host, which must agree, and under its right name.

use sensor::lab::forge::TcpPacket;
use sensor_common::{
    config::Config,
    counters::{Counter, Cpu},
    event::Hook,
    flow::TcpFlags,
    kind::Kind,
    seq::SeqNumber,
};
use tests::pair::Pair;

/// Room for some thousands of flows.
const BUCKETS: u32 = 1023;
const SECOND: u64 = 1_000_000_000;
/// Where the TCP header begins.
const TCP: usize = 34;
/// Payload behind the header, which a greater data offset takes for options.
const PAYLOAD: usize = 60;

/// What stands behind the fixed header, for the first bytes of options.
const BLOCKS: [&[u8]; 10] = [
    // Payload, where there are options at all.
    &[],
    // As Linux asks, and as it goes on.
    &[2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 9, 9, 0, 0, 0, 0, 1, 3, 3, 7],
    &[1, 1, 8, 10, 0, 0, 9, 99, 0, 0, 9, 98],
    &[1, 1, 8, 10, 0, 0, 9, 99, 0, 0, 9, 98, 1, 1, 5, 10, 0, 0, 0, 9, 0, 0, 0, 99],
    // Lengths of 0 and 1, past the end, of another kind's.
    &[8, 0, 2, 0],
    &[1, 77, 1, 1],
    &[254, 255, 249, 137],
    &[8, 4, 9, 9, 3, 4, 9, 9],
    // Twice.
    &[2, 4, 5, 180, 2, 4, 5, 180, 3, 3, 20, 3, 3, 21, 1, 1],
    // Fast Open's experimental number.
    &[254, 8, 249, 137, 1, 2, 3, 4],
];

fn frame(port: u16, flags: u8, seq: u32, ack: u32, options: &[u8], payload: usize) -> Vec<u8> {
    let packet = TcpPacket {
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
        vlan: None,
        source: ([10, 0, 0, 2], port).into(),
        destination: ([192, 0, 2, 80], 443).into(),
        ttl: 61,
        id: 0,
        dont_fragment: true,
        flags: TcpFlags(flags),
        seq: SeqNumber(seq),
        ack: SeqNumber(ack),
        window: 500,
        options: options.to_vec(),
        payload: vec![b'x'; payload],
    };
    packet.build().0
}

/// The answer to a frame of [`frame`]'s client.
fn answer(port: u16, flags: TcpFlags, seq: u32, ack: u32) -> Vec<u8> {
    let mut bytes = frame(port, flags.0, seq, ack, &[], 0);
    let (source, destination) = bytes[26..34].split_at_mut(4);
    source.swap_with_slice(destination);
    let (source, destination) = bytes[TCP..TCP + 4].split_at_mut(2);
    source.swap_with_slice(destination);
    bytes
}

/// A frame with any data offset.
fn odd(port: u16, flags: u8, offset: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = frame(port, flags, 1001, 5001, &[], PAYLOAD);
    bytes[TCP + 12] = offset << 4;
    bytes[TCP + 20..TCP + 20 + block.len()].copy_from_slice(block);
    bytes
}

/// What a header is, beside what its flags are counted as.
fn expected(flags: TcpFlags, offset: u8, known: bool) -> Vec<Counter> {
    if offset < 5 {
        return vec![Counter::BadTcpHeader];
    }
    let mut names = vec![Counter::Segments];
    let opens = !flags.any(TcpFlags::RST.with(TcpFlags::FIN)) && flags.any(TcpFlags::SYN.with(TcpFlags::ACK));
    if known {
        return names;
    }
    if opens {
        names.push(Counter::FlowsCreated);
        return names;
    }
    names.push(Counter::Strays);
    let [fin, syn, rst, ack] = [TcpFlags::FIN, TcpFlags::SYN, TcpFlags::RST, TcpFlags::ACK].map(|flag| flags.any(flag));
    names.push(match (fin, syn, rst, ack) {
        (_, true, true, _) => Counter::StraySynRst,
        (_, true, false, _) => Counter::StraySynFin,
        (true, false, true, _) => Counter::StrayFinRst,
        (false, false, true, _) => Counter::StrayRst,
        (true, false, false, true) => Counter::StrayFin,
        (true, false, false, false) => Counter::StrayFinNoAck,
        (false, false, false, _) => Counter::StrayNull,
    });
    names
}

/// Counters that say where a frame went: those that grew since `before`.
fn grown(before: &Cpu, now: &Cpu) -> Vec<Counter> {
    const PLACES: [Counter; 16] = [
        Counter::Segments,
        Counter::NotTcp,
        Counter::Truncated,
        Counter::BadIpHeader,
        Counter::BadTcpHeader,
        Counter::FlowsCreated,
        Counter::TableFull,
        Counter::InsertRaces,
        Counter::Strays,
        Counter::StrayFin,
        Counter::StraySynFin,
        Counter::StraySynRst,
        Counter::StrayFinRst,
        Counter::StrayFinNoAck,
        Counter::StrayNull,
        Counter::StrayRst,
    ];
    PLACES.into_iter().filter(|&counter| now.get(counter) != before.get(counter)).collect()
}

#[test]
fn every_header_on_no_flow() {
    let Some(mut pair) = Pair::load(Config::replay(BUCKETS)) else { return };
    let mut time = SECOND;
    for (b, block) in BLOCKS.iter().enumerate() {
        for flags in 0..=255u8 {
            for offset in 0..16u8 {
                time += SECOND;
                // As many ports as there are headers to a block: each its own, and the one before long expired.
                let port = 1024 + u16::from(flags) * 16 + u16::from(offset);
                time += 700 * SECOND * u64::from(flags == 0 && offset == 0);
                let bytes = odd(port, flags, offset, block);
                let hook = if offset % 2 == 0 { Hook::Ingress } else { Hook::Egress };
                let before = *pair.host().cpu();
                pair.agree(time, hook, &bytes, format_args!("block {b} flags {flags:#04x} offset {offset}"));
                let known = b > 0 && !grown(&before, pair.host().cpu()).contains(&Counter::FlowsCreated);
                let names = expected(TcpFlags(flags), offset, known && opened(flags));
                assert_eq!(grown(&before, pair.host().cpu()), names, "block {b} flags {flags:#04x} offset {offset}");
            }
        }
    }
    let counters = pair.counters_agree("headers on no flow");
    println!("{} frames, {} findings", counters.get(Counter::Packets), counters.matched_total());
}

/// Whether the same header has opened a flow with the block before.
fn opened(flags: u8) -> bool {
    expected(TcpFlags(flags), 5, false).contains(&Counter::FlowsCreated)
}

#[test]
fn every_header_on_an_established_flow() {
    let Some(mut pair) = Pair::load(Config::replay(BUCKETS)) else { return };
    let mut time = SECOND;
    let mut told = [0u64; 256];
    for (b, block) in BLOCKS.iter().enumerate() {
        for flags in 0..=255u8 {
            let port = 1024 + u16::from(flags);
            time += 700 * SECOND;
            let handshake = [
                frame(port, TcpFlags::SYN.0, 1000, 0, BLOCKS[1], 0),
                answer(port, TcpFlags::SYN.with(TcpFlags::ACK), 5000, 1001),
                frame(port, TcpFlags::ACK.0, 1001, 5001, &[], 0),
            ];
            for (n, bytes) in handshake.iter().enumerate() {
                time += 1_000_000;
                let hook = if n == 1 { Hook::Egress } else { Hook::Ingress };
                pair.agree(time, hook, bytes, format_args!("handshake {n} before flags {flags:#04x}"));
            }
            for offset in 0..16u8 {
                time += 1_000_000;
                let what = format!("block {b} flags {flags:#04x} offset {offset}");
                let before = *pair.host().cpu();
                pair.agree(time, Hook::Ingress, &odd(port, flags, offset, block), &what);
                let now = pair.host().cpu();
                assert_eq!(grown(&before, now), expected(TcpFlags(flags), offset, true), "{what}");
                for (told, (now, before)) in told.iter_mut().zip(now.matched.iter().zip(&before.matched)) {
                    *told += now - before;
                }
            }
        }
    }
    let counters = pair.counters_agree("headers on a flow");
    println!("{} frames, {} findings", counters.get(Counter::Packets), counters.matched_total());
    // Of the flags' 256, times the offsets from 5 on: each illegal header is told, by one name.
    let headers = (BLOCKS.len() * 11) as u64;
    let held = TcpFlags::FIN.with(TcpFlags::SYN).with(TcpFlags::RST).with(TcpFlags::ACK).0;
    let names = |wanted: Kind, is: fn(u8) -> bool| {
        let combinations = (0..=255u8).filter(|flags| is(flags & held)).count() as u64;
        assert_eq!(told[wanted as usize], combinations * headers, "{}", wanted.id());
    };
    names(Kind::FlagNull, |held| held == 0);
    names(Kind::FlagFinNoAck, |held| held == TcpFlags::FIN.0);
    names(Kind::FlagSynFin, |held| held & 7 == 3);
    names(Kind::FlagSynRst, |held| held & 6 == 6);
    names(Kind::FlagFinRst, |held| held & 7 == 5);
}

/// Reserved bits and urgent pointers, by themselves.
#[test]
fn every_reserved_bit_and_some_pointers() {
    let Some(mut pair) = Pair::load(Config::replay(BUCKETS)) else { return };
    let mut port = 1024;
    for flags in [TcpFlags::ACK, TcpFlags::ACK.with(TcpFlags::URG), TcpFlags::SYN, TcpFlags::RST] {
        for reserved in 0..16u8 {
            for pointer in [0, 1, PAYLOAD as u16, u16::MAX] {
                port += 1;
                let before = *pair.host().cpu();
                for n in 0..2 {
                    let mut bytes = odd(port, flags.0, 5, &[]);
                    bytes[TCP + 12] |= reserved;
                    bytes[TCP + 18..TCP + 20].copy_from_slice(&pointer.to_be_bytes());
                    let what = format!("{flags:?} reserved {reserved:#x} pointer {pointer} {n}");
                    pair.agree(SECOND, Hook::Ingress, &bytes, what);
                }
                let now = pair.host().cpu();
                let told = |kind: Kind| now.matched[kind as usize] - before.matched[kind as usize];
                let opens = !flags.any(TcpFlags::RST);
                let urgent = flags.any(TcpFlags::URG) != (pointer != 0);
                if flags.any(TcpFlags::ACK) {
                    assert_eq!(told(Kind::UrgInconsistent), u64::from(urgent && opens));
                    assert_eq!(told(Kind::ReservedBits), u64::from(reserved & 14 != 0 && opens));
                }
            }
        }
    }
    pair.counters_agree("reserved bits");
}

/// Guarded ports, from all distances.
#[test]
fn every_distance_of_a_guarded_port() {
    let config = Config { gtsm_ports: [179, 443, 0, 0], gtsm_hops: 2, ..Config::replay(BUCKETS) };
    let Some(mut pair) = Pair::load(config) else { return };
    for ttl in 0..=255u8 {
        let port = 1024 + u16::from(ttl);
        for flags in [TcpFlags::SYN, TcpFlags::ACK, TcpFlags::ACK, TcpFlags::RST] {
            let mut bytes = odd(port, flags.0, 5, &[]);
            bytes[22] = ttl;
            pair.agree(SECOND, Hook::Ingress, &bytes, format_args!("TTL {ttl} {flags:?}"));
        }
    }
    // The SYN, the first of the others, and the reset.
    let counters = pair.counters_agree("guarded ports");
    assert_eq!(counters.matched[Kind::GtsmViolation as usize], 253 * 3);
}
