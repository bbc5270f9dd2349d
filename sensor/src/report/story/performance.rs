//! Losses and windows.

use sensor_common::kind::Kind;

use super::{Story, after, since_close};
use crate::report::{Finding, explain::capital};

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let kind = finding.kind;
    let name = finding.cast.name(finding.side);
    let other = finding.cast.name(finding.side.other());
    let [first, second] = finding.event.detail;
    Some(match kind {
        Kind::ZeroWindowStall => Story::of(
            kind,
            format!("{name} keeps its window closed for {} so far, probed {second} times", after(first)),
        )
        .what(format!(
            "{} ({}) has kept its receive window closed for {} so far, probed {second} times: its application does not drain \
             the socket, and {other} can only wait.",
            capital(&name),
            finding.src(),
            after(first)
        ))
        .not("The network: probes and answers pass.")
        .next([format!("Look at the application on {}: is it blocked, or too slow?", finding.src().ip())]),
        Kind::WsReusedPorts => {
            Story::of(kind, format!("port reused{}, which was reset or is long over", since_close(first))).what(
                format!(
                    "{} asks {} for a new connection between the ports of one that ended {} before.",
                    finding.src(),
                    finding.dst(),
                    after(first)
                ),
            )
        }
        Kind::WsZeroWindow => Story::of(kind, format!("{name} closes its window for the {first}th time"))
            .what(format!("{} reads more slowly than {other} sends, which has to wait each time.", capital(&name)))
            .not("The network: it has delivered what was sent."),
        Kind::WsWindowFull => {
            Story::of(kind, format!("{name} fills the window of {other} for the {first}th time, now {second} bytes"))
                .what(format!("{}'s window of {second} bytes, and not the network, limits {name}.", capital(&other)))
        }
        Kind::WsRetransmission => Story::of(kind, format!("{name} repeated {}", share(first, second))).what(format!(
            "{} repeated {}: its segments, or their acknowledgments, are lost.",
            capital(&name),
            share(first, second)
        )),
        Kind::WsRto => Story::of(kind, format!("{name} repeats after {}", after(first)))
            .what(format!(
                "Nothing went forward for {}; then {name} repeated what {other} has not acknowledged.",
                after(first)
            ))
            .not(format!("A slow application at {other}: its window is open.")),
        Kind::WsOutOfOrder => Story::of(kind, format!("{} of {name} out of order", share(first, second))),
        Kind::WsDupAck => {
            Story::of(kind, format!("{name} asked {first} times for missing bytes, and no repeat was seen"))
        }
        Kind::WsLostSegment => Story::of(kind, format!("{first} bytes of {name} not seen, or not yet")),
        Kind::WsAckLostSegment => {
            let line = if first > 1 {
                format!("{name} acknowledged unseen bytes of {other}, {first} times in {second} segments")
            } else {
                format!("{name} acknowledges bytes of {other} that were not seen")
            };
            Story::of(kind, line)
                .what(format!(
                    "{} has received bytes of {other} that did not pass the sensor. What rests on gaps in the numbers of \
                     {other} is not told of this connection.",
                    capital(&name)
                ))
                .not("Loss on the network: the bytes have arrived.")
        }
        _ => return None,
    })
}

/// "25 of 1,200 segments (2.1 %)".
fn share(n: u32, of: u32) -> String {
    format!("{n} of {of} segments ({:.1} %)", f64::from(n) * 100.0 / f64::from(of.max(1)))
}
