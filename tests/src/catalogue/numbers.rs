//! Numbers that leap.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, Draft, FIN_ACK, PSH_ACK, SYN_ACK, Scenario, finding};

cases! {
    SeqUnderflow: byte_before_the_first, old_byte, gigabytes_unseen, weeks_apart, picked_up_and_left;
    AckUnderflow: acknowledges_before_the_first, acknowledges_again, nobody_acknowledges;
    FinMoved: ends_further_on, ends_again, ends_after_all_is_sent_again;
    WinRecision: takes_its_window_back, closes_its_window, fills_its_window, doubles_for_a_moment, older_window_comes_late, first_window_after_a_syn;
    TsMissing: forgets_its_timestamps, sheds_its_options, never_agreed_on_timestamps, probes_without_timestamps, timestamps_behind_blocks;
    TsEchoImpossible: echoes_what_was_never_sent, echoes_what_was_not_seen;
    PawsReject: clock_runs_backwards, clock_that_jumped, overtaken_by_newer;
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
    let unseen = |p: Draft| p.unseen();
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

/// A retransmission of the first byte, and a keep-alive before anything was sent.
fn old_byte(s: Scenario) -> Scenario {
    s.handshake().from_client(ACK, |p| p.seq_by(-1)).talk(3).from_client(PSH_ACK, |p| p.seq(1).len(100)).talk(1)
}

/// Where the handshake was seen, the next segment decides: see `rfc5961-ack-range`.
fn acknowledges_before_the_first(s: Scenario) -> Scenario {
    s.talk(2).from_client(ACK, |p| p.forged().ack_by(-100_000_000)).expect(finding("ack-underflow").notice()).talk(1)
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

/// A connection whose clocks are at 1,001 and 2,001.
fn stamped(s: Scenario) -> Scenario {
    let (mine, yours) = (stamp(1_000), stamp(2_000));
    s.from_client(TcpFlags::SYN, |p| p.options(&[&mine[..], &[1; 4]].concat()))
        .from_server(SYN_ACK, |p| p.options(&[&yours[..], &[1; 4]].concat()))
        .from_client(ACK, |p| p.options(&echo(1_001, 2_000)))
        .from_client(PSH_ACK, |p| p.len(50).options(&echo(1_001, 2_000)))
        .from_server(ACK, |p| p.options(&echo(2_001, 1_001)))
        .from_client(ACK, |p| p.options(&echo(1_001, 2_000)))
}

fn echoes_what_was_never_sent(s: Scenario) -> Scenario {
    stamped(s)
        .from_client(PSH_ACK, |p| p.forged().len(70).ttl(57).options(&echo(1_002, 900_000_000)))
        .expect(finding("ts-echo-impossible").warn())
}

/// The server's segments pass another way for a minute.
fn echoes_what_was_not_seen(s: Scenario) -> Scenario {
    stamped(s)
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
