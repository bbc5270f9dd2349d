//! Each weak piece by itself: a fact worth keeping, and no more.

use super::cases;
use crate::scenario::{ACK, Draft, Scenario, Seat, Who, finding};

cases! {
    RstAbort: near_miss, unscaled_window, jumping_id, copied_id, foreign_class, missing_timestamps, another_device;
    RstStateless: mirrored_class;
    RstTooFast: no_sample_but_pure_handshakes;
}

fn lone(s: Scenario, piece: &'static str, edit: impl FnOnce(Draft) -> Draft) -> Scenario {
    let found: &[&'static str] = if s.is_v6() && piece.starts_with("ipid") { &[] } else { &[piece] };
    s.handshake().talk(4).rst(|p| edit(p.forged())).expect(finding("rst-abort").info().evidence(found))
}

fn near_miss(s: Scenario) -> Scenario {
    lone(s, "ttl-weak-mismatch", |p| p.ttl(60))
}

fn unscaled_window(s: Scenario) -> Scenario {
    lone(s, "win-unscaled-after-ws", |p| p.win(29_200))
}

fn jumping_id(s: Scenario) -> Scenario {
    lone(s, "ipid-jump", |p| p.id(40_000))
}

/// The identification of the server's last packet.
fn copied_id(s: Scenario) -> Scenario {
    s.client(|c| c.id(4444).no_id())
        .server(|s| s.id(7))
        .handshake()
        .talk(1)
        .rst(|p| p.forged().id(9))
        .expect(finding("rst-abort").info().evidence(&["ipid-dup"]))
}

fn foreign_class(s: Scenario) -> Scenario {
    lone(s, "tos-df-fl-mismatch", |p| p.tos(0x48))
}

/// Linux mirrors the traffic class of what it answers.
fn mirrored_class(s: Scenario) -> Scenario {
    s.server(|s| s.tos(0x48))
        .handshake()
        .talk(2)
        .server_data(100)
        .socketless(Who::Client, |p| p.tos(0x48))
        .expect(finding("rst-stateless").info().evidence(&["linux-stateless-shape"]))
}

fn missing_timestamps(s: Scenario) -> Scenario {
    lone(s, "ts-missing", |p| p.bare())
}

fn another_device(s: Scenario) -> Scenario {
    lone(s, "l2-origin-change", |p| p.mac([6, 5, 4, 3, 2, 1]))
}

/// The handshake's last ACK was lost: what came instead came late, and says nothing of the path.
fn no_sample_but_pure_handshakes(s: Scenario) -> Scenario {
    s.seat(Seat::Server)
        .syn()
        .synack()
        .from_client(ACK, |p| p.unseen())
        .after(200)
        .client_data(100)
        .server_data(300)
        .after(20)
        .rst(|p| p)
        .expect(finding("rst-abort").info().evidence(&[]))
}
