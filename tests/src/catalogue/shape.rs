//! Segments that no stack makes, and numbers that leap.

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
    SeqUnderflow: byte_before_the_first, old_byte, gigabytes_unseen, weeks_apart, picked_up_and_left;
    AckUnderflow: acknowledges_before_the_first, acknowledges_again, nobody_acknowledges;
    FinMoved: ends_further_on, ends_again, ends_after_all_is_sent_again;
    WinRecision: takes_its_window_back, closes_its_window, fills_its_window, doubles_for_a_moment, older_window_comes_late, first_window_after_a_syn;
    TsMissing: forgets_its_timestamps, sheds_its_options, never_agreed_on_timestamps, probes_without_timestamps, timestamps_behind_blocks;
    TsEchoImpossible: echoes_what_was_never_sent, echoes_what_was_not_seen;
    PawsReject: clock_runs_backwards, clock_that_jumped, overtaken_by_newer;
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

fn byte_before_the_first(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(PSH_ACK, |p| p.forged().len(10).seq_by(-100_000_000))
        .expect(finding("seq-underflow").notice())
        .talk(1)
}

/// The sensor sees one segment of each gigabyte: numbers go round, and the first one means nothing any more.
fn gigabytes_unseen(s: Scenario) -> Scenario {
    let far = |s: Scenario| s.from_client(PSH_ACK, |p| p.len(10).seq_by(1 << 30)).server_ack().ack();
    (0..9).fold(s.handshake().talk(1), |s, _| far(s)).talk(1)
}

/// A connection of weeks, with a word a week.
fn weeks_apart(s: Scenario) -> Scenario {
    const WEEK: u64 = 7 * 24 * 3_600_000;
    (0..5).fold(s.handshake(), |s, _| s.talk(1).after(WEEK)).client_fin().server_fin().ack()
}

/// A capture that begins and ends in the middle.
fn picked_up_and_left(s: Scenario) -> Scenario {
    let unseen = |p: crate::scenario::Draft| p.unseen();
    s.from_client(TcpFlags::SYN, unseen).from_server(SYN_ACK, unseen).from_client(ACK, unseen).talk(3)
}

/// 3 GiB without an acknowledgment, as far as the sensor sees.
fn nobody_acknowledges(s: Scenario) -> Scenario {
    let s = (0..3).fold(s.handshake().talk(1), |s, _| s.from_client(PSH_ACK, |p| p.len(10).seq_by(1 << 30)));
    s.server_ack().talk(1)
}

/// The second SYN goes without options, as old stacks do; so nobody agrees on any.
fn sheds_its_options(s: Scenario) -> Scenario {
    s.syn()
        .after(1000)
        .client(|c| c.plain())
        .from_client(TcpFlags::SYN, |p| p.options(&[2, 4, 5, 180]))
        .server(|s| s.plain())
        .synack()
        .ack()
        .talk(2)
}

/// GRO and TSO: 64 kB at once, in both directions.
fn merged_segments(s: Scenario) -> Scenario {
    let burst = |s: Scenario| s.client_data(65_160).server_ack().server_data(65_160).ack();
    (0..4).fold(s.handshake(), |s, _| burst(s)).client_fin().server_fin().ack()
}

/// A retransmission of the first byte, and a keep-alive before anything was sent.
fn old_byte(s: Scenario) -> Scenario {
    s.handshake().from_client(ACK, |p| p.seq_by(-1)).talk(3).from_client(PSH_ACK, |p| p.seq(1).len(100)).talk(1)
}

fn acknowledges_before_the_first(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(ACK, |p| p.forged().ack_by(-100_000_000))
        .expect(finding("ack-underflow").notice())
        .talk(1)
}

/// An acknowledgment that was overtaken by all that followed.
fn acknowledges_again(s: Scenario) -> Scenario {
    s.handshake().talk(1).from_client(ACK, |p| p.ack(1)).talk(2)
}

fn ends_further_on(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(FIN_ACK, |p| p.forged())
        .from_client(PSH_ACK, |p| p.len(300).unseen())
        .client_fin()
        .expect(finding("fin-moved").warn().detail([300, 0]))
        .server_fin()
        .ack()
}

fn ends_again(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().after(300).again().server_fin().ack()
}

/// The FIN comes once more, behind the last payload.
fn ends_after_all_is_sent_again(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_data(500)
        .client_fin()
        .after(300)
        .from_client(FIN_ACK.with(TcpFlags::PSH), |p| p.seq_by(-501).len(500))
        .server_fin()
        .ack()
}

fn takes_its_window_back(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .after(20)
        .from_server(ACK, |p| p.win(100))
        .expect(finding("win-recision").notice().detail([409 * 128, 100 * 128]))
        .talk(1)
}

fn closes_its_window(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_data(1000)
        .after(20)
        .from_server(ACK, |p| p.win(0))
        .expect(finding("win-recision").notice())
        .after(200)
        .server_ack()
        .talk(1)
}

/// As data arrive and nobody reads, down to nothing; rounded to the scale.
fn fills_its_window(s: Scenario) -> Scenario {
    let s = (1..=8u16).fold(s.handshake().talk(1), |s, n| {
        s.client_data(128 * 60 + 77).after(20).from_server(ACK, |p| p.win(509 - n * 60))
    });
    s.after(200).server_ack().talk(1)
}

/// As NetScaler does.
fn doubles_for_a_moment(s: Scenario) -> Scenario {
    s.handshake().talk(1).after(20).from_server(PSH_ACK, |p| p.len(400).win(1018)).ack().after(20).server_ack().talk(1)
}

/// Within the same millisecond, so that the timestamps do not tell them apart.
fn older_window_comes_late(s: Scenario) -> Scenario {
    s.handshake().talk(1).from_server(ACK, |p| p.win(100).late_us(120)).from_server(ACK, |p| p.win(600)).talk(1)
}

fn first_window_after_a_syn(s: Scenario) -> Scenario {
    s.server(|s| s.window(227).syn_window(28_960)).handshake().after(50).server_data(100).ack().talk(1)
}

fn forgets_its_timestamps(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_server(PSH_ACK, |p| p.len(100).bare())
        .expect(finding("ts-missing").notice())
        .ack()
        .from_server(PSH_ACK, |p| p.len(100).bare())
        .talk(1)
}

fn never_agreed_on_timestamps(s: Scenario) -> Scenario {
    s.server(|s| s.plain()).handshake().talk(2)
}

/// A load balancer's keep-alive.
fn probes_without_timestamps(s: Scenario) -> Scenario {
    s.handshake().talk(1).after(30_000).from_client(ACK, |p| p.seq_by(-1).bare().forged()).server_ack().talk(1)
}

fn timestamps_behind_blocks(s: Scenario) -> Scenario {
    let list = [8, 10, 255, 255, 255, 0, 0, 0, 0, 1, 5, 10, 0, 0, 9, 9, 0, 0, 9, 99];
    s.handshake().talk(1).from_server(ACK, |p| p.options(&list)).talk(1)
}

/// A timestamp option in its usual place.
fn stamp(value: u32) -> Vec<u8> {
    [&[1, 1, 8, 10][..], &value.to_be_bytes(), &[0; 4]].concat()
}

/// A segment with these timestamps.
fn echo(value: u32, echo: u32) -> Vec<u8> {
    [&[1, 1, 8, 10][..], &value.to_be_bytes(), &echo.to_be_bytes()].concat()
}

fn echoes_what_was_never_sent(s: Scenario) -> Scenario {
    let (mine, yours) = (stamp(1_000), stamp(2_000));
    s.from_client(TcpFlags::SYN, |p| p.options(&[&mine[..], &[1; 4]].concat()))
        .from_server(SYN_ACK, |p| p.options(&[&yours[..], &[1; 4]].concat()))
        .from_client(ACK, |p| p.options(&echo(1_001, 2_000)))
        .from_client(PSH_ACK, |p| p.len(50).options(&echo(1_001, 2_000)))
        .from_server(ACK, |p| p.options(&echo(2_001, 1_001)))
        .from_client(ACK, |p| p.options(&echo(1_001, 2_000)))
        .from_client(PSH_ACK, |p| p.forged().len(70).ttl(57).options(&echo(1_002, 900_000_000)))
        .expect(finding("ts-echo-impossible").warn())
}

/// The server's segments pass another way for a minute.
fn echoes_what_was_not_seen(s: Scenario) -> Scenario {
    let (mine, yours) = (stamp(1_000), stamp(2_000));
    s.from_client(TcpFlags::SYN, |p| p.options(&[&mine[..], &[1; 4]].concat()))
        .from_server(SYN_ACK, |p| p.options(&[&yours[..], &[1; 4]].concat()))
        .from_client(ACK, |p| p.options(&echo(1_001, 2_000)))
        .from_client(PSH_ACK, |p| p.len(50).options(&echo(1_001, 2_000)))
        .from_server(ACK, |p| p.options(&echo(2_001, 1_001)))
        .from_client(ACK, |p| p.options(&echo(1_001, 2_000)))
        .after(60_000)
        .from_client(FIN_ACK, |p| p.options(&echo(61_001, 62_000)))
        .from_client(ACK, |p| p.options(&echo(61_002, 62_000)))
}

fn clock_runs_backwards(s: Scenario) -> Scenario {
    let (now, then) = (stamp(900_000_000), stamp(5_000));
    s.handshake()
        .from_client(PSH_ACK, |p| p.len(100).options(&now))
        .server_ack()
        .from_client(PSH_ACK, |p| p.forged().len(200).options(&then))
        .from_server(ACK, |p| p)
        .after(300)
        .from_client(PSH_ACK, |p| p.len(200).options(&stamp(5_300)))
        .expect(finding("paws-reject").notice())
}

fn clock_that_jumped(s: Scenario) -> Scenario {
    let (now, then) = (stamp(900_000_000), stamp(5_000));
    s.handshake()
        .from_client(PSH_ACK, |p| p.len(100).options(&now))
        .server_ack()
        .from_client(PSH_ACK, |p| p.len(200).options(&then))
        .server_ack()
        .from_client(PSH_ACK, |p| p.len(200).options(&then))
        .after(300)
        .from_client(PSH_ACK, |p| p.seq(301).len(200).options(&stamp(5_300)))
        .server_ack()
}

/// A segment is late, and comes again when the newer ones have passed.
fn overtaken_by_newer(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .from_client(PSH_ACK, |p| p.len(200).late(30))
        .after(5)
        .client_data(200)
        .server_ack()
        .after(300)
        .from_client(PSH_ACK, |p| p.seq(101).len(200))
        .server_ack()
        .talk(1)
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
