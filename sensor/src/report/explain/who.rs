//! Which device, how far away, and how often.

use std::time::Duration;

use sensor_common::{detect::Evidence, time::stamp_nanos, track::MIN_TRUSTED_RTT};

use super::what::capital;
use crate::report::{
    Finding,
    evidence::{hops, ms},
};

/// Below this, scheduling noise rules, and a share of the round trip says nothing.
const LEAST_RTT: Duration = Duration::from_nanos(stamp_nanos(MIN_TRUSTED_RTT));

/// What is known of the device that made the suspect.
pub(super) fn made_it(finding: &Finding<'_>) -> String {
    let (made, cast) = (finding.made, &finding.cast);
    let name = cast.name(finding.side);
    if !finding.elsewhere() {
        return match finding.own {
            Some(_) => format!(
                "Unknown: TTL {} is also that of {} own segments, so distance does not tell a stranger from {name}.",
                made.ttl,
                cast.whose(finding.side)
            ),
            None => "Unknown: there is nothing to compare its distance with.".to_owned(),
        };
    }
    if !finding.plausible() {
        return format!(
            "A device that makes up its TTL: counted from the usual initial ones (32, 64, 128, 255), {} would be {} away, \
             beyond {name}. How far away it really is cannot be told.",
            made.ttl,
            hops(made.hops)
        );
    }
    let near = match made.hops {
        0 if cast.local().is_some() => ", the adjacent gateway or a box that does not count TTL down",
        0 => ", adjacent to the capture point or a box that does not count TTL down",
        _ => "",
    };
    let initial = match made.initial() {
        255 => "network gear, some Unixes",
        128 => "Windows, or gear that imitates it",
        64 => "Linux, BSD, macOS, most appliances",
        _ => "embedded systems",
    };
    let far = if made.hops == 0 { String::new() } else { "about ".to_owned() };
    format!("A device {far}{} from here{near}; initial TTL {} ({initial}).", hops(made.hops), made.initial())
}

/// Distance and time as shares of the way to the claimed sender.
pub(super) fn how_far(finding: &Finding<'_>) -> Option<String> {
    let name = finding.cast.name(finding.side);
    let mut parts = Vec::new();
    if let Some(own) = finding.own.filter(|_| finding.elsewhere() && finding.plausible()) {
        parts.push(format!("{} of {} hops to {name}", finding.made.hops, own.hops));
    }
    let trusted = finding.min_rtt.filter(|rtt| *rtt >= LEAST_RTT);
    if let (Some(delay), Some(rtt), true) = (finding.delay, trusted, finding.event.is_reset()) {
        let share = delay.as_secs_f64() / rtt.as_secs_f64();
        let quick = if finding.has(Evidence::TOO_FAST) { ": too soon for it" } else { "" };
        if share <= 10.0 {
            let percent = share * 100.0;
            parts.push(format!(
                "came after {}, {percent:.0} % of the least round trip to {name} ({}){quick}",
                ms(delay),
                ms(rtt)
            ));
        } else {
            parts.push(format!("came {} after what it answers; a round trip to {name} takes {}", ms(delay), ms(rtt)));
        }
    }
    (!parts.is_empty()).then(|| capital(&parts.join("; ")) + ".")
}

/// How many of the service's connections are affected.
pub(super) fn service(finding: &Finding<'_>) -> Option<String> {
    let counts = finding.event.service;
    let server = finding.cast.end(finding.event.flow.head.server());
    if counts.established == 0 {
        return None;
    }
    // The count includes the one at hand.
    let resets = match counts.rst.saturating_sub(u64::from(finding.event.is_reset())) {
        0 => String::new(),
        1 => "; 1 reset before".to_owned(),
        n => format!("; {n} resets before"),
    };
    let share = match (counts.flagged, counts.established) {
        (0 | 1, 1) => "The only connection".to_owned(),
        (0 | 1, all) => format!("1 of {all} connections"),
        (some, all) if some <= all => format!("{some} of {all} connections"),
        (some, all) => format!("{some} attempts, where {all} connections came about,"),
    };
    Some(format!("{share} of {server} so far{resets}."))
}
