//! Segments from elsewhere, and paths that only change.

use super::cases;
use crate::scenario::{ACK, FIN_ACK, PSH_ACK, RST, SYN_ACK, Scenario, Seat, Who, finding};

cases! {
    TtlRstMismatch:
        farther_reset, socketless_from_elsewhere, mirrored_ttl, route_change_that_stays, reset_on_a_known_path,
        other_initial_ttl, other_initial_ttl_without_a_socket, no_baseline_yet, bgp, midstream_too_short;
    TtlFinMismatch: forged_fin, fin_on_a_new_path;
    TtlDataMismatch:
        injected_data, injected_from_next_door, data_on_a_new_path, hosts_behind_one_address, shared_port_after_close,
        detour_of_even_length;
    TtlSynAckMismatch: syn_proxy, farther_second_answer, steady_server;
    TtlFlap: two_paths, ecmp, one_detour;
}

fn farther_reset(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged().ttl(50).id(60_000))
        .expect(finding("ttl-rst-mismatch").warn().evidence(&["ttl-rst-mismatch", "ipid-jump"]))
}

/// Linux's shape does not excuse another distance.
fn socketless_from_elsewhere(s: Scenario) -> Scenario {
    s.handshake().talk(2).socketless(Who::Client, |p| p.forged().ttl(255)).expect(
        finding("ttl-rst-mismatch").warn().evidence(&[
            "ttl-rst-mismatch",
            "ttl-adjacent-origin",
            "linux-stateless-shape",
        ]),
    )
}

/// A box two hops out answers with the TTL that our segment had left: 64 - 2, less two on the way back.
fn mirrored_ttl(s: Scenario) -> Scenario {
    s.client(|c| c.ttl(52))
        .handshake()
        .talk(2)
        .rst(|p| p.forged().ttl(60))
        .expect(finding("ttl-rst-mismatch").warn().evidence(&["ttl-rst-mismatch", "ttl-mirror"]))
}

fn route_change_that_stays(s: Scenario) -> Scenario {
    s.client(|c| c.ttl(62))
        .handshake()
        .talk(2)
        .client(|c| c.ttl(58))
        .talk(2)
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&[]))
}

/// Back on the path that was in use before.
fn reset_on_a_known_path(s: Scenario) -> Scenario {
    s.client(|c| c.ttl(62))
        .handshake()
        .talk(2)
        .client(|c| c.ttl(58))
        .talk(2)
        .rst(|p| p.ttl(62))
        .expect(finding("rst-abort").info().evidence(&[]))
}

/// As far away, but a live socket has one initial TTL.
fn other_initial_ttl(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.ttl(252))
        .expect(finding("ttl-rst-mismatch").notice().evidence(&["ttl-initial-mismatch"]))
}

/// As far away, from another code path of the same host.
fn other_initial_ttl_without_a_socket(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .socketless(Who::Client, |p| p.ttl(252))
        .expect(finding("rst-stateless").info().evidence(&["linux-stateless-shape", "same-distance-other-initial-ttl"]))
}

/// Two segments are no baseline.
fn no_baseline_yet(s: Scenario) -> Scenario {
    s.handshake().rst(|p| p.ttl(55)).expect(finding("rst-abort").info())
}

/// BGP speakers set their own TTL, their kernels' resets do not know (RFC 5082).
fn bgp(s: Scenario) -> Scenario {
    let server =
        if s.is_v6() { ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80], 179).into() } else { ([192, 0, 2, 80], 179).into() };
    s.server(|s| s.address(server))
        .client(|c| c.ttl(255))
        .handshake()
        .talk(3)
        .socketless(Who::Client, |p| p.ttl(64))
        .expect(finding("rst-stateless").info())
}

/// Picked up in the middle: three segments of that side are not enough.
fn midstream_too_short(s: Scenario) -> Scenario {
    s.talk(1).rst(|p| p.ttl(55)).expect(finding("rst-abort").info())
}

fn forged_fin(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .from_client(FIN_ACK, |p| p.forged().ttl(255))
        .server_ack()
        .ack()
        .expect(finding("ttl-fin-mismatch").warn().evidence(&["ttl-fin-mismatch", "ttl-adjacent-origin"]))
}

/// The path changes with the FIN, and stays so.
fn fin_on_a_new_path(s: Scenario) -> Scenario {
    s.handshake().talk(2).client(|c| c.ttl(57)).client_fin().server_ack().server_fin().ack()
}

/// The genuine segment comes second, with other content.
fn injected_data(s: Scenario) -> Scenario {
    s.seat(Seat::Client)
        .client(|c| c.ttl(64))
        .server(|s| s.ttl(52))
        .handshake()
        .talk(3)
        .client_data(100)
        .from_server(PSH_ACK, |p| p.forged().ttl(59).len(120))
        .after(5)
        .server_data(1400)
        .expect(finding("ttl-data-mismatch").alert().evidence(&["ttl-data-mismatch", "dup-seq-different-content"]))
}

/// A box at the gateway adds a redirect; the server's own segment follows where it left off.
fn injected_from_next_door(s: Scenario) -> Scenario {
    s.seat(Seat::Client)
        .client(|c| c.ttl(64))
        .server(|s| s.ttl(52))
        .handshake()
        .talk(3)
        .client_data(100)
        .from_server(PSH_ACK, |p| p.forged().ttl(63).len(120))
        .after(5)
        .server_ack()
        .expect(finding("ttl-data-mismatch").warn().evidence(&["ttl-data-mismatch", "ttl-adjacent-origin"]))
}

fn data_on_a_new_path(s: Scenario) -> Scenario {
    s.handshake().talk(2).client(|c| c.ttl(55)).talk(3)
}

/// Each host behind the address translator has its own distance, and its own port.
fn hosts_behind_one_address(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .port(40_001)
        .client(|c| c.ttl(125).plain())
        .handshake()
        .talk(2)
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&[]))
        .port(40_002)
        .client(|c| c.ttl(60))
        .handshake()
        .talk(2)
        .client_fin()
}

/// The address translator gives a closed connection's port to another host.
fn shared_port_after_close(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .client_fin()
        .server_fin()
        .ack()
        .after(5_000)
        .client(|c| c.ttl(125))
        .reconnect()
        .handshake()
        .talk(3)
}

/// A box shakes hands for the server, which then speaks for itself.
fn syn_proxy(s: Scenario) -> Scenario {
    s.seat(Seat::Client)
        .client(|c| c.ttl(64))
        .server(|s| s.ttl(52))
        .syn()
        .from_server(SYN_ACK, |p| p.ttl(250))
        .ack()
        .client_data(100)
        .server_ack()
        .server_data(400)
        .server_data(400)
        .expect(finding("ttl-synack-mismatch").info().evidence(&["ttl-synack-mismatch"]))
        .ack()
        .talk(2)
}

/// An injector wins the race against the server's own SYN-ACK.
fn farther_second_answer(s: Scenario) -> Scenario {
    s.seat(Seat::Client)
        .client(|c| c.ttl(64))
        .server(|s| s.ttl(52))
        .syn()
        .from_server(SYN_ACK, |p| p.ttl(60))
        .from_server(SYN_ACK, |p| p.forged().seq(123_456_789))
        .expect(finding("ttl-synack-mismatch").alert().evidence(&["ttl-synack-mismatch", "synack-isn-change"]))
}

fn steady_server(s: Scenario) -> Scenario {
    s.seat(Seat::Client)
        .client(|c| c.ttl(64))
        .server(|s| s.ttl(52))
        .syn()
        .from_server(SYN_ACK, |p| p.ttl(51))
        .from_server(SYN_ACK, |p| p.ttl(51))
        .ack()
        .talk(2)
}

/// There and back again, each time by four hops.
fn two_paths(s: Scenario) -> Scenario {
    let detour = |s: Scenario| s.from_client(ACK, |p| p.ttl(57).len(10)).client_data(10);
    detour(detour(detour(s.handshake().talk(2)))).expect(finding("ttl-flap").notice())
}

/// Parallel paths that differ by one hop.
fn ecmp(s: Scenario) -> Scenario {
    let both = |s: Scenario| s.from_client(ACK, |p| p.ttl(60).len(10)).client_data(10).server_ack();
    (0..6)
        .fold(s.handshake().talk(1), |s, _| both(s))
        .from_client(RST, |p| p.ttl(60))
        .expect(finding("rst-stateless").info())
}

/// A single segment on another path is worth a note, no more.
fn one_detour(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(ACK, |p| p.ttl(57).len(10)).client_data(10)
}

/// A detour that happens to be as long as a packet's way out and back: still the distance alone.
fn detour_of_even_length(s: Scenario) -> Scenario {
    s.handshake().talk(2).from_client(ACK, |p| p.ttl(58).len(10)).client_data(10).server_ack()
}
