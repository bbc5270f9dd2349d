//! The parser against one that somebody else wrote.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use etherparse::{NetSlice, SlicedPacket, TcpOptionElement, TcpSlice, TransportSlice};
use proptest::{collection::vec, prelude::*};
use sensor_common::{
    flow::{LinkId, TcpFlags},
    wire::{Options, Packet, Slice, parse},
};

/// An IPv6 extension header that the oracle walks too (not the mobility header): its number, and its length field.
fn extension() -> impl Strategy<Value = (u8, u8)> {
    prop_oneof![
        (Just(43), 0..4u8),
        (Just(60), 0..4u8),
        (Just(44), Just(0)),
        // It counts in units of 4 bytes, of which IPv6 takes even numbers (RFC 4302 §3.3.3.2.1).
        (Just(51), (1..4u8).prop_map(|n| n * 2)),
    ]
}

fn option() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![1]),
        any::<u16>().prop_map(|mss| [&[2, 4][..], &mss.to_be_bytes()].concat()),
        (0..15u8).prop_map(|shift| vec![3, 3, shift]),
        Just(vec![4, 2]),
        any::<[u8; 8]>().prop_map(|times| [&[8, 10][..], &times].concat()),
        any::<[u8; 8]>().prop_map(|block| [&[5, 10][..], &block].concat()),
    ]
}

fn tcp() -> impl Strategy<Value = Vec<u8>> {
    (any::<[u8; 20]>(), vec(option(), 0..5), 0..60usize).prop_map(|(mut header, options, payload)| {
        let mut options = options.concat();
        options.resize(options.len().next_multiple_of(4).min(40), 1);
        header[12] = ((20 + options.len()) as u8) << 2;
        [&header[..], &options, &vec![b'x'; payload]].concat()
    })
}

prop_compose! {
    fn v4()(mut header in any::<[u8; 20]>(), options in vec(Just(1u8), 0..=10), tcp in tcp()) -> (u16, Vec<u8>) {
        let options = [&options[..], &options, &options, &options].concat();
        header[0] = 0x45 + (options.len() / 4) as u8;
        let total = (20 + options.len() + tcp.len()) as u16;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        (header[6], header[7]) = (header[6] & 0x40, 0);
        header[9] = 6;
        (0x0800, [&header[..], &options, &tcp].concat())
    }
}

prop_compose! {
    fn v6()(mut header in any::<[u8; 40]>(), chain in vec(extension(), 0..=6), tcp in tcp()) -> (u16, Vec<u8>) {
        let next = |i: usize| chain.get(i).map_or(6, |(number, _)| *number);
        let extensions: Vec<u8> = chain.iter().enumerate().flat_map(|(i, &(number, units))| {
            let size = 8 + usize::from(units) * if number == 51 { 4 } else { 8 };
            let mut bytes = vec![0; size];
            bytes[..2].copy_from_slice(&[next(i + 1), units]);
            bytes
        }).collect();
        header[0] = 0x60 | header[0] & 0xf;
        header[4..6].copy_from_slice(&((extensions.len() + tcp.len()) as u16).to_be_bytes());
        header[6] = next(0);
        (0x86dd, [&header[..], &extensions, &tcp].concat())
    }
}

prop_compose! {
    fn frame()((ethertype, packet) in prop_oneof![v4(), v6()], macs in any::<[u8; 12]>(),
               tags in vec((prop_oneof![Just(0x8100u16), Just(0x88a8)], any::<u16>()), 0..=2),
               padding in 0..10usize) -> Vec<u8> {
        let mut frame = macs.to_vec();
        for (kind, tag) in tags {
            frame.extend(kind.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        frame.extend(ethertype.to_be_bytes());
        frame.extend(packet);
        frame.resize(frame.len() + padding, 0);
        frame
    }
}

/// An address as the key has it.
fn words(address: &[u8]) -> [u32; 4] {
    let mut words = [0, 0, 0xffff, 0];
    let first = 4 - address.len() / 4;
    for (word, bytes) in words[first..].iter_mut().zip(address.chunks(4)) {
        *word = u32::from_be_bytes(bytes.try_into().unwrap());
    }
    words
}

/// Options, where the parser walks them.
fn options_agree(packet: &Packet, tcp: &TcpSlice<'_>) -> Result<(), TestCaseError> {
    use TcpOptionElement::{MaximumSegmentSize, SelectiveAcknowledgementPermitted, Timestamp, WindowScale};
    let Ok(options) = tcp.options_iterator().collect::<Result<Vec<_>, _>>() else {
        return Ok(()); // The oracle gives up on lists that were cut.
    };
    let has = |wanted: fn(&TcpOptionElement) -> bool| options.iter().any(wanted);
    prop_assert_eq!(packet.options.any(Options::MSS), has(|o| matches!(o, MaximumSegmentSize(_))));
    prop_assert_eq!(packet.options.any(Options::SACK), has(|o| matches!(o, SelectiveAcknowledgementPermitted)));
    prop_assert_eq!(packet.options.any(Options::TIMESTAMPS), has(|o| matches!(o, Timestamp(..))));
    // The last one counts.
    let scale = options.iter().rev().find_map(|o| if let WindowScale(n) = o { Some(*n) } else { None });
    prop_assert_eq!(packet.options.any(Options::WSCALE).then_some(packet.wscale), scale);
    let time = options.iter().rev().find_map(|o| if let Timestamp(n, _) = o { Some(*n) } else { None });
    prop_assert_eq!(packet.tsval, time.unwrap_or(0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn agrees_with_the_oracle(frame in frame()) {
        let oracle = SlicedPacket::from_ethernet(&frame).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = &oracle.transport else { panic!("no TCP") };
        let mut packet = Packet::default();
        prop_assert_eq!(parse(&Slice::new(&frame, frame.len()), 3, 0, true, &mut packet), Ok(()));

        let (version, ttl, tos, id, df, source, destination) = match oracle.net.as_ref().unwrap() {
            NetSlice::Ipv4(ip) => {
                let h = ip.header();
                let tos = h.dcp().value() << 2 | h.ecn().value();
                (4, h.ttl(), tos, h.identification(), h.dont_fragment(), words(&h.source()), words(&h.destination()))
            }
            NetSlice::Ipv6(ip) => {
                let h = ip.header();
                let label = h.flow_label().value();
                let id = (label ^ label >> 4) as u16;
                (6, h.hop_limit(), h.traffic_class(), id, false, words(&h.source()), words(&h.destination()))
            }
            NetSlice::Arp(_) => panic!("ARP"),
        };
        let vlans = oracle.vlan_ids();
        let vlan = |i: usize| vlans.get(i).map_or(0, |id| id.value());
        prop_assert_eq!(packet.key.link, LinkId::new(3, version, vlan(0), vlan(1)));
        let (from, to) = (packet.side(), packet.side().other());
        prop_assert_eq!((packet.key.addr(from), packet.key.port(from)), (&source, tcp.source_port()));
        prop_assert_eq!((packet.key.addr(to), packet.key.port(to)), (&destination, tcp.destination_port()));
        prop_assert_eq!((packet.ttl, packet.tos, packet.ipid), (ttl, tos, id));
        prop_assert_eq!(packet.options.any(Options::DONT_FRAGMENT), df);
        prop_assert_eq!((packet.seq.0, packet.ack.0), (tcp.sequence_number(), tcp.acknowledgment_number()));
        prop_assert_eq!((packet.win, packet.len as usize), (tcp.window_size(), tcp.payload().len()));
        let flags = [tcp.fin(), tcp.syn(), tcp.rst(), tcp.psh(), tcp.ack(), tcp.urg(), tcp.ece(), tcp.cwr()];
        let flags = (0..8).map(|bit| u8::from(flags[bit]) << bit).sum();
        prop_assert_eq!(packet.flags, TcpFlags(flags));

        if packet.flags.any(TcpFlags::SYN.with(TcpFlags::RST)) {
            options_agree(&packet, tcp)?;
        }
    }

    /// What is cut anywhere is refused for a reason, or read the same where the headers are whole.
    #[test]
    fn cut_frames_are_truncated_or_the_same(frame in frame(), cut in any::<prop::sample::Index>()) {
        let (mut whole, mut part) = (Packet::default(), Packet::default());
        let cut = cut.index(frame.len());
        parse(&Slice::new(&frame, frame.len()), 0, 0, true, &mut whole).unwrap();
        if parse(&Slice::new(&frame[..cut], frame.len()), 0, 0, true, &mut part).is_ok() {
            prop_assert_eq!((part.key, part.seq, part.ack, part.len), (whole.key, whole.seq, whole.ack, whole.len));
            prop_assert_eq!((part.win, part.flags), (whole.win, whole.flags));
            prop_assert_eq!((part.ttl, part.ipid), (whole.ttl, whole.ipid));
        }
    }
}
