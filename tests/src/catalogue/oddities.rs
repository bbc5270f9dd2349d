//! Odd handshakes, and ports that are used again.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, PSH_ACK, SYN_ACK, Scenario, finding};

cases! {
    SynAckBadAck: acknowledges_what_was_not_sent, answers_data_on_the_request;
    SplitHandshake: answered_by_a_request, answered_in_one;
    SynAckWrongDir: answers_itself, both_ask_and_answer;
    IsnJump: asks_anew_with_another_number, asks_anew_with_the_same_number;
    DataBeforeEst: server_cannot_wait, client_cannot_wait, data_after_a_lost_ack;
    WscaleRange: scale_of_fifteen, scale_of_fourteen;
    WindowSlam: window_of_two_bytes, window_of_two_scaled;
    TwReuseOk: accepted_within_time_wait, accepted_after_time_wait;
    SynAfterClose: port_used_at_once, port_rests;
    AsymRoute: answers_take_another_way, the_request_alone_passes, the_server_is_silent, seen_from_midway;
    AckBeyondFin: acknowledges_more_than_all, acknowledges_all;
}

fn acknowledges_what_was_not_sent(s: Scenario) -> Scenario {
    s.syn()
        .from_server(SYN_ACK, |p| p.forged().ack_by(5))
        .expect(finding("synack-badack").notice())
        .synack()
        .ack()
        .talk(1)
}

/// Fast Open.
fn answers_data_on_the_request(s: Scenario) -> Scenario {
    s.from_client(TcpFlags::SYN, |p| p.len(100).cookie()).synack().server_data(200).ack().talk(1)
}

fn answered_by_a_request(s: Scenario) -> Scenario {
    s.syn()
        .from_server(TcpFlags::SYN, |p| p)
        .expect(finding("split-handshake").info())
        .from_client(SYN_ACK, |p| p)
        .server_ack()
        .talk(1)
}

fn answered_in_one(s: Scenario) -> Scenario {
    s.handshake().talk(1)
}

fn answers_itself(s: Scenario) -> Scenario {
    s.syn().from_client(SYN_ACK, |p| p).expect(finding("synack-wrong-dir").info())
}

fn both_ask_and_answer(s: Scenario) -> Scenario {
    s.syn().from_server(TcpFlags::SYN, |p| p).from_client(SYN_ACK, |p| p).from_server(SYN_ACK, |p| p).talk(1)
}

fn asks_anew_with_another_number(s: Scenario) -> Scenario {
    s.syn().after(1000).reconnect().syn().expect(finding("isn-jump").notice()).synack().ack().talk(1)
}

fn asks_anew_with_the_same_number(s: Scenario) -> Scenario {
    s.syn().after(1000).syn().synack().ack().talk(1)
}

fn server_cannot_wait(s: Scenario) -> Scenario {
    s.syn().synack().server_data(100).expect(finding("data-before-est").notice()).ack().talk(1)
}

fn client_cannot_wait(s: Scenario) -> Scenario {
    s.syn()
        .from_client(TcpFlags::PSH, |p| p.forged().len(100))
        .expect(finding("data-before-est").notice())
        .expect(finding("flag-null").notice())
        .synack()
        .ack()
}

fn data_after_a_lost_ack(s: Scenario) -> Scenario {
    s.syn().synack().from_client(ACK, |p| p.unseen()).client_data(100).server_data(100).talk(1)
}

fn scale_of_fifteen(s: Scenario) -> Scenario {
    s.syn().from_server(SYN_ACK, |p| p.options(&[1, 3, 3, 15])).expect(finding("wscale-range").notice()).ack().talk(1)
}

fn scale_of_fourteen(s: Scenario) -> Scenario {
    s.syn().from_server(SYN_ACK, |p| p.options(&[1, 3, 3, 14])).ack().talk(1)
}

fn window_of_two_bytes(s: Scenario) -> Scenario {
    s.client(|c| c.plain()).syn().synack().from_client(ACK, |p| p.win(2)).expect(finding("window-slam").notice())
}

fn window_of_two_scaled(s: Scenario) -> Scenario {
    s.syn().synack().from_client(ACK, |p| p.win(2)).talk(1)
}

/// A connection that ends in order, and the wait after it.
fn closed(s: Scenario, milliseconds: u64) -> Scenario {
    s.handshake().talk(1).client_fin().server_fin().ack().after(milliseconds).reconnect()
}

fn accepted_within_time_wait(s: Scenario) -> Scenario {
    closed(s, 30_000).syn().synack().expect(finding("tw-reuse-ok").info().detail([29_999, 0])).ack().talk(1)
}

fn accepted_after_time_wait(s: Scenario) -> Scenario {
    closed(s, 300_000).handshake().talk(1)
}

fn port_used_at_once(s: Scenario) -> Scenario {
    closed(s, 1000).syn().expect(finding("syn-after-close").info().detail([1000, 0])).synack().ack().talk(1)
}

fn port_rests(s: Scenario) -> Scenario {
    closed(s, 6000).handshake().talk(1)
}

fn acknowledges_more_than_all(s: Scenario) -> Scenario {
    s.handshake()
        .talk(1)
        .client_fin()
        .from_server(ACK, |p| p.forged().ack_by(9))
        .expect(finding("ack-beyond-fin").warn())
        .server_ack()
}

fn acknowledges_all(s: Scenario) -> Scenario {
    s.handshake().talk(1).client_fin().from_server(PSH_ACK, |p| p.len(50)).ack().server_fin().ack()
}

/// A connection whose server's segments pass elsewhere.
fn half_seen(s: Scenario) -> Scenario {
    s.from_server(SYN_ACK, |p| p.unseen()).ack().client_data(300).from_server(PSH_ACK, |p| p.len(900).unseen()).ack()
}

fn answers_take_another_way(s: Scenario) -> Scenario {
    half_seen(s.syn()).client_fin().rest(finding("asym-route").info())
}

fn the_request_alone_passes(s: Scenario) -> Scenario {
    s.syn().from_server(SYN_ACK, |p| p.unseen()).ack().client_data(300).rest(finding("ct-psh-none"))
}

fn the_server_is_silent(s: Scenario) -> Scenario {
    s.syn().after(1000).again().rest(finding("ct-syn-none"))
}

fn seen_from_midway(s: Scenario) -> Scenario {
    half_seen(s.from_client(TcpFlags::SYN, |p| p.unseen()))
}
