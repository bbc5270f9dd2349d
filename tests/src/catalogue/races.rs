//! Resets that race a handshake, and resets that strike both ends at once.

use super::cases;
use crate::scenario::{RST, Scenario, Who, finding};

cases! {
    RstSyn: reset_right_after_syn, reset_after_syn_from_elsewhere, reset_races_the_syn_ack, port_scanner, retried;
    RstBothEnds: both_ends, both_ends_after_idle, answered_stragglers, one_after_the_other;
}

fn reset_right_after_syn(s: Scenario) -> Scenario {
    s.syn().from_client(RST, |p| p.forged().seq_by(1_000)).expect(finding("rst-syn").info())
}

fn reset_after_syn_from_elsewhere(s: Scenario) -> Scenario {
    s.syn().from_client(RST, |p| p.forged().ttl(52)).expect(finding("rst-syn").warn())
}

/// A proxy that answers SYNs, and the server itself that knows nothing of it, look like this too.
fn reset_races_the_syn_ack(s: Scenario) -> Scenario {
    s.syn().synack().server_rst(|p| p.forged().ttl(50)).expect(finding("rst-syn").notice())
}

fn port_scanner(s: Scenario) -> Scenario {
    s.syn().synack().socketless(Who::Client, |p| p).expect(finding("rst-synsent").info())
}

fn retried(s: Scenario) -> Scenario {
    s.syn().after(1000).syn().after(2000).syn().synack().ack().talk(1)
}

fn both_ends(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .rst(|p| p.forged())
        .after(1)
        .server_rst(|p| p.forged())
        .expect(finding("rst-both-ends").notice())
}

fn both_ends_after_idle(s: Scenario) -> Scenario {
    s.handshake()
        .talk(2)
        .after(300_000)
        .socketless(Who::Server, |p| p.forged())
        .socketless(Who::Client, |p| p.forged())
        .expect(finding("rst-both-ends").notice())
}

/// Data on its way meets a host without a socket.
fn answered_stragglers(s: Scenario) -> Scenario {
    s.handshake().talk(2).server_rst(|p| p).client_data(100).socketless(Who::Server, |p| p)
}

fn one_after_the_other(s: Scenario) -> Scenario {
    s.handshake().talk(2).rst(|p| p).after(400).server_rst(|p| p)
}
