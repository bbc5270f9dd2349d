//! Each misdeed against hand-made packets: no root needed.

use std::net::SocketAddr;

use super::{
    Direction::{ToClient, ToServer},
    *,
};

const CLIENT: u16 = 40000;

fn packet(direction: Direction, seq: u32, ack: u32, flags: TcpFlags, payload: &[u8]) -> TcpPacket {
    let client = SocketAddr::from(([198, 51, 100, 10], CLIENT));
    let server = SocketAddr::from(([203, 0, 113, 10], 8080));
    let (source, destination, window) = match direction {
        ToServer => (client, server, 65535),
        ToClient => (server, client, 65323),
    };
    TcpPacket {
        macs: [[2; 6], [4; 6]],
        vlan: Some(5),
        source,
        destination,
        ttl: 125,
        id: 1,
        dont_fragment: true,
        flags,
        seq: SeqNumber(seq),
        ack: SeqNumber(ack),
        window,
        options: Vec::new(),
        payload: payload.to_vec(),
    }
}

fn data(direction: Direction, seq: u32, ack: u32) -> TcpPacket {
    packet(direction, seq, ack, TcpFlags::ACK, b"data")
}

fn judge(tamper: &mut impl Tamper, direction: Direction, packet: &TcpPacket) -> Action {
    tamper.judge(direction, &mut packet.build())
}

fn injected(action: Action) -> (bool, Vec<(Direction, TcpPacket)>) {
    let Action::Inject { forward, frames } = action else {
        panic!("{action:?}");
    };
    let parsed = frames.iter().map(|(direction, frame)| (*direction, TcpPacket::parse(frame).unwrap())).collect();
    (forward, parsed)
}

#[test]
fn the_fin_is_answered_and_the_rest_swallowed() {
    for (variant, ack) in [(AckField::Conforming, 105), (AckField::Nonconforming, 0)] {
        let mut tamper = answer_fin(CLIENT, variant);
        let fin = packet(ToClient, 100, 500, TcpFlags(0x11), b"last");
        assert_eq!(judge(&mut tamper, ToServer, &data(ToServer, 496, 100)), Action::Forward);
        let (forward, forged) = injected(judge(&mut tamper, ToClient, &fin));
        let [(ToServer, reset)] = forged.as_slice() else {
            panic!("{forged:?}");
        };
        assert!(!forward);
        assert_eq!((reset.seq, reset.ack), (SeqNumber(500), SeqNumber(ack)));
        assert_eq!((reset.ttl, reset.window, reset.flags), (255, 65323, RST_ACK));
        assert_eq!((reset.macs, reset.vlan), ([[4; 6], [2; 6]], Some(5)));
        assert_eq!(judge(&mut tamper, ToClient, &fin), Action::Drop);
        assert_eq!(judge(&mut tamper, ToServer, &data(ToServer, 500, 105)), Action::Drop);
    }
}

#[test]
fn resets_come_after_the_chosen_segment_only() {
    let mut tamper = reset(CLIENT, 2, 60, Victims::Both);
    let first = data(ToServer, 0, 9);
    for passing in [first.clone(), first] {
        assert_eq!(judge(&mut tamper, ToServer, &passing), Action::Forward);
    }
    let (forward, forged) = injected(judge(&mut tamper, ToServer, &data(ToServer, 4, 9)));
    let [(ToServer, one), (ToClient, other)] = forged.as_slice() else {
        panic!("{forged:?}");
    };
    assert!(forward);
    assert_eq!((one.seq, one.ack, one.ttl), (SeqNumber(8), SeqNumber(9), 60));
    assert_eq!((other.seq, other.ack, other.ttl), (SeqNumber(9), SeqNumber(8), 60));
    assert_eq!(judge(&mut tamper, ToServer, &data(ToServer, 8, 9)), Action::Forward);
}

#[test]
fn a_forged_fin_and_a_forged_answer_have_the_next_numbers() {
    let (_, forged) = injected(judge(&mut finish(CLIENT, 1, 64), ToServer, &data(ToServer, 0, 9)));
    assert_eq!((forged[0].1.seq, forged[0].1.flags), (SeqNumber(4), TcpFlags(0x11)));

    for (asked, towards) in [(ToServer, ToClient), (ToClient, ToServer)] {
        let mut tamper = inject_data(CLIENT, towards, 1, 64, b"forged".to_vec());
        assert_eq!(judge(&mut tamper, towards, &data(towards, 9, 0)), Action::Forward);
        let (forward, forged) = injected(judge(&mut tamper, asked, &data(asked, 0, 9)));
        let [(way, answer)] = forged.as_slice() else {
            panic!("{forged:?}");
        };
        assert!(forward && *way == towards);
        assert_eq!((answer.seq, answer.ack), (SeqNumber(9), SeqNumber(4)));
        assert_eq!(answer.payload, b"forged");
    }
}

#[test]
fn a_cut_and_other_connections() {
    let mut tamper = cut(CLIENT, ToClient);
    assert_eq!(judge(&mut tamper, ToClient, &data(ToClient, 0, 0)), Action::Drop);
    assert_eq!(judge(&mut tamper, ToServer, &data(ToServer, 0, 0)), Action::Forward);
    let mut other = cut(CLIENT + 1, ToClient);
    assert_eq!(judge(&mut other, ToClient, &data(ToClient, 0, 0)), Action::Forward);
}
