//! Resets that are what they seem: which code path made them.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, RST, Scenario, Seat, Who, finding};

cases! {
    RstRefused: refused, refused_after_retry, refused_then_granted, accepted_and_aborted, refused_without_its_data,
        refused_on_a_dead_flow;
    RstStateless: late_data_finds_no_socket, abort_without_window;
    RstAbort: abort, abort_after_own_fin, abort_without_ack, abort_with_data_unseen, closed_in_order;
    RstSynSent: stale_answer, scanner, stale_answer_and_silence;
    RstAfterChallenge: rebooted_client, challenged_and_silent;
    RstNonconforming: ack_beyond_what_was_sent, seq_from_nowhere, refusal_of_nothing, seq_within_the_unacknowledged;
    SpontaneousRst: one_sided, stray;
}

fn refused(s: Scenario) -> Scenario {
    s.syn().server_rst(|p| p.raw_seq(0).win(0).bare()).expect(finding("rst-refused").info().evidence(&[]))
}

fn refused_after_retry(s: Scenario) -> Scenario {
    s.syn().after(1000).syn().server_rst(|p| p.raw_seq(0).win(0).bare()).expect(finding("rst-refused").info())
}

/// The second attempt finds the server up.
fn refused_then_granted(s: Scenario) -> Scenario {
    s.syn()
        .server_rst(|p| p.raw_seq(0).win(0).bare())
        .expect(finding("rst-refused").info())
        .after(1000)
        .reconnect()
        .handshake()
        .talk(2)
}

/// The server takes the connection and drops it at once: no refusal.
fn accepted_and_aborted(s: Scenario) -> Scenario {
    s.handshake().server_rst(|p| p).expect(finding("rst-abort").info())
}

/// Fast Open was tried first; the plain retry is refused (RFC 7413 §4.2.1).
fn refused_without_its_data(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100))
        .after(1000)
        .from_client(TcpFlags::SYN, |p| p)
        .server_rst(|p| p.raw_seq(0).ack(1).win(0).bare())
        .expect(finding("rst-refused").info())
}

/// Nobody saw the old connection end; the service is down now.
fn refused_on_a_dead_flow(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(300_000)
        .reconnect()
        .syn()
        .server_rst(|p| p.raw_seq(0).win(0).bare())
        .expect(finding("rst-refused").info())
}

fn late_data_finds_no_socket(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(2000)
        .server_data(200)
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-stateless").info().evidence(&["linux-stateless-shape"]))
}

/// Window 0 alone says nothing.
fn abort_without_window(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p.win(0)).expect(finding("rst-abort").info().evidence(&[]))
}

fn abort(s: Scenario) -> Scenario {
    s.handshake().talk(3).after(30).rst(|p| p).expect(finding("rst-abort").info().evidence(&[]))
}

fn abort_after_own_fin(s: Scenario) -> Scenario {
    s.handshake().talk(3).client_fin().server_data(100).rst(|p| p).expect(finding("rst-abort").info())
}

/// Old stacks leave the ACK flag out.
fn abort_without_ack(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_data(300).from_client(RST, |p| p).expect(finding("rst-abort").info().evidence(&[]))
}

/// The last data was lost before the sensor, and acknowledged.
fn abort_with_data_unseen(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(ACK, |p| p.len(700).unseen())
        .server_ack()
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&[]))
}

fn closed_in_order(s: Scenario) -> Scenario {
    s.handshake().talk(3).client_fin().server_ack().server_fin().ack()
}

/// The third seed thread: the server still has the old connection, and says so.
fn stale_answer(s: Scenario) -> Scenario {
    s.syn()
        .from_server(ACK, |p| p.seq_by(-9_000).ack_by(-5_000))
        .expect(finding("syn-bare-ack-stale").notice())
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-synsent").info())
        .after(1000)
        .syn()
        .synack()
        .ack()
        .talk(2)
}

/// A port scanner's kernel knows nothing of the SYN that the scanner sent.
fn scanner(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.win(1024).options(&[2, 4, 5, 0xb4]))
        .synack()
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-synsent").info())
}

fn stale_answer_and_silence(s: Scenario) -> Scenario {
    s.syn()
        .from_server(ACK, |p| p.seq_by(-9_000).ack_by(-5_000))
        .expect(finding("syn-bare-ack-stale").notice())
        .after(1000)
        .syn()
        .synack()
        .ack()
}

/// A client that lost its state asks anew, is challenged, and clears up (RFC 5961 §4).
fn rebooted_client(s: Scenario) -> Scenario {
    let numbers = 5_000_000;
    s.handshake()
        .talk(3)
        .after(60_000)
        .from_client(TcpFlags::SYN, |p| p.forged().seq(numbers))
        .server_ack()
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-after-challenge").info())
        .after(1000)
        .reconnect()
        .syn()
        .expect(finding("ws-reused-ports").info())
        .synack()
        .ack()
        .talk(2)
}

/// A blind SYN is challenged; the client, which knows nothing of it, goes on.
fn challenged_and_silent(s: Scenario) -> Scenario {
    s.handshake().talk(3).from_client(TcpFlags::SYN, |p| p.forged().seq(5_000_000)).server_ack().ack().talk(2)
}

fn ack_beyond_what_was_sent(s: Scenario) -> Scenario {
    s.handshake()
        .talk(3)
        .rst(|p| p.forged().ack_by(5_000))
        .expect(finding("rst-nonconforming").notice().evidence(&["rst-nonconforming"]))
}

fn seq_from_nowhere(s: Scenario) -> Scenario {
    s.handshake()
        .talk(3)
        .from_client(RST, |p| p.forged().seq_by(40_000))
        .expect(finding("rst-nonconforming").notice().evidence(&["rst-nonconforming"]))
}

fn refusal_of_nothing(s: Scenario) -> Scenario {
    s.syn()
        .server_rst(|p| p.forged().raw_seq(0).ack_by(77).win(0).bare())
        .expect(finding("rst-nonconforming").notice().evidence(&["rst-nonconforming"]))
}

/// The sender gives up on data that was not acknowledged: its reset may point to its first byte.
fn seq_within_the_unacknowledged(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_data(1000)
        .client_data(1000)
        .rst(|p| p.seq_by(-2000))
        .expect(finding("rst-abort").info().evidence(&[]))
}

/// A sensor that sees one direction only has nothing to compare with.
fn one_sided(s: Scenario) -> Scenario {
    s.seat(Seat::ServerIngress).handshake().talk(2).rst(|p| p).expect(finding("spontaneous-rst").info())
}

/// Backscatter: nothing else of this connection was ever seen.
fn stray(s: Scenario) -> Scenario {
    s.rst(|p| p.raw_seq(77_000))
}
