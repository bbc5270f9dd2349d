//! Resets and FINs that contradict themselves, the path, or what follows.

use sensor_common::{detect::Confidence, flow::TcpFlags};

use super::cases;
use crate::scenario::{ACK, FIN_ACK, PSH_ACK, RST, SYN_ACK, Scenario, Who, finding};

cases! {
    WinMirrorPeer: mirrored_window, equal_windows, unusual_own_window;
    RstTooFast: faster_than_the_path, after_a_round_trip, not_an_answer;
    RstSeqChange: burst_ahead, burst_of_equals, resets_on_each_straggler;
    RstAckChange: burst_that_disagrees, acks_of_what_came;
    RstSeqData:
        carries_on, carries_on_elsewhere, answers_after_its_refusal, reordered_past_the_reset, duplicated_past_the_reset,
        new_connection_after_reset;
    DataSeqRst: stale_reset, stateless_to_a_recent_ack;
    DataAfterFin: forged_fin_and_data, forged_fin_from_elsewhere, reordered_past_the_fin, half_closed, probed_after_fin;
}

fn mirrored_window(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged().win(509))
        .expect(finding("win-mirror-peer").notice().evidence(&["win-mirror-peer"]))
}

/// Both have the same window.
fn equal_windows(s: Scenario) -> Scenario {
    s.client(|c| c.window(777))
        .server(|s| s.window(777))
        .handshake()
        .talk(2)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
}

/// Sender's window has just shrunk.
fn unusual_own_window(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p.win(501)).expect(finding("rst-abort").info().evidence(&[]))
}

/// 20 ms to the client and back, and an answer after one.
fn faster_than_the_path(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .after(20)
        .ack()
        .client_data(100)
        .server_data(300)
        .after(1)
        .rst(|p| p.forged())
        .expect(finding("rst-too-fast").notice().evidence(&["rst-too-fast"]))
}

fn after_a_round_trip(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .after(20)
        .ack()
        .client_data(100)
        .server_data(300)
        .after(19)
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&[]))
}

/// It was on its way when the data left.
fn not_an_answer(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .after(20)
        .ack()
        .client_data(100)
        .server_data(300)
        .after(1)
        .rst(|p| p.ack_by(-300))
        .expect(finding("rst-abort").info().evidence(&[]))
}

/// Three resets at once, for each place where the sender may be by now.
fn burst_ahead(s: Scenario) -> Scenario {
    let ahead = ["rst-nonconforming", "rst-seq-change"];
    s.handshake()
        .talk(2)
        .rst(|p| p.forged())
        .expect(finding("rst-abort").info())
        .rst(|p| p.forged().seq_by(1460))
        .expect(finding("rst-seq-change").alert().confidence(Confidence::Proven).evidence(&ahead))
        .rst(|p| p.forged().seq_by(4380))
        .expect(finding("rst-seq-change").alert().evidence(&ahead))
}

fn burst_of_equals(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p).again().again()
}

/// Each segment that comes after the close is answered with its own reset.
fn resets_on_each_straggler(s: Scenario) -> Scenario {
    let answer =
        |s: Scenario| s.server_data(1000).socketless(Who::Client, |p| p).expect(finding("rst-stateless").info());
    answer(answer(answer(s.handshake().talk(2))))
}

fn burst_that_disagrees(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged())
        .expect(finding("rst-abort").info())
        .rst(|p| p.forged().ack_by(8_000))
        .expect(finding("rst-ack-change").alert().evidence(&["rst-nonconforming", "rst-ack-change"]))
}

/// Between the two more had arrived.
fn acks_of_what_came(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .server_data(500)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
        .server_data(500)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
}

/// The path is the same, but the sender knows nothing of its reset.
fn carries_on(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged())
        .expect(finding("rst-abort").info())
        .after(20)
        .client_data(100)
        .expect(finding("rst-seq-data").alert().confidence(Confidence::Likely).evidence(&["rst-seq-data"]))
}

fn carries_on_elsewhere(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged().ttl(64))
        .expect(finding("ttl-rst-mismatch"))
        .client_data(100)
        .expect(finding("rst-seq-data").alert().confidence(Confidence::Proven))
}

/// Refused, and granted all the same: the refusal was somebody else's.
fn answers_after_its_refusal(s: Scenario) -> Scenario {
    s.syn()
        .server_rst(|p| p.forged().raw_seq(0).win(0).bare())
        .expect(finding("rst-refused").info())
        .after(5)
        .synack()
        .expect(finding("rst-seq-data").alert())
}

fn reordered_past_the_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(PSH_ACK, |p| p.len(100).late(3))
        .client_data(100)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
        .after(50)
        .socketless(Who::Client, |p| p)
}

/// A copy of the last data arrives long after.
fn duplicated_past_the_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_data(100)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
        .after(30)
        .from_client(PSH_ACK, |p| p.forged().seq_by(-100).len(100))
}

fn new_connection_after_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
        .after(100)
        .reconnect()
        .syn()
        .expect(finding("ws-reused-ports").info())
        .synack()
        .ack()
        .talk(3)
        .client_fin()
        .server_fin()
        .ack()
}

/// It points to what was acknowledged many segments ago.
fn stale_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(6)
        .from_client(RST, |p| p.forged().seq(201))
        .expect(finding("data-seq-rst").warn().evidence(&["rst-nonconforming", "data-seq-rst"]))
}

/// It answers a segment that was overtaken: an acknowledgment of a moment ago.
fn stateless_to_a_recent_ack(s: Scenario) -> Scenario {
    s.handshake()
        .talk(3)
        .server_ack()
        .client_data(100)
        .server_ack()
        .from_client(RST, |p| p.seq_by(-100).win(0).bare().id(0))
        .expect(finding("rst-stateless").info())
}

fn forged_fin_and_data(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(FIN_ACK, |p| p.forged())
        .server_ack()
        .client_data(200)
        .expect(finding("data-after-fin").warn().evidence(&["data-after-fin"]))
}

fn forged_fin_from_elsewhere(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(FIN_ACK, |p| p.forged().ttl(255)).server_ack().client_data(200).expect(
        finding("data-after-fin").alert().confidence(Confidence::Proven).evidence(&[
            "data-after-fin",
            "ttl-fin-mismatch",
            "ttl-adjacent-origin",
        ]),
    )
}

fn reordered_past_the_fin(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(PSH_ACK, |p| p.len(500).late(2)).client_fin().after(10).server_fin().ack()
}

/// The client is done, the server is not.
fn half_closed(s: Scenario) -> Scenario {
    s.handshake().talk(2).client_fin().server_data(900).ack().server_data(900).ack().server_fin().ack()
}

/// Keep-alive probes with a byte, and the FIN again.
fn probed_after_fin(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_fin()
        .after(2000)
        .from_client(FIN_ACK, |p| p.seq_by(-1))
        .after(2000)
        .from_client(ACK, |p| p.len(1))
        .from_client(TcpFlags::ACK, |p| p.seq_by(-1))
        .from_server(SYN_ACK, |p| p)
}
