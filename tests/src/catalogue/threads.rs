//! The other seed threads: nobody interferes there.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, Scenario, Who, finding};

cases! {
    RstSynSent: reused_port_until_accepted;
    RstAbort: half_open_entry_gives_up;
    RstStateless: reset_for_the_last_ack;
}

const ECN_SYN: TcpFlags = TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR);

/// Thread 2: SYN, SYN, bare ACK with the right number, reset 4.4 s later.
fn half_open_entry_gives_up(s: Scenario) -> Scenario {
    s.from_client(ECN_SYN, |p| p.win(5840))
        .after_us(2_996_501)
        .from_client(ECN_SYN, |p| p.win(5840))
        .after_us(23_069)
        .from_server(ACK, |p| p.win(12_288).bare())
        .after_us(4_413_363)
        .server_rst(|p| p.win(12_288).bare())
        .expect(finding("rst-abort").info())
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
            .from_client(TcpFlags::RST, |p| p.raw_seq(777_777).win(0).bare())
            .expect(finding("rst-synsent").info())
            .after(3000)
    };
    round(round(s)).handshake().talk(3)
}
