//! Scans by segments that open no connection (FIN, null, Xmas, ACK, Maimon), and answers to requests that were never sent.
//!
//! From the samples: of up to 64 strays a second and CPU each one, of more the latest. An ACK counts where it was rejected.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
};

use sensor_common::{detect::Severity, flow::TcpFlags};

use super::{About, Aggregate, Alternative, Astray, Not, Sign, reading::Reading, scan::FAILURES};
use crate::report::count;

/// Sources that are looked at in a minute.
pub const MAX_SOURCES: usize = 4096;
/// Targets that are told apart of each.
pub const MAX_TARGETS: usize = 1024;
/// A minute, in nanoseconds.
const MINUTE: u64 = 60_000_000_000;
/// From here on servers seldom listen.
const EPHEMERAL: u16 = 32_768;

/// Looks for probes.
#[derive(Debug, Default)]
pub(super) struct Probes {
    minute: u64,
    /// By kind and source: the targets, and when they were first seen.
    seen: BTreeMap<(Aggregate, About), (BTreeSet<SocketAddr>, u64)>,
    unplaced: u64,
}

impl Probes {
    /// What goes on at `now`.
    pub(super) fn signs(&mut self, now: &Reading) -> Vec<Sign> {
        if now.time / MINUTE != self.minute {
            self.minute = now.time / MINUTE;
            self.seen.clear();
        }
        let mut news = BTreeSet::new();
        for stray in &now.strays {
            if let Some(kind) = probe(stray.flags).filter(|kind| is_probe(*kind, stray)) {
                self.note(kind, About::Source(stray.from.ip()), stray.to, now.time, &mut news);
            } else if stray.flags.all(TcpFlags::RST.with(TcpFlags::ACK)) && !stray.outgoing {
                self.note(Aggregate::Backscatter, About::Service(stray.from), stray.to, now.time, &mut news);
            }
        }
        for lone in &now.sample.midway {
            let server_speaks = lone.from.port() < lone.to.port() && lone.to.port() >= EPHEMERAL;
            if lone.syn_ack {
                if !lone.outgoing && lone.age >= 1 {
                    self.note(Aggregate::Backscatter, About::Service(lone.from), lone.to, now.time, &mut news);
                }
            } else if lone.refused && !server_speaks {
                self.note(Aggregate::ScanAck, About::Source(lone.from.ip()), lone.to, now.time, &mut news);
            }
        }
        news.into_iter().filter_map(|key| self.sign(key)).collect()
    }

    fn note(
        &mut self,
        kind: Aggregate,
        about: About,
        target: SocketAddr,
        time: u64,
        news: &mut BTreeSet<(Aggregate, About)>,
    ) {
        if self.seen.len() >= MAX_SOURCES && !self.seen.contains_key(&(kind, about)) {
            self.unplaced += 1;
            return;
        }
        let (targets, _) = self.seen.entry((kind, about)).or_insert_with(|| (BTreeSet::new(), time));
        if targets.len() < MAX_TARGETS && targets.insert(target) && targets.len() >= FAILURES {
            news.insert((kind, about));
        }
    }

    fn sign(&self, (kind, about): (Aggregate, About)) -> Option<Sign> {
        let (targets, since) = self.seen.get(&(kind, about))?;
        let hosts: BTreeSet<IpAddr> = targets.iter().map(SocketAddr::ip).collect();
        let n = targets.len() as u64;
        let least = if targets.len() >= MAX_TARGETS { "at least " } else { "" };
        let at = match (hosts.len(), hosts.first()) {
            (1, Some(host)) => format!("{least}{} of {host}", count(n, "port")),
            (hosts, _) => format!("{least}{} of {}", count(n, "port"), count(hosts as u64, "host")),
        };
        let what = match kind {
            Aggregate::ScanFin => "bare FINs",
            Aggregate::ScanNull => "segments without flags",
            Aggregate::ScanXmas => "FIN, PSH and URG together",
            Aggregate::ScanMaimon => "FIN and ACK without a connection",
            Aggregate::ScanAck => "ACKs without a connection",
            _ => "answers to requests that were never sent",
        };
        let scan = kind != Aggregate::Backscatter;
        let severity = match (scan, n) {
            (false, _) => Severity::Info,
            (true, 0..100) => Severity::Notice,
            (true, _) => Severity::Warn,
        };
        let verb = if scan { "scans" } else { "answers" };
        let mut sign = Sign::new(kind, about, severity, format!("{about} {verb} {at}: {what}"));
        sign.amount = n;
        sign.sum = true;
        sign.since = Some(*since);
        sign.peers = hosts.into_iter().take(16).collect();
        if scan {
            sign.reasons.push(format!("{what} to {at}; no stack sends those"));
        } else {
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
