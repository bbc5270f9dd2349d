//! Idle timeouts of common devices, and which of them a silence fits. Sources: vendors' documentation.

use sensor_common::{kind::Kind, time::stamp_nanos};

use super::Finding;

/// Seconds, and what forgets an idle connection then, unless it is told otherwise.
const ESTABLISHED: [(u64, &str); 13] = [
    (30, "Linux nf_flowtable (back to conntrack)"),
    (60, "many proxies and load balancers"),
    (240, "Azure load balancer, Azure NAT gateway"),
    (300, "F5 BIG-IP"),
    (350, "AWS NLB, GWLB, NAT gateway, Network Firewall, EC2 connection tracking (Nitro v6)"),
    (600, "GCP VPC firewall"),
    (1_200, "GCP Cloud NAT, Huawei USG"),
    (1_800, "Juniper SRX"),
    (3_600, "Cisco ASA and FTD, PAN-OS, FortiGate, Check Point"),
    (7_200, "VMware NSX gateway firewall"),
    (43_200, "VMware NSX distributed firewall"),
    (86_400, "OpenBSD pf"),
    (432_000, "Linux conntrack, EC2 connection tracking"),
];

/// The same for connections that one side has closed.
const HALF_CLOSED: [(u64, &str); 7] = [
    (10, "Huawei USG"),
    (30, "GCP Cloud NAT"),
    (45, "VMware NSX distributed firewall"),
    (60, "the closer's own kernel (Linux tcp_fin_timeout), Linux conntrack"),
    (120, "Linux conntrack, PAN-OS, VMware NSX distributed firewall"),
    (600, "Cisco ASA and FTD"),
    (900, "Huawei USG, VMware NSX gateway firewall"),
];

/// Stamps wrap after so many milliseconds: a gap is known modulo this.
const WRAP: u64 = stamp_nanos(u32::MAX) / 1_000_000;

/// As many as the longest timeout has.
const MOST_WRAPS: u64 = 99;

/// How far off a gap may be: the greater of 2 s and 2 %, in milliseconds.
const fn slack(seconds: u64) -> u64 {
    if seconds > 100 { seconds * 20 } else { 2_000 }
}

/// The timeouts that a silence of so many milliseconds fits, with what has them. The gap may be longer by whole wraps of the
/// stamps, in a connection of that age, in milliseconds.
fn fitting(table: &[(u64, &'static str)], gap: u64, age: u64) -> Vec<(u64, &'static str)> {
    let gaps = (0..=MOST_WRAPS).map(|wraps| gap + wraps * WRAP).take_while(|longer| *longer <= age.max(gap));
    gaps.flat_map(|gap| table.iter().filter(move |(limit, _)| gap.abs_diff(limit * 1_000) <= slack(*limit)))
        .copied()
        .collect()
}

/// A sentence on who is known to forget an idle connection after the finding's gap; empty where nobody is.
pub(super) fn established(finding: &Finding<'_>) -> String {
    sentence(finding, "idle timeout", &ESTABLISHED)
}

/// The same for a connection that one side has closed.
pub(super) fn half_closed(finding: &Finding<'_>) -> String {
    sentence(finding, "timer for half-closed connections", &HALF_CLOSED)
}

/// The default timers that a finding's silence fits: seconds, and who has them.
pub(crate) fn candidates(finding: &Finding<'_>) -> Vec<(u64, &'static str)> {
    let table: &[_] = if finding.kind == Kind::HalfCloseTimeout { &HALF_CLOSED } else { &ESTABLISHED };
    fitting(table, finding.event.detail[0].into(), finding.age.as_millis() as u64)
}

fn sentence(finding: &Finding<'_>, what: &str, table: &[(u64, &'static str)]) -> String {
    let fitting = fitting(table, finding.event.detail[0].into(), finding.age.as_millis() as u64);
    let all: Vec<String> = fitting.iter().map(|(limit, who)| format!("{limit} s: {who}")).collect();
    if all.is_empty() { String::new() } else { format!(" It fits the default {what} of {}.", all.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(gap: u64, age: u64) -> Vec<u64> {
        fitting(&ESTABLISHED, gap, age).into_iter().map(|(limit, _)| limit).collect()
    }

    #[test]
    fn a_gap_is_matched_within_two_seconds_or_two_percent() {
        for (seconds, expected) in [(350, 350), (352, 350), (356, 350), (344, 350), (31, 30), (3_650, 3_600)] {
            assert_eq!(limits(seconds * 1_000, seconds * 1_000), [expected], "{seconds}");
        }
        for seconds in [33, 100, 358, 341, 4_000] {
            assert_eq!(limits(seconds * 1_000, seconds * 1_000), [0; 0], "{seconds}");
        }
    }

    #[test]
    fn a_gap_may_have_wrapped() {
        let seen = 7_210_000 % WRAP;
        assert_eq!(limits(seen, 8_000_000), [7_200]);
        assert_eq!(limits(seen, 7_000_000), [0; 0], "the connection is not that old");
        assert_eq!(limits(43_200_000 % WRAP, 50_000_000), [3_600, 43_200], "both are possible");
    }
}
