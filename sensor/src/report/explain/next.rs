//! What to check next: a few concrete steps.

use sensor_common::{flow::TcpFlags, kind::Kind};

use crate::report::{Finding, evidence::hops, rfc3339};

/// The steps, most useful first.
pub(super) fn steps(finding: &Finding<'_>) -> Vec<String> {
    let (src, dst, cast) = (finding.src(), finding.dst(), &finding.cast);
    let (name, here) = (cast.name(finding.side), cast.here());
    let far = if cast.is_local(finding.side) { dst.ip() } else { src.ip() };
    if let Some(steps) = super::cut::steps(finding) {
        return steps;
    }
    if finding.kind == Kind::TtlFlap {
        return vec![format!(
            "Compare both paths to {}: equal-cost routes, or two devices behind one address?",
            src.ip()
        )];
    }
    let handshake = matches!(finding.kind, Kind::TtlSynAckMismatch | Kind::SynAckIsnChange);
    let mut steps = vec![match (finding.elsewhere(), finding.made.hops) {
        _ if handshake && cast.client() != Some(finding.side) => {
            format!("Ask who owns a SYN proxy, load balancer or cache in front of {src}.")
        }
        (true, 0) => format!(
            "Ask the owner of the gateway next to {here} for its connection entry and teardown reason: {src} > {dst} at {}.",
            rfc3339(finding.time)
        ),
        (true, n) if finding.plausible() => format!(
            "Find the device {} from {here} on the way to {far} (traceroute), and ask its owner for the log of {src} > \
             {dst} at {}.",
            hops(n),
            rfc3339(finding.time)
        ),
        _ => format!(
            "Search the logs of the firewalls between {here} and {far} for {src} > {dst} at {}.",
            rfc3339(finding.time)
        ),
    }];
    let reset = finding.suspect.flags.any(TcpFlags::RST);
    if cast.is_local(finding.side) {
        steps.push("Capture on this host's own interface: did its stack send this at all?".to_owned());
    } else {
        let question = if reset { "did it send the reset, and did it get one?" } else { "did it send this segment?" };
        steps.push(format!("Capture at {name} ({}): {question}", src.ip()));
    }
    if reset && finding.elsewhere() {
        steps.push(format!(
            "Look for more of the same device: resets that arrive with TTL {}{}.",
            finding.made.ttl,
            if finding.suspect.ipid == 0 { String::new() } else { format!(" or IP-ID {}", finding.suspect.ipid) }
        ));
    }
    steps
}
