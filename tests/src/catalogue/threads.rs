//! The other seed threads: nobody interferes there.

use sensor_common::flow::TcpFlags;

use super::{
    cases,
    ecn::{ECN_SYN, others},
};
use crate::scenario::{ACK, Scenario, Who, finding};

cases! {
    RstSynSent: reused_port_until_accepted;
    SynBareAckThenRst: seed2;
    RstStateless: reset_for_the_last_ack;
    SynBareAckStaleConfirmed: seed3;
}

/// Thread 2: SYN, SYN, plain ACK with the right number, and its reset, twice, beside five handshakes with ECN that work.
pub fn seed2(s: Scenario) -> Scenario {
    let attempt = |s: Scenario, port, [retry, ack, rst]: [u64; 3], worked: u32| {
        // Less the time that a segment takes anyway.
        let after = |s: Scenario, us: u64| s.after_us(us - 50);
        let s = s.port(port).from_client(ECN_SYN, |p| p.win(5840));
        let s = after(s, retry).from_client(ECN_SYN, |p| p.win(5840));
        let s = s.expect(finding("syn-retry-profile").info().detail([2996, 1]));
        let s = after(s, ack).from_server(ACK, |p| p.win(12_288).bare());
        let s = s.expect(finding("syn-bare-ack-match").warn().detail([ack as u32 / 1000, 2]));
        after(s, rst)
            .server_rst(|p| p.win(12_288).bare())
            .expect(finding("syn-bare-ack-then-rst").warn().class("rst-abort").detail([rst as u32 / 1000, worked]))
            .expect(finding("ecn-not-the-cause").info())
            .after(1000)
    };
    let s = others(s, 5);
    let s = attempt(s, 13_358, [2_996_501, 23_069, 4_413_363], 5 << 16 | 5);
    attempt(s, 53_810, [2_996_475, 31_144, 4_241_040], 5 << 16 | 6)
}

/// Thread 3: P1, then P3 from the same port.
pub fn seed3(s: Scenario) -> Scenario {
    let s = s
        .port(43_239)
        .handshake()
        .client_data(900)
        .server_ack()
        .after(10_000)
        .client_fin()
        .server_data(1200)
        .server_fin();
    let (seq, ack) = s.next_numbers();
    let round = |s: Scenario| {
        s.syn()
            .from_server(ACK, |p| p.forged().raw_seq(seq).raw_ack(ack))
            .expect(finding("syn-bare-ack-stale-confirmed"))
            .from_client(TcpFlags::RST, |p| p.raw_seq(ack).win(0).bare())
            .expect(finding("rst-synsent").info())
            .after(3000)
    };
    let s = s.socketless(Who::Client, |p| p).expect(finding("rst-stateless").info()).after(5000).reconnect();
    round(round(s)).handshake().talk(3)
}

/// Thread 3, P1: the client closes after 10 s, the server answers only then, and the last ACK is a reset.
fn reset_for_the_last_ack(s: Scenario) -> Scenario {
    s.handshake()
        .client_data(900)
        .server_ack()
        .after(10_000)
        .client_fin()
        .server_data(1200)
        .server_fin()
        .socketless(Who::Client, |p| p)
        .expect(finding("rst-stateless").info())
}

/// Thread 3, P3: the server still knows the old connection; the client's resets clear it sooner or later.
fn reused_port_until_accepted(s: Scenario) -> Scenario {
    let round = |s: Scenario| {
        s.syn()
            .from_server(ACK, |p| p.forged().raw_seq(888_888).raw_ack(777_777))
            .expect(finding("syn-bare-ack-stale"))
            .from_client(TcpFlags::RST, |p| p.raw_seq(777_777).win(0).bare())
            .expect(finding("rst-synsent").info())
            .after(3000)
    };
    round(round(s)).handshake().talk(3)
}
