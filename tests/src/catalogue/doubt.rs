//! What a live connection must doubt, and how its hosts say so.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, FIN_ACK, PSH_ACK, Scenario, finding};

cases! {
    ChallengeAck: syn_is_challenged, reset_in_the_window_is_challenged, data_out_of_range_is_challenged, client_lost_its_state,
        acknowledges_the_data_before, reset_is_exact, fin_is_repeated;
    ChallengeAckStorm: asked_again_and_again, ten_are_allowed, spread_over_time;
    AckLoop: both_insist, stale_remnant, duplicates_after_a_loss, keep_alives_do_not_loop, window_probes, window_opens_and_closes,
        slow_repetition, doubled_on_the_wire, fewer_than_twenty;
    Rfc5961AckRange: blind_data, blind_ack, blind_old_ack, blind_old_data, sensor_missed_a_lot, late_copy, large_window,
        acknowledges_within_the_window, numbers_of_another_connection;
}

/// A SYN in the client's name, with a number of its own.
fn stray_syn(s: Scenario, seq: u32) -> Scenario {
    s.from_client(TcpFlags::SYN, move |p| p.forged().seq(seq))
}

fn syn_is_challenged(s: Scenario) -> Scenario {
    stray_syn(s.handshake().talk(2), 7_000_000)
        .expect(finding("rfc5961-syn-on-est").info())
        .server_ack()
        .expect(finding("challenge-ack").info().detail([0, 1]))
        .talk(1)
}

fn reset_in_the_window_is_challenged(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged().seq_by(5000))
        .expect(finding("rfc5961-rst-inwindow").info())
        .after(3)
        .server_ack()
        .expect(finding("challenge-ack").info().detail([3, 2]))
}

fn data_out_of_range_is_challenged(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(PSH_ACK, |p| p.forged().len(300).ack_by(0x2000_0000))
        .server_ack()
        .expect(finding("challenge-ack").info().detail([0, 3]))
        .client_data(100)
        .expect(finding("rfc5961-ack-range").warn().detail([0x2000_0000, 0]))
        .server_ack()
}

/// The client's machine was restarted, and it asks again from the same port: RFC 5961 §4.2 as it should go.
fn client_lost_its_state(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2);
    let (seq, ack) = s.next_numbers();
    stray_syn(s, 7_000_000)
        .from_server(ACK, move |p| p.raw_seq(seq).raw_ack(ack))
        .expect(finding("challenge-ack").info().detail([0, 1]))
        .from_client(TcpFlags::RST, move |p| p.forged().raw_seq(ack).raw_ack(0).win(0).bare())
        .expect(finding("rst-after-challenge").info())
}

fn acknowledges_the_data_before(s: Scenario) -> Scenario {
    stray_syn(s.handshake().talk(2).client_data(100), 7_000_000).server_ack().talk(1)
}

fn reset_is_exact(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p).server_ack()
}

fn fin_is_repeated(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().server_fin().ack().from_server(FIN_ACK, |p| p.seq_by(-1)).ack()
}

fn asked_again_and_again(s: Scenario) -> Scenario {
    (0..11)
        .fold(s.handshake().talk(2), |s, _| stray_syn(s.after(100), 7_000_000).server_ack())
        .expect(finding("challenge-ack-storm").warn().detail([1001, 1]))
}

fn ten_are_allowed(s: Scenario) -> Scenario {
    (0..10).fold(s.handshake().talk(2), |s, _| stray_syn(s.after(100), 7_000_000).server_ack())
}

/// Linux's pace, for longer.
fn spread_over_time(s: Scenario) -> Scenario {
    (0..30).fold(s.handshake().talk(2), |s, _| stray_syn(s.after(510), 7_000_000).server_ack())
}

/// Both sides repeat themselves, `n` ACKs in all; the server acknowledges `beyond` what the client sent.
fn insist(s: Scenario, n: usize, pause: u64, beyond: i32) -> Scenario {
    (0..n).fold(s, |s, i| {
        let s = s.after_us(pause);
        if i % 2 == 0 { s.from_server(ACK, move |p| p.ack_by(beyond)) } else { s.ack() }
    })
}

/// Somebody has given the server data that the client never sent. Four ACKs until it is noticed, and twenty to be sure.
fn both_insist(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).from_client(PSH_ACK, |p| p.forged().len(100));
    let s = insist(s, 24, 50, 100).expect(finding("ack-loop").warn().detail([20, 0]));
    insist(s, 100, 50, 100)
}

fn stale_remnant(s: Scenario) -> Scenario {
    let s = insist(s.handshake().talk(2), 24, 50, 0).expect(finding("ack-loop").warn().detail([20, 0]));
    insist(s, 235, 50, 0).expect(finding("ack-loop").warn().detail([255, 0]))
}

fn duplicates_after_a_loss(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).from_server(PSH_ACK, |p| p.len(1400).unseen());
    (0..100).fold(s, |s, _| s.server_data(1400).from_client(ACK, |p| p.ack(901)))
}

fn keep_alives_do_not_loop(s: Scenario) -> Scenario {
    (0..40).fold(s.handshake().talk(2), |s, _| s.after(100).from_client(ACK, |p| p.seq_by(-1)).server_ack())
}

fn window_probes(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).server_data(1000).from_client(ACK, |p| p.win(0));
    (0..40).fold(s, |s, _| s.after(5).from_server(ACK, |p| p.seq_by(-1)).from_client(ACK, |p| p.win(0)))
}

fn window_opens_and_closes(s: Scenario) -> Scenario {
    (0..40).fold(s.handshake().talk(2), |s, i| s.from_client(ACK, move |p| p.win(400 + i % 2 * 10)).server_ack())
}

/// Nobody answers anybody: both repeat themselves once a second.
fn slow_repetition(s: Scenario) -> Scenario {
    insist(s.handshake().talk(2), 60, 1_000_000, 0)
}

fn doubled_on_the_wire(s: Scenario) -> Scenario {
    (0..20).fold(s.handshake().talk(2), |s, _| s.ack().again().server_ack().again())
}

fn fewer_than_twenty(s: Scenario) -> Scenario {
    insist(s.handshake().talk(2), 20, 50, 0).talk(1)
}

fn blind_data(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(PSH_ACK, |p| p.forged().len(300).ack_by(-0x1000_0000))
        .client_data(100)
        .expect(finding("rfc5961-ack-range").warn().detail([0xf000_0000, 0]))
        .talk(1)
}

fn blind_ack(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(ACK, |p| p.forged().ack_by(0x1000_0000))
        .ack()
        .expect(finding("rfc5961-ack-range").notice())
        .talk(1)
}

fn blind_old_ack(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(ACK, |p| p.forged().ack_by(-0x1000_0000))
        .ack()
        .expect(finding("rfc5961-ack-range").info())
        .talk(1)
}

fn blind_old_data(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2);
    s.from_client(PSH_ACK, |p| p.forged().seq_by(-150).len(100).ack_by(-0x1000_0000)).talk(1)
}

/// Neither what the server sent nor the client's ACKs in between.
fn sensor_missed_a_lot(s: Scenario) -> Scenario {
    let s = (0..10).fold(s.handshake().talk(2), |s, _| s.from_server(PSH_ACK, |p| p.len(60_000).unseen()));
    s.ack().server_data(500).ack().client_data(300).talk(2)
}

/// It was on its way while 600 kB went the other.
fn late_copy(s: Scenario) -> Scenario {
    let s = s.handshake().from_client(PSH_ACK, |p| p.len(100)).server_ack();
    let s = (0..10).fold(s, |s, _| s.server_data(60_000).ack());
    s.from_client(PSH_ACK, |p| p.forged().seq(1).len(100).ack(1)).talk(1)
}

fn large_window(s: Scenario) -> Scenario {
    let s = s.client(|c| c.window(65_000).wscale(Some(14))).handshake();
    (0..50).fold(s, |s, _| s.server_data(60_000)).ack().talk(1)
}

fn acknowledges_within_the_window(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_server(PSH_ACK, |p| p.len(60_000).unseen()).ack().talk(1)
}

fn numbers_of_another_connection(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2);
    s.from_client(PSH_ACK, |p| p.forged().seq_by(0x3000_0000).len(300).ack_by(0x1000_0000)).talk(1)
}
