//! What a person was told often enough: of findings of one kind that belong together the first ten are told, then the hundredth,
//! the thousandth and so on, and any that is worse than those before.
//!
//! They belong together by what their incident is about, more loosely by the server's network (a hundred are told), and more
//! loosely still by kind alone (a thousand), so that an attack which varies its addresses floods nobody. Who was quiet for as long as
//! an incident lasts begins anew. Bounded: of [`KEYS`] the oldest is forgotten first, which tells more and never less.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    net::IpAddr,
};

use ipnet::IpNet;
use sensor_common::{detect::Severity, kind::Kind};

use super::Finding;
use crate::correlate::{QUIET, Subject};

/// What is remembered.
const KEYS: usize = 16_384;

/// What findings have in common, and how many of such are told before they are told less often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Common {
    Subject(Subject),
    Network(IpNet),
    Kind,
}

impl Common {
    const fn told(self) -> u64 {
        match self {
            Self::Subject(_) => 10,
            Self::Network(_) => 100,
            Self::Kind => 1000,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    findings: u64,
    /// Since the last that was told.
    held: u64,
    worst: Severity,
    last: u64,
}

/// What was told of what.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    seen: HashMap<(Kind, Common), Seen>,
    order: VecDeque<(Kind, Common)>,
    /// Findings that came.
    all: u64,
    /// Those of them that were told.
    told: u64,
    /// Those that were not, by kind.
    held: BTreeMap<&'static str, u64>,
}

impl Repeats {
    /// Whether to tell a finding; if so, how many like it were not told since the last one.
    pub(super) fn tell(&mut self, finding: &Finding<'_>) -> Option<u64> {
        self.all += 1;
        let server = finding.cast.end(finding.event.flow.head.server()).ip();
        let [subject, network, kind] =
            [Common::Subject(Subject::of(finding)), Common::Network(network(server)), Common::Kind];
        // Each of them counts, whatever the others say.
        let passes = [subject, network, kind].map(|common| self.passes(finding, common));
        let before = self.seen.get_mut(&(finding.kind, subject)).map(|seen| &mut seen.held);
        if passes.into_iter().all(|passes| passes) {
            self.told += 1;
            return Some(before.map(std::mem::take).unwrap_or_default());
        }
        if let Some(before) = before {
            *before += 1;
        }
        *self.held.entry(finding.kind.id()).or_default() += 1;
        None
    }

    fn passes(&mut self, finding: &Finding<'_>, common: Common) -> bool {
        let Finding { kind, severity, time, .. } = *finding;
        let new = Seen { findings: 0, held: 0, worst: severity, last: time };
        let seen = self.seen.entry((kind, common)).or_insert_with(|| {
            // There are few kinds, and they see all.
            if common != Common::Kind {
                self.order.push_back((kind, common));
            }
            new
        });
        if time.saturating_sub(seen.last) > QUIET {
            *seen = Seen { held: seen.held, ..new };
        }
        seen.findings += 1;
        seen.last = seen.last.max(time);
        let worse = severity > seen.worst;
        seen.worst = seen.worst.max(severity);
        let n = seen.findings;
        let passes = worse || n <= common.told() || n == 10_u64.pow(n.ilog10());
        if self.order.len() > KEYS
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        passes
    }

    /// What was not told, for the summary: all = told + not told.
    pub(super) fn account(&self) -> Option<String> {
        let held: u64 = self.held.values().sum();
        let kinds: Vec<_> = self.held.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        (held > 0).then(|| {
            format!(
                "repeats: findings {} = told {} + like those before {held} ({}); --dedup never tells each",
                self.all,
                self.told,
                kinds.join(", ")
            )
        })
    }
}

/// The network that an address is taken for.
fn network(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, length).map_or(address.into(), |net| net.trunc())
}
