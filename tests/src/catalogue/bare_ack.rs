//! A plain ACK where a SYN-ACK belongs, and requests that are repeated.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, Scenario, finding};

cases! {
    SynBareAckMatch: half_open_since_the_first_request, acknowledged_before_it_is_answered, answer_not_seen;
    SynBareAckThenRst: half_open_entry_given_up, accepted_and_then_aborted;
    SynBareAckStale: older_numbers_answer, opened_from_both_sides;
    SynBareAckStaleConfirmed: numbers_of_the_connection_before, port_used_again;
    SynRetryProfile: nobody_answers, asked_once, request_copied;
}

fn half_open_since_the_first_request(s: Scenario) -> Scenario {
    s.syn().after(1000).syn().after(20).server_ack().expect(finding("syn-bare-ack-match").warn().detail([20, 2]))
}

/// Some stacks acknowledge a SYN before they answer it.
fn acknowledged_before_it_is_answered(s: Scenario) -> Scenario {
    s.syn().server_ack().synack().ack().talk(2)
}

/// The SYN-ACK went another way; the client's ACK shows that it came.
fn answer_not_seen(s: Scenario) -> Scenario {
    s.syn().from_server(crate::scenario::SYN_ACK, |p| p.unseen()).ack().client_data(100).server_ack().talk(2)
}

fn half_open_entry_given_up(s: Scenario) -> Scenario {
    s.syn()
        .after(3000)
        .syn()
        .after(20)
        .from_server(ACK, |p| p.win(12_288).bare())
        .expect(finding("syn-bare-ack-match").warn())
        .after(4400)
        .server_rst(|p| p.win(12_288).bare())
        .expect(finding("syn-bare-ack-then-rst").warn().class("rst-abort").detail([4400, 0]))
}

fn accepted_and_then_aborted(s: Scenario) -> Scenario {
    s.syn()
        .after(3000)
        .syn()
        .synack()
        .ack()
        .server_ack()
        .after(4400)
        .server_rst(|p| p)
        .expect(finding("rst-abort").info())
}

/// Nothing is known of the connection before.
fn older_numbers_answer(s: Scenario) -> Scenario {
    let stale = |s: Scenario| s.syn().from_server(ACK, |p| p.forged().raw_seq(888_888).raw_ack(777_777));
    let reject = |s: Scenario| {
        let rst = |s: Scenario| s.from_client(TcpFlags::RST, |p| p.raw_seq(777_777).win(0).bare());
        rst(s).expect(finding("rst-synsent").info()).after(1000)
    };
    let s = reject(stale(s).expect(finding("syn-bare-ack-stale").notice()));
    // The client's reset should have cleared it.
    reject(stale(s).expect(finding("syn-bare-ack-stale").warn()))
}

fn opened_from_both_sides(s: Scenario) -> Scenario {
    s.syn().from_server(TcpFlags::SYN, |p| p).server_ack().ack().talk(2)
}

fn numbers_of_the_connection_before(s: Scenario) -> Scenario {
    let s = s.handshake().talk(2).client_fin().server_fin();
    let (seq, ack) = s.next_numbers();
    s.from_client(TcpFlags::RST, |p| p.win(0).bare())
        .expect(finding("rst-stateless").info())
        .after(5000)
        .reconnect()
        .syn()
        .from_server(ACK, move |p| p.forged().raw_seq(seq).raw_ack(ack))
        .expect(finding("syn-bare-ack-stale-confirmed").notice())
        .from_client(TcpFlags::RST, move |p| p.raw_seq(ack).win(0).bare())
        .expect(finding("rst-synsent").info())
        .after(3000)
        .handshake()
        .talk(1)
}

fn port_used_again(s: Scenario) -> Scenario {
    s.handshake().talk(2).client_fin().server_fin().ack().after(5000).reconnect().handshake().talk(1)
}

fn nobody_answers(s: Scenario) -> Scenario {
    s.syn()
        .after(1000)
        .syn()
        .expect(finding("syn-retry-profile").info().detail([1000, 1]))
        .after(2000)
        .syn()
        .expect(finding("syn-retry-profile").info().detail([2000, 2]))
}

fn asked_once(s: Scenario) -> Scenario {
    s.handshake().talk(1)
}

/// By a mirror port, or the loopback interface.
fn request_copied(s: Scenario) -> Scenario {
    s.syn().again().synack().ack().talk(1)
}
