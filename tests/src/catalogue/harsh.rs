//! Innocent conversations that are hard to tell from forgeries. Where one is told as more than it is, it says so: a known limit.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, PSH_ACK, RST, SYN_ACK, Scenario, Seat, finding};

cases! {
    RstNonconforming: reset_overtakes_data;
    DataSeqRst: killed_upload;
    RstTooFast: slow_to_accept, idle_for_long;
    TtlDataMismatch: collapsed_on_another_path;
    TtlRstMismatch: reset_on_a_parallel_path;
    SynAckIsnChange: two_cookies;
    DataAfterFin: reuse_with_its_request_unseen;
}

/// The last data is lost or late, so that the reset is ahead of it.
fn reset_overtakes_data(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(PSH_ACK, |p| p.len(800).late(1)).rst(|p| p).after(20)
}

/// The uploading process is killed: its host answers each acknowledgment that was on its way.
fn killed_upload(s: Scenario) -> Scenario {
    let s = (0..12).fold(s.handshake().talk(2), |s, _| s.client_data(1000).server_ack());
    let s = s.after(20).rst(|p| p).expect(finding("rst-abort").info());
    (0..12).fold(s, |s, n| s.from_client(RST, |p| p.seq_by(-11_000 + n * 1000).win(0).bare().id(0)))
}

/// The server took its time for the SYN-ACK, and answers fast later.
fn slow_to_accept(s: Scenario) -> Scenario {
    s.seat(Seat::Client)
        .client(|c| c.ttl(64))
        .server(|s| s.ttl(61))
        .syn()
        .after(300)
        .synack()
        .ack()
        .client_data(100)
        .after(10)
        .server_ack()
        .client_data(100)
        .after(10)
        .server_rst(|p| p)
        // Known limit: the least round trip is the handshake's.
        .expect(finding("rst-too-fast").notice())
}

/// Two SYNs on a long path, each answered with its own cookie.
fn two_cookies(s: Scenario) -> Scenario {
    s.syn()
        .after(1000)
        .syn()
        .after(200)
        .from_server(SYN_ACK, |p| p.forged().id(99))
        .after(1000)
        .server(|s| s.isn(900_000_000))
        .synack()
        .ack()
        .talk(2)
}

/// A closed connection's ports are used again, and the sensor misses the SYN.
fn reuse_with_its_request_unseen(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_fin()
        .server_fin()
        .ack()
        .after(60_000)
        .reconnect()
        .from_client(TcpFlags::SYN, |p| p.unseen())
        .synack()
        .from_client(ACK, |p| p)
        .talk(2)
}

/// Idle for 45 minutes: more than half of what a stamp can tell, so that time seems to stand still, and the answer too fast.
fn idle_for_long(s: Scenario) -> Scenario {
    s.syn().synack().after(20).ack().talk(2).after(45 * 60_000).server_data(100).after(20).rst(|p| p)
}

/// A small segment is lost behind the sensor, on a path three hops longer; its retransmission takes more along (as Linux does).
fn collapsed_on_another_path(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(PSH_ACK, |p| p.len(100).ttl(57))
        .after(200)
        .from_client(PSH_ACK, |p| p.seq_by(-100).len(1400))
}

/// Per-packet balancing over paths three hops apart, and a reset before that is known.
fn reset_on_a_parallel_path(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(ACK, |p| p.ttl(58).len(10))
        .client_data(10)
        .server_ack()
        .rst(|p| p.ttl(58))
        // Known limit: one stray segment does not make a path.
        .expect(finding("ttl-rst-mismatch").warn())
}
