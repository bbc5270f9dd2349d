//! ECN in the handshake: blamed, cleared, and answered wrongly.

use sensor_common::flow::TcpFlags;

use super::cases;
use crate::scenario::{ACK, SYN_ACK, Scenario, finding};

cases! {
    EcnNotTheCause: worked_for_all_others, nothing_known_of_others, failed_for_others_too;
    EcnSynRst: refused_until_asked_without, refused_once, refused_where_ecn_works;
    EcnReflect: both_bits_come_back, granted;
    EcnBadSynAck: granted_unasked, not_granted;
}

/// A SYN that asks for ECN.
pub(super) const ECN_SYN: TcpFlags = TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR);
/// A SYN-ACK that grants it.
pub(super) const GRANT: TcpFlags = SYN_ACK.with(TcpFlags::ECE);

/// A whole connection with ECN from another port.
fn worked(s: Scenario, port: u16) -> Scenario {
    s.port(port).from_client(ECN_SYN, |p| p).from_server(GRANT, |p| p).ack().talk(1).after(100)
}

/// That many of them.
pub(super) fn others(s: Scenario, n: u16) -> Scenario {
    (0..n).fold(s, |s, i| worked(s, 41_000 + i))
}

/// A plain ACK answers the repeated request, and a reset takes it back.
fn given_up(s: Scenario) -> Scenario {
    s.port(42_000)
        .from_client(ECN_SYN, |p| p)
        .after(3000)
        .from_client(ECN_SYN, |p| p)
        .after(20)
        .from_server(ACK, |p| p.win(12_288).bare())
        .expect(finding("syn-bare-ack-match").warn())
        .after(4400)
        .server_rst(|p| p.win(12_288).bare())
}

fn worked_for_all_others(s: Scenario) -> Scenario {
    given_up(others(s, 5))
        .expect(finding("syn-bare-ack-then-rst").warn().detail([4400, 5 << 16 | 5]))
        .expect(finding("ecn-not-the-cause").info())
}

fn nothing_known_of_others(s: Scenario) -> Scenario {
    given_up(others(s, 2)).expect(finding("syn-bare-ack-then-rst").warn().detail([4400, 2 << 16 | 2]))
}

fn failed_for_others_too(s: Scenario) -> Scenario {
    let s = (0..2).fold(others(s, 3), |s, i| refused(s, 43_000 + i));
    given_up(s).expect(finding("syn-bare-ack-then-rst").warn().detail([4400, 3 << 16 | 5]))
}

/// A request with ECN is reset, and works without.
fn refused(s: Scenario, port: u16) -> Scenario {
    s.port(port)
        .from_client(ECN_SYN, |p| p)
        .server_rst(|p| p.forged().raw_seq(0).win(0).ack(1).bare())
        .expect(finding("rst-refused").info())
        .after(50)
        .syn()
        .synack()
}

fn refused_until_asked_without(s: Scenario) -> Scenario {
    (0..5)
        .fold(s, |s, i| {
            let s = refused(s, 43_000 + i);
            if i == 4 { s.expect(finding("ecn-syn-rst").notice().detail([50, 4])) } else { s }.ack().talk(1)
        })
        .after(100)
}

fn refused_once(s: Scenario) -> Scenario {
    refused(s, 43_000).ack().talk(1)
}

fn refused_where_ecn_works(s: Scenario) -> Scenario {
    refused(others(s, 5), 43_000).ack().talk(1)
}

fn both_bits_come_back(s: Scenario) -> Scenario {
    s.from_client(ECN_SYN, |p| p)
        .from_server(ECN_SYN.with(TcpFlags::ACK), |p| p)
        .expect(finding("ecn-reflect").info())
        .ack()
        .talk(1)
}

fn granted(s: Scenario) -> Scenario {
    worked(s, 41_000)
}

fn granted_unasked(s: Scenario) -> Scenario {
    s.syn().from_server(GRANT, |p| p).expect(finding("ecn-bad-synack").info()).ack().talk(1)
}

fn not_granted(s: Scenario) -> Scenario {
    s.from_client(ECN_SYN, |p| p).synack().ack().talk(1)
}
