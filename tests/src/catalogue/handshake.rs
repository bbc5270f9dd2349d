//! Answers to connection requests.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, SYN_ACK, Scenario, finding};

cases! {
    SynAckIsnChange: second_answer, fresh_answer_to_a_retry, repeated_answer, port_reuse_after_close, simultaneous_open;
}

/// Two who both claim to be the server.
fn second_answer(s: Scenario) -> Scenario {
    s.syn()
        .synack()
        .from_server(SYN_ACK, |p| p.forged().seq(900_000_000))
        .expect(finding("synack-isn-change").notice().evidence(&["synack-isn-change"]))
        .ack()
}

/// The half-open entry was lost, and the request repeated.
fn fresh_answer_to_a_retry(s: Scenario) -> Scenario {
    s.syn().from_server(SYN_ACK, |p| p.forged()).after(1000).syn().server(|s| s.isn(900_000_000)).synack().ack().talk(2)
}

fn repeated_answer(s: Scenario) -> Scenario {
    s.syn().synack().after(1000).synack().ack().talk(1)
}

fn port_reuse_after_close(s: Scenario) -> Scenario {
    s.handshake().talk(2).client_fin().server_fin().ack().after(30_000).reconnect().handshake().talk(2)
}

/// Both ask at once (RFC 9293 §3.5).
fn simultaneous_open(s: Scenario) -> Scenario {
    s.syn()
        .from_server(TcpFlags::SYN, |p| p)
        .from_client(SYN_ACK, |p| p)
        .from_server(SYN_ACK, |p| p)
        .from_client(ACK, |p| p)
        .talk(2)
}
