//! Segments that escaped the translation of addresses. The client knows its server by a service's address; the server behind it has
//! one of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::cases;
use crate::scenario::{ACK, Expected, PSH_ACK, RST, SYN_ACK, Scenario, Who, finding};

cases! {
    UnNatedLeak: untranslated_and_torn_down, untranslated_at_the_same_port, untranslated_old_duplicate,
        untranslated_after_a_day_of_silence, untranslated_while_bytes_flow,
        late_segment_of_what_is_over, late_segment_of_the_port_before, late_segment_after_an_abort,
        segment_from_nowhere, acknowledges_what_was_never_sent, numbers_far_away, answered_too_late, answered_by_a_device,
        scan_with_acks, other_client_of_the_same_port, answer_past_the_translator;
}

/// Where the server really is.
fn behind(service: SocketAddr) -> SocketAddr {
    SocketAddr::new(beside(service.ip()), 8443)
}

/// Another address of the same family.
fn beside(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() ^ 0x0100).into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() ^ 0x0100_0000).into(),
    }
}

fn leak() -> Expected {
    finding("un-nated-leak").warn()
}

impl Scenario {
    /// The server's segment, off by so much, comes from its own address; the client's kernel knows no such connection.
    fn escapes(self, seq_by: i32, ack_by: i32) -> Self {
        self.escapes_from(behind, seq_by, ack_by).rejected(behind, ack_by)
    }

    fn escapes_from(self, from: fn(SocketAddr) -> SocketAddr, seq_by: i32, ack_by: i32) -> Self {
        self.from_server(PSH_ACK, |p| p.forged().len(300).source(from).seq_by(seq_by).ack_by(ack_by))
    }

    fn rejected(self, to: fn(SocketAddr) -> SocketAddr, seq_by: i32) -> Self {
        self.from_client(RST, |p| p.forged().bare().win(0).id(0).destination(to).seq_by(seq_by))
    }
}

fn untranslated_and_torn_down(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).escapes(0, 0).client_data(100);
    s.socketless(Who::Server, |p| p).rest(leak())
}

fn untranslated_at_the_same_port(s: Scenario) -> Scenario {
    let same = |service: SocketAddr| SocketAddr::new(beside(service.ip()), service.port());
    s.handshake().talk(2).escapes_from(same, 0, 0).rejected(same, 0).rest(leak())
}

fn untranslated_old_duplicate(s: Scenario) -> Scenario {
    s.handshake().talk(4).escapes(-800, -200).rest(leak())
}

fn untranslated_after_a_day_of_silence(s: Scenario) -> Scenario {
    s.handshake().talk(2).after(86_400_000).escapes(0, 0).rest(leak())
}

/// By the time that it is judged, both sides have gone on.
fn untranslated_while_bytes_flow(s: Scenario) -> Scenario {
    (0..30).fold(s.handshake().talk(2).escapes(0, 0), |s, _| s.server_data(1448).ack()).rest(leak())
}

fn late_segment_of_what_is_over(s: Scenario) -> Scenario {
    s.handshake().talk(2).client_fin().server_fin().ack().escapes(-300, 0).rest_in_peace()
}

fn late_segment_of_the_port_before(s: Scenario) -> Scenario {
    let s = s.handshake().talk(1).client_fin().server_fin().ack().after(90_000);
    s.reconnect().handshake().talk(2).escapes(-3_000_000, -3_000_000).rest_in_peace()
}

/// Both sides of a translator pass the sensor, and with them what the client's kernel answers.
fn late_segment_after_an_abort(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).rst(|p| p).server_data(300);
    s.socketless(Who::Client, |p| p).escapes(-300, 0).rest(finding("ct-data-rstack").info())
}

fn segment_from_nowhere(s: Scenario) -> Scenario {
    s.escapes(5_000, 5_000).rest_in_peace()
}

fn acknowledges_what_was_never_sent(s: Scenario) -> Scenario {
    s.handshake().talk(2).escapes(0, 1).rest_in_peace()
}

fn numbers_far_away(s: Scenario) -> Scenario {
    s.handshake().talk(2).escapes(1 << 25, 0).escapes(-(1 << 25), 0).escapes(0, -(1 << 25)).rest_in_peace()
}

fn answered_too_late(s: Scenario) -> Scenario {
    s.handshake().talk(2).escapes_from(behind, 0, 0).after(150).rejected(behind, 0).rest_in_peace()
}

/// Its number is not taken from the segment.
fn answered_by_a_device(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).escapes_from(behind, 0, 0).rejected(behind, 4_000_000);
    s.expect(finding("rst-nonconforming").notice()).rest_in_peace()
}

fn scan_with_acks(s: Scenario) -> Scenario {
    (0..20_u32)
        .fold(s.handshake().talk(2), |s, i| {
            let (seq, ack) = (i.wrapping_mul(0x9e37_79b9), i.wrapping_mul(0x85eb_ca6b));
            let s = s.from_server(ACK, |p| p.forged().source(behind).raw_seq(seq).raw_ack(ack));
            s.from_client(RST, |p| p.forged().bare().win(0).id(0).destination(behind).raw_seq(ack))
        })
        .rest_in_peace()
}

/// The server did not open its connection: nobody translates what comes from its clients.
fn other_client_of_the_same_port(s: Scenario) -> Scenario {
    let other = |client: SocketAddr| SocketAddr::new(beside(client.ip()), client.port());
    let s = s.handshake().talk(2).from_client(PSH_ACK, |p| p.forged().len(300).source(other));
    s.from_server(RST, |p| p.forged().bare().win(0).id(0).destination(other)).rest_in_peace()
}

/// Hairpin: the whole way back leaves the translator out, so that no connection comes about.
fn answer_past_the_translator(s: Scenario) -> Scenario {
    let s = s.syn().from_server(SYN_ACK, |p| p.forged().source(behind));
    s.from_client(RST, |p| p.forged().bare().win(0).id(0).destination(behind))
}
