//! Segments that no stack makes.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, FIN_ACK, PSH_ACK, RST_ACK, SYN_ACK, Scenario, finding};

cases! {
    FlagSynFin: opens_and_closes_at_once, closes_what_it_opened;
    FlagSynRst: opens_and_aborts_at_once, aborts_what_it_opened;
    FlagFinRst: closes_and_aborts_at_once, aborts_after_closing;
    FlagFinNoAck: closes_without_ack, xmas_tree, closes_with_all_the_flags_there_are;
    FlagNull: says_nothing, says_nothing_to_nobody;
    Land: talks_to_itself_over_a_wire, talks_to_itself;
    PortZero: port_that_nobody_has, port_one;
    SynWithData: request_with_payload, request_with_a_cookie, merged_segments;
    UrgInconsistent: points_without_urgency, urgent_and_nowhere, points_ahead;
    ReservedBits: bit_of_no_meaning, accurate_ecn;
    RstWithData: reset_that_explains_itself, data_then_reset;
    AckNonzeroNoAck: request_that_acknowledges, reset_with_an_old_number;
    OptInvalid: option_beyond_the_end, option_of_no_length, timestamp_too_short, options_in_any_order;
    OptDup: two_segment_sizes, two_timestamps, blocks_and_padding;
    GtsmViolation: asks_from_afar, peer_that_is_not_set_up, reset_from_afar, anybody_may_be_far, peers_are_near;
}

const SYN_FIN: TcpFlags = TcpFlags::SYN.with(TcpFlags::FIN);
const XMAS: TcpFlags = TcpFlags::FIN.with(TcpFlags::PSH).with(TcpFlags::URG);

fn opens_and_closes_at_once(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(SYN_FIN, |p| p.forged().bare())
        .expect(finding("flag-syn-fin").notice())
        // It was no request, and no end.
        .talk(2)
}

fn closes_what_it_opened(s: Scenario) -> Scenario {
    s.handshake().client_fin().server_fin().ack()
}

fn opens_and_aborts_at_once(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(TcpFlags::SYN.with(TcpFlags::RST).with(ACK), |p| p.seq(101).bare())
        .expect(finding("flag-syn-rst").notice())
}

fn aborts_what_it_opened(s: Scenario) -> Scenario {
    s.handshake().talk(1).rst(|p| p)
}

fn closes_and_aborts_at_once(s: Scenario) -> Scenario {
    s.handshake().talk(1).rst(|p| p.flags(RST_ACK.with(TcpFlags::FIN))).expect(finding("flag-fin-rst").notice())
}

fn aborts_after_closing(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().server_ack().rst(|p| p)
}

fn closes_without_ack(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(TcpFlags::FIN, |p| p.forged())
        .expect(finding("flag-fin-noack").notice())
        // It ended nothing.
        .talk(2)
        .client_fin()
        .server_fin()
        .ack()
}

fn xmas_tree(s: Scenario) -> Scenario {
    // Without a pointer, URG would be odd too; a finding for each segment is enough.
    s.handshake().talk(1).from_server(XMAS, |p| p.forged()).expect(finding("flag-fin-noack").notice()).talk(1)
}

fn closes_with_all_the_flags_there_are(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().from_server(FIN_ACK.with(TcpFlags::PSH).with(TcpFlags::ECE), |p| p).ack()
}

fn says_nothing(s: Scenario) -> Scenario {
    s.handshake().talk(1).from_client(TcpFlags(0), |p| p.forged()).expect(finding("flag-null").notice()).talk(1)
}

/// A scan: it opens no flow, and is counted.
fn says_nothing_to_nobody(s: Scenario) -> Scenario {
    s.from_client(TcpFlags(0), |p| p.forged().bare())
        .from_client(SYN_FIN, |p| p.forged().bare())
        .from_client(XMAS, |p| p.forged().bare())
        .from_client(FIN_ACK, |p| p.forged().bare())
}

fn talks_to_itself_over_a_wire(s: Scenario) -> Scenario {
    let host = if s.is_v6() { ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 9], 139).into() } else { ([192, 0, 2, 9], 139).into() };
    s.client(|c| c.address(host)).server(|s| s.address(host)).syn().expect(finding("land").notice())
}

/// A socket connected to itself: a simultaneous open of one.
fn talks_to_itself(s: Scenario) -> Scenario {
    let host = if s.is_v6() { ([0, 0, 0, 0, 0, 0, 0, 1], 4000).into() } else { ([127, 0, 0, 1], 4000).into() };
    s.client(|c| c.address(host).mac([0; 6])).server(|s| s.address(host).mac([0; 6])).syn()
}

fn port_that_nobody_has(s: Scenario) -> Scenario {
    s.port(0).syn().expect(finding("port-zero").notice()).server_rst(|p| p.raw_seq(0).win(0).bare())
}

fn port_one(s: Scenario) -> Scenario {
    s.port(1).handshake().talk(1)
}

fn request_with_payload(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(40)).expect(finding("syn-with-data").notice()).synack().ack().talk(1)
}

fn request_with_a_cookie(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(40).cookie()).synack().ack().talk(1)
}

fn points_without_urgency(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(PSH_ACK, |p| p.len(20).urgent(7))
        .expect(finding("urg-inconsistent").notice())
        // Once is enough.
        .from_client(PSH_ACK, |p| p.len(20).urgent(7))
        .talk(1)
}

fn urgent_and_nowhere(s: Scenario) -> Scenario {
    let urgent = PSH_ACK.with(TcpFlags::URG);
    s.handshake().from_client(urgent, |p| p.len(20)).expect(finding("urg-inconsistent").notice()).talk(1)
}

/// As Linux announces urgent data that are still to come.
fn points_ahead(s: Scenario) -> Scenario {
    let urgent = PSH_ACK.with(TcpFlags::URG);
    s.handshake()
        .from_client(urgent, |p| p.len(1448).urgent(9000))
        .from_client(urgent, |p| p.len(20).urgent(20))
        .talk(1)
}

fn bit_of_no_meaning(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(PSH_ACK, |p| p.len(20).reserved(4))
        .expect(finding("reserved-bits").info())
        .talk(1)
}

/// AE with ECE and CWR: AccECN's SYN (RFC 9768).
fn accurate_ecn(s: Scenario) -> Scenario {
    let asks = TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR);
    s.from_client(asks, |p| p.reserved(1)).from_server(SYN_ACK, |p| p.reserved(1)).ack().talk(1)
}

fn reset_that_explains_itself(s: Scenario) -> Scenario {
    s.handshake().talk(1).rst(|p| p.len(30)).expect(finding("rst-with-data").info())
}

fn data_then_reset(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_data(30).rst(|p| p)
}

fn request_that_acknowledges(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.raw_ack(77)).expect(finding("ack-nonzero-noack").info()).synack().ack().talk(1)
}

/// As Windows fills the field.
fn reset_with_an_old_number(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().server_fin().from_client(TcpFlags::RST, |p| p.windows().win(0).bare())
}

fn option_beyond_the_end(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.options(&[2, 4, 5, 180, 1, 1, 8, 10]))
        .expect(finding("opt-invalid").notice())
        .synack()
        .ack()
}

fn option_of_no_length(s: Scenario) -> Scenario {
    s.client(|c| c.plain())
        .handshake()
        .from_client(PSH_ACK, |p| p.len(9).options(&[1, 1, 77, 0]))
        .expect(finding("opt-invalid").notice())
        .from_client(PSH_ACK, |p| p.len(9).options(&[1, 1, 77, 1]))
        .talk(1)
}

fn timestamp_too_short(s: Scenario) -> Scenario {
    s.handshake()
        .from_client(PSH_ACK, |p| p.len(9).options(&[1, 1, 8, 6, 0, 0, 0, 1]))
        .expect(finding("opt-invalid").notice())
        .talk(1)
}

/// An end that leaves the rest to chance, a kind that nobody knows, padding in front.
fn options_in_any_order(s: Scenario) -> Scenario {
    s.client(|c| c.plain())
        .from_client(TcpFlags::SYN, |p| p.options(&[1, 1, 1, 1, 253, 3, 9, 2, 4, 5, 180, 0, 8, 1, 8, 99]))
        .synack()
        .from_client(ACK, |p| p.options(&[0, 8, 0, 8]))
        .talk(1)
}

fn two_segment_sizes(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.options(&[2, 4, 5, 180, 2, 4, 2, 24]))
        .expect(finding("opt-dup").notice())
        .synack()
        .ack()
        .talk(1)
}

fn two_timestamps(s: Scenario) -> Scenario {
    let stamp = [8, 10, 255, 0, 0, 1, 0, 0, 0, 0];
    s.client(|c| c.plain())
        .handshake()
        .from_client(PSH_ACK, |p| p.len(9).options(&[&stamp[..], &stamp, &[1; 4]].concat()))
        .expect(finding("opt-dup").notice())
}

/// SACK blocks with and without timestamps, and MPTCP twice.
fn blocks_and_padding(s: Scenario) -> Scenario {
    s.client(|c| c.plain())
        .handshake()
        .client_data(100)
        .from_server(ACK, |p| p.options(&[1, 1, 5, 10, 0, 0, 9, 9, 0, 0, 9, 99]))
        .from_server(ACK, |p| p.options(&[5, 10, 0, 0, 9, 9, 0, 0, 9, 99, 1, 1]))
        .from_server(ACK, |p| p.options(&[30, 4, 0, 0, 30, 4, 0, 0]))
        .talk(1)
}

/// GRO and TSO: 64 kB at once, in both directions.
fn merged_segments(s: Scenario) -> Scenario {
    let burst = |s: Scenario| s.client_data(65_160).server_ack().server_data(65_160).ack();
    (0..4).fold(s.handshake(), |s, _| burst(s)).client_fin().server_fin().ack()
}

fn asks_from_afar(s: Scenario) -> Scenario {
    s.guard(443).server(|s| s.ttl(255)).client(|c| c.ttl(253)).syn().expect(finding("gtsm-violation").alert())
}

fn peer_that_is_not_set_up(s: Scenario) -> Scenario {
    s.guard(443)
        .server(|s| s.ttl(255))
        .client(|c| c.ttl(63))
        .syn()
        .expect(finding("gtsm-violation").alert())
        .synack()
        .ack()
        .expect(finding("gtsm-violation").warn())
        .talk(3)
}

fn reset_from_afar(s: Scenario) -> Scenario {
    s.guard(443)
        .server(|s| s.ttl(255))
        .client(|c| c.ttl(254))
        .handshake()
        .talk(2)
        .rst(|p| p.forged().ttl(250))
        .expect(finding("gtsm-violation").alert())
        .expect(finding("ttl-rst-mismatch").evidence(&["ttl-rst-mismatch"]))
}

fn peers_are_near(s: Scenario) -> Scenario {
    s.guard(443).server(|s| s.ttl(255)).client(|c| c.ttl(254)).handshake().talk(2).client_fin().server_fin().ack()
}

/// Not unless the port is guarded.
fn anybody_may_be_far(s: Scenario) -> Scenario {
    s.client(|c| c.ttl(44)).handshake().talk(1)
}
