//! Who asks for many things and gets few: scans, from the records of flows that ended.
//!
//! A source is suspected once [`FAILURES`] different services have refused it, or not answered, within a minute, and hardly any
//! have served it. So a client whose one server is gone is none, nor is a busy proxy with some dead backends. In the manner of
//! Snort's port scan inspector (15 rejects) and Zeek's (distinct targets).

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use sensor_common::detect::Severity;

use super::{
    About, Aggregate, Alternative, Not, Sign,
    sample::{self, Sample},
};
use crate::report::{count, ms};

/// Different services that have refused a source, or not answered.
pub const FAILURES: usize = 15;
/// So many are a warning.
const MANY: usize = 100;
/// Of a scanner, no more than one connection in so many is an ordinary one.
const ORDINARY: usize = 5;
/// Sources that are looked at in a minute.
pub const MAX_SOURCES: usize = 8192;
/// Scanners that are known at a time.
pub const MAX_SCANS: usize = 256;
/// Services that are told apart, of all scanners together.
pub const MAX_TARGETS: usize = 1 << 17;
/// A minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A reset.
    Refused,
    /// Nothing.
    Silent,
    /// A SYN-ACK, which the source then reset, or left at that: it only wanted to know.
    Open,
    /// A connection on which nothing was said, and which the source ended.
    Empty,
    /// A connection.
    Served,
}

impl Answer {
    /// From Zeek's `conn_state` and `history`; none if nobody asked.
    pub fn of(conn_state: &str, history: &str) -> Option<Self> {
        let silent = !history.contains(['d', 'D', '+']);
        match conn_state {
            "REJ" => Some(Self::Refused),
            "S0" => Some(Self::Silent),
            _ if !history.starts_with('S') => None,
            _ if history.starts_with("ShR") => Some(Self::Open),
            "OTH" if history.starts_with("Sh") && history.chars().all(|letter| "Sh".contains(letter)) => {
                Some(Self::Open)
            }
            "SH" | "SHR" | "RSTRH" | "RSTOS0" | "OTH" => None,
            "SF" | "RSTO" | "S2" if silent => Some(Self::Empty),
            _ => Some(Self::Served),
        }
    }
}

/// A scan.
#[derive(Debug)]
struct Scan {
    /// Nanoseconds since the epoch.
    first: u64,
    /// The same of the latest request.
    last: u64,
    /// Requests by what came of them: refused, silent, open, connected to and left.
    answers: [u64; 4],
    /// Those that answered, the first ones.
    open: Vec<SocketAddr>,
    /// Those that have answered and whose connections are not over, so that no record tells of them: as of the latest sample.
    waiting: Vec<SocketAddr>,
    targets: HashSet<SocketAddr>,
    /// There are more.
    more: bool,
    /// It went on since the last sign.
    fresh: bool,
    /// When it was last heard of, which may be a minute after its requests.
    heard: u64,
    /// What it was taken for first: it stays one incident.
    kind: Option<Aggregate>,
}

/// What is known of a source within a minute.
#[derive(Debug, Default)]
struct Suspect {
    failed: Vec<(SocketAddr, Answer, u64)>,
    open: Vec<(SocketAddr, Answer, u64)>,
    refused: usize,
    served: usize,
}

/// Looks for scans.
#[derive(Debug, Default)]
pub struct Scans {
    minute: u64,
    suspects: HashMap<IpAddr, Suspect>,
    found: BTreeMap<IpAddr, Scan>,
    /// Services told apart so far.
    targets: usize,
    unplaced: u64,
}

impl Scans {
    /// Adds what came of a request at `time`, nanoseconds since the epoch. `own`: this host asked.
    pub fn add(&mut self, source: IpAddr, target: SocketAddr, answer: Answer, time: u64, own: bool) {
        if let Some(scan) = self.found.get_mut(&source) {
            if answer != Answer::Served {
                self.targets += usize::from(scan.add(target, answer, time, self.targets < MAX_TARGETS));
            }
            return;
        }
        if time / MINUTE != self.minute {
            self.minute = time / MINUTE;
            self.suspects.clear();
        }
        if self.suspects.len() >= MAX_SOURCES && !self.suspects.contains_key(&source) {
            self.unplaced += 1;
            return;
        }
        let suspect = self.suspects.entry(source).or_default();
        match answer {
            Answer::Served => suspect.served += 1,
            Answer::Open | Answer::Empty if suspect.open.len() < FAILURES => suspect.open.push((target, answer, time)),
            Answer::Open | Answer::Empty => {}
            Answer::Refused | Answer::Silent => {
                if suspect.failed.iter().all(|(known, ..)| *known != target) {
                    suspect.refused += usize::from(answer == Answer::Refused);
                    suspect.failed.push((target, answer, time));
                }
            }
        }
        // Of this host, a network that is down looks the same for a while: nobody answers, not even by refusing.
        let cut_off = own && suspect.refused == 0 && suspect.open.is_empty();
        let least = if cut_off { MANY } else { FAILURES };
        if suspect.failed.len() < least || suspect.served * ORDINARY > suspect.failed.len() {
            // What has so many of both is no scanner within this minute.
            suspect.failed.truncate(MANY);
            return;
        }
        if self.found.len() >= MAX_SCANS {
            self.unplaced += 1;
            return;
        }
        let Some(suspect) = self.suspects.remove(&source) else { return };
        let mut scan = Scan {
            first: time,
            last: 0,
            answers: [0; 4],
            open: Vec::new(),
            waiting: Vec::new(),
            targets: HashSet::new(),
            more: false,
            fresh: true,
            heard: 0,
            kind: None,
        };
        for (target, answer, time) in suspect.failed.into_iter().chain(suspect.open) {
            self.targets += usize::from(scan.add(target, answer, time, self.targets < MAX_TARGETS));
        }
        self.found.insert(source, scan);
    }

    /// Takes in which requests are answered and not over.
    pub(super) fn look(&mut self, sample: &Sample) {
        self.found.values_mut().for_each(|scan| scan.waiting.clear());
        for request in sample.requests.iter().filter(|request| request.answer == sample::Answer::Granted) {
            let Some(scan) = self.found.get_mut(&request.client.ip()) else { continue };
            let known = [&scan.open, &scan.waiting].iter().any(|known| known.contains(&request.server));
            if !known && scan.waiting.len() < FAILURES {
                scan.waiting.push(request.server);
            }
        }
    }

    /// What went on since the last call; those that have been quiet for `quiet` nanoseconds at `now` are forgotten.
    pub fn signs(&mut self, now: u64, quiet: u64) -> Vec<Sign> {
        let fresh = self.found.iter_mut().filter(|(_, scan)| scan.fresh);
        let signs = fresh.map(|(source, scan)| scan.sign(*source, now)).collect();
        let over = |_: &IpAddr, scan: &mut Scan| scan.heard.saturating_add(quiet) <= now;
        self.targets -= self.found.extract_if(.., over).map(|(_, scan)| scan.targets.len()).sum::<usize>();
        signs
    }

    /// Requests that found no room.
    pub const fn unplaced(&self) -> u64 {
        self.unplaced
    }

    /// Sources that are remembered.
    pub(super) fn len(&self) -> usize {
        self.suspects.len() + self.found.len()
    }
}

impl Scan {
    /// Whether the target is a new one; `room` says whether it may be.
    fn add(&mut self, target: SocketAddr, answer: Answer, time: u64, room: bool) -> bool {
        self.fresh = true;
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.answers[answer as usize % 4] += 1;
        let open = matches!(answer, Answer::Open | Answer::Empty);
        if open && self.open.len() < FAILURES && !self.open.contains(&target) {
            self.open.push(target);
        }
        let new = !self.targets.contains(&target);
        self.more |= new && !room;
        new && room && self.targets.insert(target)
    }

    fn sign(&mut self, source: IpAddr, now: u64) -> Sign {
        self.fresh = false;
        self.heard = now;
        let hosts: HashSet<IpAddr> = self.targets.iter().map(SocketAddr::ip).collect();
        let ports: HashSet<u16> = self.targets.iter().map(SocketAddr::port).collect();
        let sweep = ports.len() == 1 && hosts.len() > 1;
        let [refused, silent, open, left] = self.answers;
        let kind = *self.kind.get_or_insert(match (sweep, left) {
            (true, _) => Aggregate::Sweep,
            (false, 0) => Aggregate::ScanSyn,
            (false, _) => Aggregate::ScanConnect,
        });
        let n = self.targets.len();
        let severity = if n >= MANY { Severity::Warn } else { Severity::Notice };
        let mut sign = Sign::new(kind, About::Source(source), severity, self.headline(source, &hosts, &ports));
        sign.amount = n as u64;
        sign.sum = true;
        sign.since = Some(self.first);
        if left > 0 && kind != Aggregate::ScanConnect {
            sign.with.push(Aggregate::ScanConnect);
        }
        sign.reasons.push(format!("{refused} refused, {silent} not answered, {} open", open + left));
        for (what, some) in [("open", &self.open), ("answered, and not over yet", &self.waiting)] {
            let mut some = some.clone();
            some.sort_unstable();
            let others = if some.len() >= FAILURES { " and maybe more" } else { "" };
            let some: Vec<_> = some.iter().map(SocketAddr::to_string).collect();
            if !some.is_empty() {
                sign.reasons.push(format!("{what}: {}{others}", some.join(", ")));
            }
        }
        sign.ruled_out.push(Not::a(Alternative::ServerGone, "it would ask for one service"));
        sign.ruled_out.push(Not::a(Alternative::DeadBackends, "it would be served by others"));
        let mut hosts: Vec<_> = hosts.into_iter().collect();
        hosts.sort_unstable();
        hosts.truncate(FAILURES);
        sign.peers = hosts;
        sign
    }

    /// What is going on, in a few words.
    fn headline(&self, source: IpAddr, hosts: &HashSet<IpAddr>, ports: &HashSet<u16>) -> String {
        let (many, various) = (hosts.len() as u64, ports.len() as u64);
        let least = if self.more { "at least " } else { "" };
        let what = match (hosts.iter().next(), ports.iter().next()) {
            (Some(host), _) if many == 1 => format!("scans {least}{} of {host}", count(various, "port")),
            (_, Some(port)) if various == 1 => format!("sweeps {least}{} for port {port}", count(many, "host")),
            _ => format!("scans {least}{} of {}", count(various, "port"), count(many, "host")),
        };
        let [refused, silent, open, left] = self.answers;
        let time = Duration::from_nanos(self.last.saturating_sub(self.first));
        let waiting = match self.waiting.len() {
            0 => String::new(),
            FAILURES.. => format!(", {FAILURES} and maybe more answered"),
            n => format!(", {n} answered"),
        };
        let open = open + left;
        format!("{source} {what} within {}: {open} open{waiting}, {refused} refused, {silent} silent", ms(time))
    }
}

/// Says of scans which tool they look like, by the requests in the sample that their sources have made.
pub(super) fn hints(signs: &mut [Sign], sample: &Sample) {
    for sign in signs.iter_mut().filter(|sign| sign.kind.is_scan()) {
        let About::Source(source) = sign.about else { continue };
        let made: Vec<_> = sample.requests.iter().filter(|request| request.client.ip() == source).collect();
        if made.len() < FAILURES {
            continue;
        }
        if made.iter().all(|request| request.zmap) {
            sign.with.push(Aggregate::ScanZmap);
            sign.reasons.push("all requests have IP-ID 54321, as ZMap's".to_owned());
        } else if made.iter().all(|request| request.plain && request.window == 1024) {
            sign.with.push(Aggregate::ScanMasscan);
            sign.reasons.push("all requests have window 1024 and no usual options, as masscan's and nmap's".to_owned());
        }
    }
}

#[cfg(test)]
mod tests;
