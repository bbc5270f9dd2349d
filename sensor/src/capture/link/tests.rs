//! Link types, frame by frame.

use super::*;

const IP4: [u8; 3] = [0x45, 1, 2];
const IP6: [u8; 3] = [0x60, 1, 2];
const MAC: [u8; 6] = [2, 3, 4, 5, 6, 7];

/// Presents a frame that was longer on the wire by 100 bytes than what is captured.
#[track_caller]
fn check(number: u32, header: &[u8], packet: &[u8], source: [u8; 6], ether_type: u16) {
    let frame = [header, packet].concat();
    let expected = [&[0; 6], source.as_slice(), &ether_type.to_be_bytes(), packet].concat();
    let mut presenter = Presenter::default();
    let (bytes, wire_len) = presenter.present(Link::of(number), &frame, frame.len() as u32 + 100);
    assert_eq!((bytes, wire_len as usize), (expected.as_slice(), expected.len() + 100));
    // Cut short anywhere within the link header, it is a truncated Ethernet frame, and its length on the wire stays.
    for length in 0..header.len() {
        let (bytes, cut_len) = presenter.present(Link::of(number), &frame[..length], frame.len() as u32 + 100);
        assert_eq!(bytes.len(), ADDRESSES, "cut to {length}");
        // PPP tells its header's length in its header.
        assert!(cut_len == wire_len || number == 9, "cut to {length}");
    }
}

#[test]
fn raw() {
    for number in [12, 14, 101] {
        check(number, &[], &IP4, [0; 6], IPV4);
        check(number, &[], &IP6, [0; 6], IPV6);
        check(number, &[], &[0x00], [0; 6], 0);
    }
    check(228, &[], &IP4, [0; 6], IPV4);
    check(229, &[], &IP6, [0; 6], IPV6);
}

#[test]
fn linux_cooked() {
    let sll = |length, protocol: [u8; 2]| [&[0, 0, 0, 1, 0, length], MAC.as_slice(), &[0, 0], &protocol].concat();
    check(113, &sll(6, [0x08, 0x00]), &IP4, MAC, IPV4);
    check(113, &sll(0, [0x86, 0xdd]), &IP6, [0; 6], IPV6);
    // A VLAN tag lies where Ethernet has it, too.
    check(113, &sll(6, [0x81, 0x00]), &[0, 100, 8, 0, 0x45], MAC, 0x8100);

    let sll2 =
        |length, protocol: [u8; 2]| [protocol.as_slice(), &[0, 0, 0, 0, 0, 9, 0, 1, 4, length], &MAC, &[0, 0]].concat();
    let header = sll2(6, [0x08, 0x00]);
    check(276, &header, &IP4, MAC, IPV4);
    check(276, &sll2(8, [0x86, 0xdd]), &IP6, [0; 6], IPV6);
}

#[test]
fn loopback() {
    for number in [0, 108] {
        check(number, &[2, 0, 0, 0], &IP4, [0; 6], IPV4);
        check(number, &[0, 0, 0, 2], &IP4, [0; 6], IPV4);
        for family in [10, 23, 24, 28, 30] {
            check(number, &[family, 0, 0, 0], &IP6, [0; 6], IPV6);
            check(number, &[0, 0, 0, family], &IP6, [0; 6], IPV6);
        }
        check(number, &[0, 0, 0, 7], &IP4, [0; 6], 0);
    }
}

#[test]
fn serial_lines() {
    check(9, &[0xff, 3, 0, 0x21], &IP4, [0; 6], IPV4);
    check(9, &[0, 0x57], &IP6, [0; 6], IPV6);
    check(9, &[0x21], &IP4, [0; 6], IPV4);
    check(9, &[0xff, 3, 0xc0, 0x21], &[1], [0; 6], 0);
    check(104, &[0x0f, 0, 8, 0], &IP4, [0; 6], IPV4);
    check(104, &[0x8f, 0, 0x86, 0xdd], &IP6, [0; 6], IPV6);
}

#[test]
fn copies_no_more_than_headers() {
    let mut presenter = Presenter::default();
    let (bytes, wire_len) = presenter.present(Link::Ipv4, &[0x45; 1500], 1500);
    assert_eq!((bytes.len(), wire_len), (HEADER + SNAP, 1514));
}
