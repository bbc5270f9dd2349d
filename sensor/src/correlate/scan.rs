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

use crate::report::{count, ms};

/// Different services that have refused a source, or not answered.
pub const FAILURES: usize = 15;
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
    /// A SYN-ACK, which the source then reset: it only wanted to know.
    Open,
    /// A connection.
    Served,
}

impl Answer {
    /// From Zeek's `conn_state` and `history`; none if nobody asked.
    pub fn of(conn_state: &str, history: &str) -> Option<Self> {
        match conn_state {
            "REJ" => Some(Self::Refused),
            "S0" => Some(Self::Silent),
            _ if !history.starts_with('S') => None,
            _ if history.starts_with("ShR") => Some(Self::Open),
            "SH" | "SHR" | "RSTRH" | "RSTOS0" | "OTH" => None,
            _ => Some(Self::Served),
        }
    }
}

/// A scan.
#[derive(Debug)]
pub struct Scan {
    /// Who scans.
    pub source: IpAddr,
    /// Nanoseconds since the epoch.
    pub first: u64,
    /// The same of the latest request.
    pub last: u64,
    /// Requests by what came of them: refused, silent, open.
    pub answers: [u64; 3],
    /// Those that answered, the first ones.
    pub open: Vec<SocketAddr>,
    targets: HashSet<SocketAddr>,
    /// There are more.
    more: bool,
}

/// What is known of a source within a minute.
#[derive(Debug, Default)]
struct Suspect {
    failed: Vec<(SocketAddr, Answer, u64)>,
    open: Vec<(SocketAddr, u64)>,
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
    /// Adds what came of a request at `time`, nanoseconds since the epoch. The scan in a few words, where it has just been found or
    /// has grown to 100 targets, 1000, and so on.
    pub fn add(&mut self, source: IpAddr, target: SocketAddr, answer: Answer, time: u64) -> Option<String> {
        if let Some(scan) = self.found.get_mut(&source) {
            if answer == Answer::Served {
                return None;
            }
            let grown = scan.add(target, answer, time, self.targets < MAX_TARGETS);
            self.targets += usize::from(grown);
            let n = scan.targets.len();
            return (grown && n >= 100 && n == 10_usize.pow(n.ilog10())).then(|| scan.headline());
        }
        if time / MINUTE != self.minute {
            self.minute = time / MINUTE;
            self.suspects.clear();
        }
        if self.suspects.len() >= MAX_SOURCES && !self.suspects.contains_key(&source) {
            self.unplaced += 1;
            return None;
        }
        let suspect = self.suspects.entry(source).or_default();
        match answer {
            Answer::Served => suspect.served += 1,
            Answer::Open if suspect.open.len() < FAILURES => suspect.open.push((target, time)),
            Answer::Open => {}
            Answer::Refused | Answer::Silent => {
                if suspect.failed.iter().all(|(known, ..)| *known != target) {
                    suspect.failed.push((target, answer, time));
                }
            }
        }
        if suspect.failed.len() < FAILURES || suspect.served * ORDINARY > suspect.failed.len() {
            // What has so many of both is no scanner within this minute.
            suspect.failed.truncate(FAILURES * ORDINARY);
            return None;
        }
        if self.found.len() >= MAX_SCANS {
            self.unplaced += 1;
            return None;
        }
        let suspect = self.suspects.remove(&source)?;
        let mut scan = Scan {
            source,
            first: time,
            last: 0,
            answers: [0; 3],
            open: Vec::new(),
            targets: HashSet::new(),
            more: false,
        };
        let open = suspect.open.into_iter().map(|(target, time)| (target, Answer::Open, time));
        for (target, answer, time) in suspect.failed.into_iter().chain(open) {
            self.targets += usize::from(scan.add(target, answer, time, self.targets < MAX_TARGETS));
        }
        let words = scan.headline();
        self.found.insert(source, scan);
        Some(words)
    }

    /// Ends the scans that have been quiet for `quiet` nanoseconds at `now`.
    pub fn close(&mut self, now: u64, quiet: u64) -> Vec<Scan> {
        let over = |_: &IpAddr, scan: &mut Scan| scan.last.saturating_add(quiet) <= now;
        let over: Vec<_> = self.found.extract_if(.., over).map(|(_, scan)| scan).collect();
        self.targets -= over.iter().map(|scan| scan.targets.len()).sum::<usize>();
        over
    }

    /// Requests that found no room.
    pub const fn unplaced(&self) -> u64 {
        self.unplaced
    }
}

impl Scan {
    /// Whether the target is a new one; `room` says whether it may be.
    fn add(&mut self, target: SocketAddr, answer: Answer, time: u64, room: bool) -> bool {
        self.first = self.first.min(time);
        self.last = self.last.max(time);
        self.answers[answer as usize % 3] += 1;
        if answer == Answer::Open && self.open.len() < FAILURES && !self.open.contains(&target) {
            self.open.push(target);
        }
        let new = !self.targets.contains(&target);
        self.more |= new && !room;
        new && room && self.targets.insert(target)
    }

    /// What is going on, in a few words.
    pub fn headline(&self) -> String {
        let hosts = self.targets.iter().map(SocketAddr::ip).collect::<HashSet<_>>().len() as u64;
        let ports = self.targets.iter().map(SocketAddr::port).collect::<HashSet<_>>().len() as u64;
        let least = if self.more { "at least " } else { "" };
        let what = match (hosts, ports) {
            (1, _) => {
                let host = self.targets.iter().next().map(|target| target.ip().to_string()).unwrap_or_default();
                format!("scans {least}{} of {host}", count(ports, "port"))
            }
            (_, 1) => {
                let port = self.targets.iter().next().map(SocketAddr::port).unwrap_or_default();
                format!("sweeps {least}{} for port {port}", count(hosts, "host"))
            }
            _ => format!("scans {least}{} of {}", count(ports, "port"), count(hosts, "host")),
        };
        let [refused, silent, open] = self.answers;
        let time = Duration::from_nanos(self.last.saturating_sub(self.first));
        format!("{} {what} within {}: {open} open, {refused} refused, {silent} silent", self.source, ms(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn source(n: u32) -> IpAddr {
        IpAddr::from(n.to_be_bytes())
    }

    fn target(host: u8, port: u16) -> SocketAddr {
        ([192, 0, 2, host], port).into()
    }

    #[test]
    fn a_port_scan_is_told_once_and_as_it_grows() {
        let mut scans = Scans::default();
        let told: Vec<_> = (1..=1000)
            .filter_map(|port| {
                let answer = if port == 80 { Answer::Open } else { Answer::Refused };
                scans.add(source(9), target(1, port), answer, u64::from(port) * 1_000_000)
            })
            .collect();
        assert_eq!(told.len(), 3, "{told:#?}");
        assert!(told[0].contains("scans 15 ports of 192.0.2.1 within 14 ms: 0 open, 15 refused"), "{told:#?}");
        assert!(told[2].contains("scans 1000 ports of 192.0.2.1 within 999 ms: 1 open, 999 refused"), "{told:#?}");
        let over = scans.close(u64::MAX, 0);
        assert_eq!(over[0].open, [target(1, 80)]);
    }

    #[test]
    fn a_sweep_is_of_hosts() {
        let mut scans = Scans::default();
        let told: Vec<_> =
            (1..=20).filter_map(|host| scans.add(source(9), target(host, 22), Answer::Silent, SECOND)).collect();
        assert!(told[0].contains("sweeps 15 hosts for port 22"), "{told:#?}");
    }

    #[test]
    fn a_client_whose_server_is_gone_is_none() {
        let mut scans = Scans::default();
        for i in 0..1000 {
            assert_eq!(scans.add(source(9), target(1, 443), Answer::Refused, i * 10_000_000), None);
        }
    }

    #[test]
    fn a_busy_proxy_with_dead_backends_is_none() {
        let mut scans = Scans::default();
        for i in 0..200_u16 {
            let answer = if i % 5 == 0 { Answer::Silent } else { Answer::Served };
            assert_eq!(scans.add(source(9), target((i % 250) as u8, 8000 + i), answer, SECOND), None);
        }
    }

    #[test]
    fn slow_failures_are_none() {
        let mut scans = Scans::default();
        for i in 0..100_u16 {
            assert_eq!(scans.add(source(9), target(1, i), Answer::Refused, u64::from(i) * 10 * SECOND), None);
        }
    }

    #[test]
    fn spoofed_sources_stay_within_bounds() {
        let mut scans = Scans::default();
        for i in 0..20_000 {
            assert_eq!(scans.add(source(i), target(1, 80), Answer::Silent, SECOND), None);
        }
        assert_eq!((scans.suspects.len(), scans.unplaced()), (MAX_SOURCES, 20_000 - MAX_SOURCES as u64));
    }

    #[test]
    fn answers_by_state() {
        for (state, history, answer) in [
            ("REJ", "Sr", Some(Answer::Refused)),
            ("S0", "S", Some(Answer::Silent)),
            ("RSTO", "ShR", Some(Answer::Open)),
            ("SF", "ShADadFf", Some(Answer::Served)),
            ("OTH", "Aa", None),
            ("SHR", "^hf", None),
        ] {
            assert_eq!(Answer::of(state, history), answer, "{state}");
        }
    }
}
