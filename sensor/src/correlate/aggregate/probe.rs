//! Scans by segments that open no connection (FIN, null, Xmas, ACK, Maimon), and answers to requests that were never sent.
//!
//! Who and whom from the samples: of up to 64 strays a second and CPU each one, of more the latest. How many from the counters. An
//! ACK counts where it was rejected.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use sensor_common::{
    counters::{Counter, MAX_COUNTERS},
    detect::Severity,
    flow::TcpFlags,
};

use super::{
    About, Aggregate, Alternative, Astray, Not, Sign,
    reading::{Reading, Span},
    scan::FAILURES,
};
use crate::report::count;

/// Sources that are looked at in a minute.
pub const MAX_SOURCES: usize = 4096;
/// Targets that are told apart of each.
pub const MAX_TARGETS: usize = 1024;
/// A minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;
/// From here on servers seldom listen.
const EPHEMERAL: u16 = 32_768;

/// What is known of a source within a minute.
#[derive(Debug)]
struct Seen {
    targets: BTreeSet<SocketAddr>,
    /// When it began.
    since: u64,
    /// Segments: exact where all strays of their sort are its own, else by its share of the sample.
    segments: f64,
}

/// Looks for probes.
#[derive(Debug, Default)]
pub(super) struct Probes {
    minute: u64,
    seen: BTreeMap<(Aggregate, About), Seen>,
    unplaced: u64,
}

impl Probes {
    /// What goes on at `now`; `span` has what was counted since the reading before.
    pub(super) fn signs(&mut self, now: &Reading, span: Option<&Span>) -> Vec<Sign> {
        if now.time / MINUTE != self.minute {
            self.minute = now.time / MINUTE;
            self.seen.clear();
        }
        let mut news = BTreeSet::new();
        let mut alike = [0_u64; MAX_COUNTERS];
        for counter in now.strays.iter().filter_map(|stray| counter(stray.flags)) {
            alike[counter as usize] += 1;
        }
        for stray in &now.strays {
            if let Some(kind) = probe(stray.flags).filter(|kind| is_probe(*kind, stray)) {
                let weight = counter(stray.flags)
                    .zip(span)
                    .map_or(1.0, |(counter, span)| (span.n(counter) as f64 / alike[counter as usize] as f64).max(1.0));
                self.note((kind, About::Source(stray.from.ip())), stray.to, weight, now.time, &mut news);
            } else if stray.flags.all(TcpFlags::RST.with(TcpFlags::ACK)) && !stray.outgoing {
                self.note((Aggregate::Backscatter, About::Service(stray.from)), stray.to, 1.0, now.time, &mut news);
            }
        }
        for lone in &now.sample.midway {
            let server_speaks = lone.from.port() < lone.to.port() && lone.to.port() >= EPHEMERAL;
            let (kind, about) = match lone.syn_ack {
                true if !lone.outgoing && lone.age >= 1 => (Aggregate::Backscatter, About::Service(lone.from)),
                false if lone.refused && !server_speaks => (Aggregate::ScanAck, About::Source(lone.from.ip())),
                _ => continue,
            };
            self.note((kind, about), lone.to, 1.0, now.time, &mut news);
        }
        news.into_iter().filter_map(|key| self.sign(key)).collect()
    }

    fn note(
        &mut self,
        key: (Aggregate, About),
        target: SocketAddr,
        weight: f64,
        time: u64,
        news: &mut BTreeSet<(Aggregate, About)>,
    ) {
        if self.seen.len() >= MAX_SOURCES && !self.seen.contains_key(&key) {
            self.unplaced += 1;
            return;
        }
        let new = || Seen { targets: BTreeSet::new(), since: time, segments: 0.0 };
        let seen = self.seen.entry(key).or_insert_with(new);
        seen.segments += weight;
        if seen.targets.len() < MAX_TARGETS && seen.targets.insert(target) && seen.targets.len() >= FAILURES {
            news.insert(key);
        }
    }

    fn sign(&self, (kind, about): (Aggregate, About)) -> Option<Sign> {
        let Seen { targets, since, segments } = self.seen.get(&(kind, about))?;
        let hosts: BTreeSet<IpAddr> = targets.iter().map(SocketAddr::ip).collect();
        let n = targets.len() as u64;
        let segments = (*segments as u64).max(n);
        // What is not in the samples may have had other targets.
        let least = if segments > n { "at least " } else { "" };
        let at = match (hosts.len(), hosts.first()) {
            (1, Some(host)) => format!("{least}{} of {host}", count(n, "port")),
            (hosts, _) => format!("{least}{} of {}", count(n, "port"), count(hosts as u64, "host")),
        };
        let (what, why) = match kind {
            Aggregate::ScanFin => ("bare FINs", "no stack sends those"),
            Aggregate::ScanNull => ("segments without flags", "no stack sends those"),
            Aggregate::ScanXmas => ("FIN, PSH and URG together", "no stack sends those"),
            Aggregate::ScanMaimon => ("FIN and ACK without a connection", "none had been seen"),
            Aggregate::ScanAck => ("ACKs without a connection", "each was answered with a reset"),
            _ => ("answers to requests that were never sent", "none had been seen"),
        };
        let scan = kind != Aggregate::Backscatter;
        let severity = match (scan, segments) {
            (false, _) => Severity::Info,
            (true, 0..100) => Severity::Notice,
            (true, _) => Severity::Warn,
        };
        let verb = if scan { "scans" } else { "answers" };
        let mut sign = Sign::new(kind, about, severity, format!("{about} {verb} {at}: {what}"));
        sign.amount = segments;
        sign.sum = true;
        sign.since = Some(*since);
        sign.peers = hosts.into_iter().take(16).collect();
        sign.reasons.push(format!("{} of that sort; {why}", count(segments, "segment")));
        if !scan {
            sign.reasons.push("somebody asks in the name of these addresses: the service is being flooded".to_owned());
            sign.ruled_out.push(Not::a(Alternative::Scan, "its segments are answers"));
        }
        Some(sign)
    }

    /// Sources that are remembered, and segments that found no room.
    pub(super) fn len(&self) -> (usize, u64) {
        (self.seen.len(), self.unplaced)
    }
}

/// What counts strays with these flags, among them all that a scan is made of.
fn counter(flags: TcpFlags) -> Option<Counter> {
    Some(match probe(flags)? {
        Aggregate::ScanMaimon => Counter::StrayFin,
        Aggregate::ScanNull => Counter::StrayNull,
        _ => Counter::StrayFinNoAck,
    })
}

/// Which scan is made of segments with these flags.
fn probe(flags: TcpFlags) -> Option<Aggregate> {
    let [fin, ack] = [TcpFlags::FIN, TcpFlags::ACK].map(|flag| flags.any(flag));
    if flags.any(TcpFlags::SYN.with(TcpFlags::RST)) {
        return None;
    }
    match (fin, ack) {
        (true, true) => Some(Aggregate::ScanMaimon),
        (true, false) if flags.all(TcpFlags::PSH.with(TcpFlags::URG)) => Some(Aggregate::ScanXmas),
        (true, false) => Some(Aggregate::ScanFin),
        (false, false) => Some(Aggregate::ScanNull),
        (false, true) => None,
    }
}

/// A FIN with ACK may end a connection from before the sensor's start: a server's, to its clients' ports, is no probe.
fn is_probe(kind: Aggregate, stray: &Astray) -> bool {
    let server_speaks = stray.from.port() < stray.to.port() && stray.to.port() >= EPHEMERAL;
    kind != Aggregate::ScanMaimon || !server_speaks
}
