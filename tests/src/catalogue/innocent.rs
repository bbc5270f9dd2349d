//! Networks as they are: loss, reordering, duplicates, probes, and connections picked up in the middle.

use super::cases;
use crate::scenario::{ACK, FIN_ACK, PSH_ACK, RST, RST_ACK, Scenario, Who, finding};

cases! {
    RstSeqData: keep_alives, lost_before_a_reset, midstream_abort, zero_window_probes,
        fin_behind_its_reset;
    DataSeqRst: retransmitted_before_a_reset, stateless_after_loss, answers_to_forgotten_acks;
    RstAckChange: reset_races_with_data;
    RstNonconforming: ack_without_a_socket;
    WinMirrorPeer: window_opened_again;
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

/// Data that had not seen the FIN is answered without a socket, and the answer overtakes the FIN.
fn fin_behind_its_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(FIN_ACK, |p| p.late_us(500))
        .from_server(PSH_ACK, |p| p.len(300).ack_by(-1))
        .from_client(RST, |p| p.seq_by(-1).raw_ack(0).win(0).id(0).bare().df(true))
}

/// The abort was lost; each of a burst of acknowledgments is answered, when the recorder has only the last of them.
fn answers_to_forgotten_acks(s: Scenario) -> Scenario {
    let taken = (0..8).fold(s.handshake().talk(2), |s, _| s.server_data(100).ack());
    taken
        .from_server(RST, |p| p.seq_by(-700).raw_ack(0).win(0).id(0).bare().df(true))
        .from_server(RST, |p| p.seq_by(-600).raw_ack(0).win(0).id(0).bare().df(true))
}

/// lwIP sets ACK in what it says without a socket.
fn ack_without_a_socket(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_fin()
        .server_data(500)
        .server_data(500)
        .from_client(RST_ACK, |p| p.seq_by(-1).ack_by(-500).win(0).bare())
}

/// Both have the same buffer; the one that reads late offers all of it again with its reset.
fn window_opened_again(s: Scenario) -> Scenario {
    let narrow = |s: Scenario, win| s.from_client(ACK, |p| p.win(win));
    let s = s.client(|c| c.window(777)).server(|s| s.window(777)).handshake().talk(2);
    [700, 600, 500, 400]
        .into_iter()
        .fold(s, narrow)
        .rst(|p| p.win(777))
        .expect(finding("rst-abort").info().evidence(&[]))
}
