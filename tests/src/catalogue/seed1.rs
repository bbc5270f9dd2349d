//! The first seed thread: a reset with TTL 255 and the receiver's own window, and what differs from it in one thing.

use sensor_common::detect::Confidence;

use super::cases;
use crate::scenario::{ACK, Draft, FIN_ACK, PSH_ACK, Scenario, finding};

cases! {
    TtlRstMismatch: seed1_abort, seed1_nonconforming, own_distance, rerouted_by_one, linux_client;
}

const PIECES: [&str; 3] = ["ttl-rst-mismatch", "ttl-adjacent-origin", "win-mirror-peer"];

/// The 25 packets before the reset, with the thread's TTLs and windows.
fn stream(s: Scenario) -> Scenario {
    let data = |p: Draft| p.len(1380);
    s.client(|x| x.plain().ttl(125).syn_window(65_535).window(65_535))
        .server(|y| y.plain().ttl(128).syn_window(16_384).window(65_323))
        .syn()
        .synack()
        .after(1)
        .from_client(ACK, |p| p.win(1460))
        .client_data(412)
        .after(300)
        .from_server(ACK, data)
        .from_server(ACK, data)
        .ack()
        .from_server(PSH_ACK, data)
        .from_server(ACK, data)
        .from_server(ACK, data)
        .ack()
        .from_server(ACK, data)
        .from_server(PSH_ACK, data)
        .ack()
        .from_server(ACK, data)
        .from_server(ACK, data)
        .from_server(ACK, data)
        .from_server(ACK, data)
        .ack()
        .from_server(ACK, data)
        .from_server(PSH_ACK, |p| p.len(733))
        .from_client(ACK, |p| p.win(64_155))
        .ack()
        .ack()
        .after(1000)
        .from_server(FIN_ACK, |p| p)
}

/// The thread's reset with the numbers of the live connection.
pub fn seed1_abort(s: Scenario) -> Scenario {
    stream(s)
        .rst(|p| p.forged().ttl(255).win(65_323))
        .expect(finding("ttl-rst-mismatch").alert().confidence(Confidence::Likely).class("rst-abort").evidence(&PIECES))
}

/// The same with an acknowledgment of what was never sent.
fn seed1_nonconforming(s: Scenario) -> Scenario {
    let pieces = [&PIECES[..], &["rst-nonconforming"]].concat();
    stream(s)
        .rst(|p| p.forged().ttl(255).win(65_323).ack_by(1))
        .expect(finding("ttl-rst-mismatch").alert().class("rst-nonconforming").evidence(&pieces))
}

/// Negative (a): the client's own distance and window.
fn own_distance(s: Scenario) -> Scenario {
    stream(s).rst(|p| p).expect(finding("rst-abort").info().evidence(&["abort-after-fin"]))
}

/// Negative (b): one hop more after a reroute, and what follows stays there.
fn rerouted_by_one(s: Scenario) -> Scenario {
    s.client(|c| c.ttl(62))
        .handshake()
        .talk(2)
        .client(|c| c.ttl(61))
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&["ttl-weak-mismatch"]))
        .reconnect()
        .syn()
        .expect(finding("ws-reused-ports").info())
        .synack()
        .ack()
        .talk(2)
}

/// Negative (c): a Linux client without a socket for the data that comes too late.
fn linux_client(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_fin()
        .server_data(500)
        .socketless(crate::scenario::Who::Client, |p| p)
        .expect(finding("rst-stateless").info().evidence(&["linux-stateless-shape", "abort-after-fin"]))
}
