//! What it is not: only what the data rule out.

use sensor_common::{
    detect::{Evidence, RstClass},
    flow::{HeadBits, TcpFlags},
    kind::Kind,
};

use crate::report::{Finding, evidence::ms, finding::SHORTEST_TIMEOUT};

/// The explanations that this finding excludes, each with its reason.
pub(super) fn ruled_out(finding: &Finding<'_>) -> Vec<String> {
    [idle_timeout, overload, closed_port, ordinary_close, reroute, peer]
        .iter()
        .filter_map(|test| test(finding))
        .collect()
}

/// Not for its age: no device forgets a connection that was active a moment before.
pub(super) fn idle_timeout(finding: &Finding<'_>) -> Option<String> {
    if !finding.suspect.flags.any(TcpFlags::RST) && finding.kind != Kind::TtlFinMismatch {
        return None;
    }
    let idle = finding.idle.filter(|idle| *idle < SHORTEST_TIMEOUT)?;
    Some(format!(
        "An idle timeout (flow-age-vs-idle): the connection was {} old, and the last gap was {}.",
        ms(finding.age),
        ms(idle)
    ))
}

fn overload(finding: &Finding<'_>) -> Option<String> {
    let reset = finding.suspect.flags.any(TcpFlags::RST) && finding.suspect.win == 0;
    reset.then(|| "Overload: the window of a reset, here 0, says nothing about load.".to_owned())
}

fn closed_port(finding: &Finding<'_>) -> Option<String> {
    let established = finding.event.flow.head.bits.any(HeadBits::ESTABLISHED);
    let refused = finding.event.rst_class() == Some(RstClass::Refused);
    (finding.suspect.flags.any(TcpFlags::RST) && established && !refused)
        .then(|| "A closed port: the connection was established.".to_owned())
}

fn ordinary_close(finding: &Finding<'_>) -> Option<String> {
    let reset = finding.suspect.flags.any(TcpFlags::RST);
    if finding.confirms() {
        return Some(format!("A close by {}: it went on.", finding.cast.name(finding.side)));
    }
    (reset && !finding.seen(TcpFlags::FIN)).then(|| "An ordinary close: neither side had sent a FIN.".to_owned())
}

fn reroute(finding: &Finding<'_>) -> Option<String> {
    let back = matches!(finding.kind, Kind::TtlDataMismatch | Kind::TtlFinMismatch | Kind::RstSeqData);
    (back && finding.elsewhere())
        .then(|| format!("A route change: segments from {} own distance followed.", finding.cast.whose(finding.side)))
}

fn peer(finding: &Finding<'_>) -> Option<String> {
    let far = finding.has(Evidence::TTL) && !finding.confirms();
    let own = finding.own.filter(|_| far)?;
    Some(format!(
        "{}: {} of its segments arrived with TTL {}.",
        super::what::capital(&finding.cast.name(finding.side)),
        finding.event.flow.ends[finding.side as usize].ttl_n,
        own.ttl
    ))
}
