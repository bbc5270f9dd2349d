//! Networks as they are: loss, reordering, duplicates, probes, and connections picked up in the middle.

use super::cases;
use crate::scenario::{ACK, PSH_ACK, Scenario, Who, finding};

cases! {
    RstSeqData: keep_alives, lost_before_a_reset, midstream_abort, zero_window_probes;
    DataSeqRst: retransmitted_before_a_reset, stateless_after_loss;
    RstAckChange: reset_races_with_data;
}

fn keep_alives(s: Scenario) -> Scenario {
    let probe = |s: Scenario| s.after(60_000).from_client(ACK, |p| p.seq_by(-1)).server_ack();
    probe(probe(probe(s.handshake().talk(2)))).talk(1)
}

fn zero_window_probes(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_server(ACK, |p| p.win(0))
        .after(200)
        .from_client(ACK, |p| p.seq_by(-1))
        .from_server(ACK, |p| p.win(0))
        .after(400)
        .from_client(ACK, |p| p.len(1))
        .server_ack()
        .talk(1)
}

fn lost_before_a_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(PSH_ACK, |p| p.len(800).unseen())
        .client_data(100)
        .rst(|p| p)
        .expect(finding("rst-abort").info())
}

fn midstream_abort(s: Scenario) -> Scenario {
    s.talk(4).rst(|p| p).expect(finding("rst-abort").info().evidence(&[]))
}

fn retransmitted_before_a_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_data(500)
        .after(200)
        .from_client(PSH_ACK, |p| p.seq_by(-500).len(500))
        .again()
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&[]))
}

/// Segments of a burst are answered one by one, some of them reordered.
fn stateless_after_loss(s: Scenario) -> Scenario {
    s.handshake()
        .talk(3)
        .client_fin()
        .server_data(1000)
        .from_server(PSH_ACK, |p| p.len(1000).late(1))
        .server_data(1000)
        .after(20)
        .socketless(Who::Client, |p| p)
        .socketless(Who::Client, |p| p)
        .socketless(Who::Client, |p| p)
}

/// The abort did not know of the data yet, the answer to the data did.
fn reset_races_with_data(s: Scenario) -> Scenario {
    s.handshake().talk(2).server_data(700).rst(|p| p.ack_by(-700)).socketless(Who::Client, |p| p)
}
