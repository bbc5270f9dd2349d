//! Losses and windows: what crosses a line, and what stays below it.

use super::cases;
use crate::scenario::{ACK, PSH_ACK, RST, Scenario, Who, finding};

cases! {
    ZeroWindowStall: stall_goes_on, short_stall, opening_lost, stall_after_fin, reset_ends_a_stall;
    WsReusedPorts: reused_after_reset, reused_after_ages, request_again, reused_after_fin;
    WsZeroWindow: window_closes_again_and_again, window_closes_thrice, windows_of_resets;
    WsWindowFull: window_filled_again_and_again, window_filled_nine_times;
    WsRetransmission: much_repeated, half_repeated, little_repeated, each_frame_seen_twice, joined_by_offload;
    WsRto: waited_long, waited_for_a_window, repeated_soon, requests_repeated;
    WsOutOfOrder: overtaken_often, overtaken_now_and_then;
    WsDupAck: asked_in_vain, asked_and_answered;
    WsLostSegment: bytes_skipped, other_numbers;
    WsAckLostSegment: acknowledged_unseen, seen_in_part, one_direction;
    DataSeqRst: stale_where_bytes_pass_unseen;
    RstSeqChange: ahead_where_bytes_pass_unseen;
    RstAckChange: disagrees_where_bytes_pass_unseen;
    AckBeyondFin: fin_where_bytes_pass_unseen;
}

fn times(n: usize, s: Scenario, step: impl Fn(Scenario) -> Scenario) -> Scenario {
    (0..n).fold(s, |s, _| step(s))
}

/// The receiver's window is closed, and probed twice.
fn closed(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).from_server(ACK, |p| p.win(0));
    probe(probe(s.after(200)).after(400))
}

fn probe(s: Scenario) -> Scenario {
    s.from_client(ACK, |p| p.seq_by(-1)).from_server(ACK, |p| p.win(0))
}

/// Told with the answer to a probe, and only once.
fn stall_goes_on(s: Scenario) -> Scenario {
    let told = probe(closed(s).after(6000)).expect(finding("zero-window-stall").warn());
    probe(told.after(6000)).after(1000).server_ack().talk(1)
}

fn short_stall(s: Scenario) -> Scenario {
    closed(s).after(4000).server_ack().talk(1)
}

/// The receiver said so long before, but that was lost: the next probe finds its window open.
fn opening_lost(s: Scenario) -> Scenario {
    closed(s).after(8000).from_client(ACK, |p| p.seq_by(-1)).server_ack().talk(1)
}

/// Who has sent a FIN needs no window.
fn stall_after_fin(s: Scenario) -> Scenario {
    let closed = s.handshake().talk(2).client_fin().from_server(ACK, |p| p.win(0)).after(8000);
    closed.ack().from_server(ACK, |p| p.win(0)).server_fin().ack()
}

fn reset_ends_a_stall(s: Scenario) -> Scenario {
    closed(s).after(8000).server_rst(|p| p.win(0)).expect(finding("rst-abort").info())
}

fn reset(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p).expect(finding("rst-abort").info())
}

fn reused_after_reset(s: Scenario) -> Scenario {
    reset(s).after(1000).reconnect().syn().expect(finding("ws-reused-ports").info()).synack().ack().talk(1)
}

fn reused_after_ages(s: Scenario) -> Scenario {
    let over = s.handshake().talk(2).client_fin().server_fin().ack().after(300_000);
    over.reconnect().syn().expect(finding("ws-reused-ports").info()).synack().ack().talk(1)
}

/// The same request, repeated.
fn request_again(s: Scenario) -> Scenario {
    let again = s.syn().after(1000).syn().expect(finding("syn-retry-profile").info());
    again.synack().ack().talk(1)
}

/// Told once, with the answer that accepts it.
fn reused_after_fin(s: Scenario) -> Scenario {
    let over = s.handshake().talk(2).client_fin().server_fin().ack().after(30_000).reconnect();
    over.syn().synack().expect(finding("tw-reuse-ok").info()).ack().talk(1)
}

fn close_and_open(s: Scenario) -> Scenario {
    s.client_data(100).from_server(ACK, |p| p.win(0)).after(50).server_ack()
}

fn window_closes_again_and_again(s: Scenario) -> Scenario {
    let thrice = times(3, s.handshake().talk(1), close_and_open).client_data(100);
    let fourth = thrice.from_server(ACK, |p| p.win(0)).expect(finding("ws-zero-window").info());
    times(3, fourth.after(50).server_ack(), close_and_open)
}

fn window_closes_thrice(s: Scenario) -> Scenario {
    times(3, s.handshake().talk(1), close_and_open).talk(2)
}

/// A window of 0 that belongs to a reset is none.
fn windows_of_resets(s: Scenario) -> Scenario {
    let s = times(3, s.handshake().talk(1), close_and_open);
    s.server_rst(|p| p.win(0)).expect(finding("rst-abort").info())
}

/// A window of 1280 bytes, and as many of payload.
fn fill(s: Scenario) -> Scenario {
    s.from_server(ACK, |p| p.win(10)).client_data(1280)
}

fn window_filled_again_and_again(s: Scenario) -> Scenario {
    let tenth = times(10, s.handshake().talk(1), fill).expect(finding("ws-window-full").info());
    times(3, tenth, fill).talk(1)
}

fn window_filled_nine_times(s: Scenario) -> Scenario {
    times(9, s.handshake().talk(1), fill).talk(1)
}

fn repeat(s: Scenario) -> Scenario {
    s.client_data(100).after(300).from_client(PSH_ACK, |p| p.seq_by(-100).len(100))
}

fn much_repeated(s: Scenario) -> Scenario {
    let s = times(19, s.handshake().talk(5), |s| repeat(s).server_ack());
    let told = repeat(s).expect(finding("ws-retransmission").info()).server_ack();
    times(10, told, |s| repeat(s).server_ack())
}

/// Every other segment.
fn half_repeated(s: Scenario) -> Scenario {
    let round = |s: Scenario| repeat(s).server_ack();
    let s = repeat(times(19, s.handshake().talk(5), round)).expect(finding("ws-retransmission").info()).server_ack();
    let told = repeat(times(79, s, round)).expect(finding("ws-retransmission").notice()).server_ack();
    times(10, told, round)
}

fn little_repeated(s: Scenario) -> Scenario {
    times(19, s.handshake().talk(5), |s| repeat(s).server_ack())
}

/// A mirror port that shows each frame twice.
fn each_frame_seen_twice(s: Scenario) -> Scenario {
    times(40, s.handshake().talk(1), |s| s.client_data(100).again().server_ack().again().server_data(300).again())
}

/// Twenty repeats of one segment each in 4 MB: offload shows 64 segments of what were thousands.
fn joined_by_offload(s: Scenario) -> Scenario {
    let burst = |s: Scenario| times(4, s, |s| s.client_data(60_000).server_ack());
    let lossy = |s: Scenario| burst(s).client_data(1000).after(300).from_client(PSH_ACK, |p| p.seq_by(-1000).len(1000));
    times(25, s.handshake(), |s| lossy(s).server_ack())
}

fn waited_long(s: Scenario) -> Scenario {
    let once = s.handshake().talk(2).client_data(100).after(300).from_client(PSH_ACK, |p| p.seq_by(-100).len(100));
    let told = once.after(1200).from_client(PSH_ACK, |p| p.seq_by(-100).len(100)).expect(finding("ws-rto").info());
    told.server_ack()
        .client_data(100)
        .after(2000)
        .from_client(PSH_ACK, |p| p.seq_by(-100).len(100))
        .server_ack()
        .talk(1)
}

/// The receiver's window is closed: it is not the network that is waited for.
fn waited_for_a_window(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).client_data(100).from_server(ACK, |p| p.win(0).ack_by(-100)).after(2000);
    s.from_client(PSH_ACK, |p| p.seq_by(-100).len(100)).server_ack().talk(1)
}

fn repeated_soon(s: Scenario) -> Scenario {
    repeat(s.handshake().talk(2)).after(400).from_client(PSH_ACK, |p| p.seq_by(-100).len(100)).server_ack().talk(1)
}

fn requests_repeated(s: Scenario) -> Scenario {
    let again = |s: Scenario, wait| s.after(wait).syn().expect(finding("syn-retry-profile").info());
    again(again(s.syn(), 1000), 2000).synack().ack().talk(1)
}

/// Sent first, seen second.
fn overtake(s: Scenario) -> Scenario {
    s.from_client(PSH_ACK, |p| p.len(100).late_us(70)).client_data(100)
}

fn overtaken_often(s: Scenario) -> Scenario {
    let first = overtake(s.handshake().talk(1)).expect(finding("ws-lost-segment").info()).after(1).server_ack();
    let s = times(18, first, |s| overtake(s).after(1).server_ack());
    let twentieth = s.from_client(PSH_ACK, |p| p.len(100).late_us(70)).expect(finding("ws-out-of-order").notice());
    times(5, twentieth.client_data(100).after(1).server_ack(), |s| overtake(s).after(1).server_ack())
}

fn overtaken_now_and_then(s: Scenario) -> Scenario {
    let first = overtake(s.handshake().talk(1)).expect(finding("ws-lost-segment").info()).after(1).server_ack();
    times(10, first, |s| overtake(s).after(1).server_ack()).talk(3)
}

/// Three duplicates behind an acknowledgment.
fn ask(s: Scenario) -> Scenario {
    times(4, s.from_client(PSH_ACK, |p| p.len(100).unseen()), |s| s.after(4).server_ack())
}

/// Only what the server says is seen.
fn asked_in_vain(s: Scenario) -> Scenario {
    let s = s.from_client(PSH_ACK, |p| p.len(100).unseen()).server_ack();
    times(5, times(20, s, ask).expect(finding("ws-dup-ack").notice()), ask)
}

/// The same, and the client repeats what was asked for: a little less than would be told.
fn asked_and_answered(s: Scenario) -> Scenario {
    let round = |s: Scenario| {
        let asked = times(3, s.client_data(100), |s| s.client_data(100).from_server(ACK, |p| p.ack_by(-200)));
        asked.after(30).from_client(PSH_ACK, |p| p.seq_by(-400).len(100)).server_ack()
    };
    times(19, s.handshake().talk(2), round)
}

fn bytes_skipped(s: Scenario) -> Scenario {
    let lost = s.handshake().talk(2).from_client(PSH_ACK, |p| p.len(500).unseen());
    lost.client_data(100).expect(finding("ws-lost-segment").info()).client_data(100)
}

/// So far off is another connection, whose request was not seen.
fn other_numbers(s: Scenario) -> Scenario {
    s.handshake().talk(2).after(100_000).from_client(PSH_ACK, |p| p.seq_by(1 << 30).len(100))
}

/// Payload that the sensor does not see, and its acknowledgment.
fn unseen(s: Scenario) -> Scenario {
    s.from_client(PSH_ACK, |p| p.len(500).unseen()).server_ack()
}

fn acknowledged_unseen(s: Scenario) -> Scenario {
    unseen(s.handshake().talk(2))
        .expect(finding("ws-ack-lost-segment").info())
        .client_data(100)
        .expect(finding("ws-lost-segment").info())
        .server_ack()
        .talk(1)
}

/// One of two paths.
fn seen_in_part(s: Scenario) -> Scenario {
    let part = |s: Scenario| unseen(s).client_data(100).server_ack();
    let first = unseen(s.handshake().talk(2)).expect(finding("ws-ack-lost-segment").info()).client_data(100);
    let s = times(62, first.expect(finding("ws-lost-segment").info()).server_ack(), part);
    times(9, s.expect(finding("ws-ack-lost-segment").warn()), part)
}

fn one_direction(s: Scenario) -> Scenario {
    times(100, s.from_server(PSH_ACK, |p| p.len(10)), |s| {
        s.send(Who::Client, PSH_ACK, |p| p.len(500).unseen()).server_ack()
    })
}

/// Bytes of the server pass elsewhere.
fn blind_to_the_server(s: Scenario) -> Scenario {
    let unseen = s.handshake().talk(6).from_server(PSH_ACK, |p| p.len(500).unseen());
    unseen.ack().expect(finding("ws-ack-lost-segment").info()).talk(1)
}

/// It may answer an acknowledgment that was not seen.
fn stale_where_bytes_pass_unseen(s: Scenario) -> Scenario {
    let s = blind_to_the_server(s);
    s.from_client(RST, |p| p.forged().seq(201)).expect(finding("spontaneous-rst").info().evidence(&[]))
}

/// The client's own bytes are those that are not seen.
fn ahead_where_bytes_pass_unseen(s: Scenario) -> Scenario {
    let lossy = unseen(s.handshake().talk(2)).expect(finding("ws-ack-lost-segment").info());
    let first = lossy.client_data(100).expect(finding("ws-lost-segment").info()).rst(|p| p.forged());
    let second = first.expect(finding("rst-abort").info()).rst(|p| p.forged().seq_by(1460));
    second.expect(finding("rst-abort").info().evidence(&[]))
}

fn disagrees_where_bytes_pass_unseen(s: Scenario) -> Scenario {
    let first = blind_to_the_server(s).rst(|p| p.forged()).expect(finding("rst-abort").info());
    first.rst(|p| p.forged().ack_by(8_000)).expect(finding("spontaneous-rst").info().evidence(&[]))
}

fn fin_where_bytes_pass_unseen(s: Scenario) -> Scenario {
    let s = blind_to_the_server(s).server_fin();
    s.from_client(ACK, |p| p.ack_by(1000)).client_fin().server_ack()
}
