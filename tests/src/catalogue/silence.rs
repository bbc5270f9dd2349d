//! Silence after idleness: who forgot the connection, and what only looks like it.

use super::cases;
use crate::scenario::{ACK, PSH_ACK, RST, RST_ACK, Scenario, Who, finding};

cases! {
    IdleThenSilence: client_asks_a_deaf_box, server_pushes_into_nothing, another_flight_is_pending, loss_is_mended,
        loss_without_idleness, mirrored_twice, answered_at_last, one_direction_falls_silent;
    HalfCloseTimeout: rejected_when_half_closed, last_fin_is_rejected, last_fin_is_not_answered, half_closed_and_answered,
        closed_just_before;
    KeepAliveDead: keep_alives_into_nothing, gives_up_after_three, the_client_has_gone, keep_alives_are_answered, answered_unseen, window_probes_back_off,
        two_keep_alives_are_lost;
    IdleOneSideRst: the_server_was_never_told, told_at_once_and_goes_on;
}

/// The client's segment again, `times` times, the first after `rto` milliseconds.
fn backed_off(s: Scenario, from: Who, rto: u64, times: u32, len: usize) -> Scenario {
    (0..times).fold(s, |s, n| s.after(rto << n).send(from, PSH_ACK, |p| p.seq_by(-(len as i32)).len(len).forged()))
}

fn client_asks_a_deaf_box(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(351_000).client_data(100);
    let s = backed_off(s, Who::Client, 250, 3, 100);
    let s = s.expect(finding("idle-then-silence").warn().detail([351_000, 1_750]));
    // Once is enough.
    backed_off(s, Who::Client, 2_000, 4, 100)
}

fn server_pushes_into_nothing(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(60_000).server_data(200);
    backed_off(s, Who::Server, 300, 3, 200).expect(finding("idle-then-silence").notice())
}

fn another_flight_is_pending(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(40_000).client_data(1000).client_data(1000).client_data(500);
    // A tail loss probe first, then the timer.
    let s = s.after(30).from_client(PSH_ACK, |p| p.seq_by(-500).len(500).forged());
    let again = |s: Scenario, rto| s.after(rto).from_client(ACK, |p| p.seq_by(-2500).len(1000).forged());
    again(again(again(s, 200), 400), 800).expect(finding("idle-then-silence").warn())
}

fn loss_is_mended(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(400_000).client_data(100);
    let s = backed_off(s, Who::Client, 250, 2, 100).server_ack().server_data(300).ack();
    let s = s.after(400_000).client_data(100);
    backed_off(s, Who::Client, 250, 2, 100).server_ack().client_data(100).server_ack()
}

fn loss_without_idleness(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(5_000).client_data(100);
    backed_off(s, Who::Client, 250, 6, 100)
}

fn mirrored_twice(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(400_000).client_data(100).again().after(250);
    let s = s.from_client(PSH_ACK, |p| p.seq_by(-100).len(100).forged()).again().after(900);
    s.server_ack().again().server_data(200).ack()
}

fn answered_at_last(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(400_000).client_data(100).after(250);
    let s = s.from_client(PSH_ACK, |p| p.seq_by(-100).len(100).forged()).server_ack();
    // Another byte range of the same flow is lost, without a silence before.
    let s = s.client_data(50);
    backed_off(s, Who::Client, 250, 5, 50)
}

fn one_direction_falls_silent(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .ack()
        .client_data(100)
        .server_ack()
        .after(400_000)
        .client_data(100)
        .client_data(100)
        .client_data(100)
}

fn rejected_when_half_closed(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_data(100)
        .client_fin()
        .server_ack()
        .after(600_500)
        .server_data(900)
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-stateless").info())
        .expect(finding("half-close-timeout").notice().detail([600_500, 0]))
}

fn last_fin_is_rejected(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_fin()
        .server_ack()
        .after(61_000)
        .server_fin()
        .socketless(Who::Client, |p| p)
        .expect(finding("half-close-timeout").notice())
}

fn last_fin_is_not_answered(s: Scenario) -> Scenario {
    let s = s.handshake().talk(1).client_fin().server_ack().after(125_000).server_fin();
    let again = |s: Scenario, rto| s.after(rto).from_server(crate::scenario::FIN_ACK, |p| p.seq_by(-1).forged());
    let s = again(again(again(s, 250), 500), 1_000).expect(finding("half-close-timeout").notice());
    again(again(s, 2_000), 4_000)
}

fn half_closed_and_answered(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_fin()
        .server_ack()
        .after(30_000)
        .server_data(900)
        .ack()
        .after(30_000)
        .server_fin()
        .ack()
}

fn closed_just_before(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().server_ack().after(2_000).server_fin().socketless(Who::Client, |p| p)
}

/// Keep-alives of the client, so many, at this interval.
fn keep_alives(s: Scenario, times: u32, interval: u64) -> Scenario {
    (0..times).fold(s, |s, _| s.after(interval).from_client(ACK, |p| p.seq_by(-1)))
}

fn keep_alives_into_nothing(s: Scenario) -> Scenario {
    let s = keep_alives(s.handshake().talk(2).after(45_000), 4, 15_000);
    let s = s.expect(finding("keepalive-dead").notice().detail([15_000, 105_000]));
    keep_alives(s, 5, 15_000).after(15_000).rst(|p| p)
}

fn gives_up_after_three(s: Scenario) -> Scenario {
    keep_alives(s.handshake().talk(2).after(45_000), 3, 10_000)
        .after(10_000)
        .from_client(RST_ACK, |p| p)
        .expect(finding("rst-abort").info())
        .expect(finding("keepalive-dead").notice())
}

fn the_client_has_gone(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).after(45_000);
    (0..4)
        .fold(s, |s, _| s.after(20_000).from_server(ACK, |p| p.seq_by(-1)))
        .expect(finding("keepalive-dead").info())
        .after(20_000)
        .server_rst(|p| p)
}

fn keep_alives_are_answered(s: Scenario) -> Scenario {
    (0..10).fold(s.handshake().talk(2), |s, _| keep_alives(s, 1, 15_000).server_ack()).rst(|p| p)
}

/// The server's segments take another way, past the sensor; it has sent more meanwhile.
fn answered_unseen(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).from_server(PSH_ACK, |p| p.len(100).unseen()).ack();
    keep_alives(s.after(45_000), 6, 15_000)
}

fn window_probes_back_off(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2);
    (0..6).fold(s, |s, n| keep_alives(s, 1, 400 << n))
}

fn two_keep_alives_are_lost(s: Scenario) -> Scenario {
    let s = keep_alives(s.handshake().talk(2).after(45_000), 3, 15_000).server_ack();
    keep_alives(s, 3, 15_000).server_ack().client_data(10).server_ack()
}

fn the_server_was_never_told(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(400_000)
        .client_data(100)
        .from_server(RST, |p| p.forged().win(0).id(0).bare().raw_ack(0))
        .expect(finding("rst-stateless").info())
        .expect(finding("idle-then-rst").notice())
        .after(20_000)
        .server_data(300)
        .expect(finding("rst-seq-data").alert())
        .expect(finding("idle-oneside-rst").notice().detail([400_000, 20_000]))
}

fn told_at_once_and_goes_on(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_data(100)
        .from_server(RST, |p| p.forged().win(0).id(0).bare().raw_ack(0))
        .expect(finding("rst-stateless").info())
        .after(20_000)
        .server_data(300)
        .expect(finding("rst-seq-data").alert())
}
