//! Clients that run out of ports towards one service, and where TIME_WAIT gathers.
//!
//! A port of a client that closed first is in TIME_WAIT for T = 60 s (Linux). With P ports no more than P/T connections a second
//! can be opened to one address and port. Counted is what that comes to: connections that the client closed first within the last
//! T, against P.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use sensor_common::detect::Severity;

use super::{About, Aggregate, Alternative, Ended, Not, Sign, Waits, flood::percent, host::Limits};
use crate::report::count;

/// Pairs of client and service that are looked at.
pub const MAX_PAIRS: usize = 4096;
/// Services whose TIME_WAIT is counted.
pub const MAX_SERVICES: usize = 4096;
/// How long Linux keeps TIME_WAIT (`TCP_TIMEWAIT_LEN`), in seconds.
pub const TIME_WAIT: usize = 60;
/// Seconds until a connection that ended is told of: the sweep's patience, and its round.
const LAG: u64 = 6;
/// Of all ports, this much is a notice, a warning, an alert.
const LEVELS: [(f64, Severity); 3] = [(0.5, Severity::Notice), (0.8, Severity::Warn), (0.95, Severity::Alert)];
/// Connections in TIME_WAIT at a service from which on that is worth a word.
const MANY: u32 = 10_000;
const SECOND: u64 = 1_000_000_000;

/// What happened in each of the last [`TIME_WAIT`] seconds.
#[derive(Debug)]
struct Minute {
    counts: [u32; TIME_WAIT],
    /// The second that was counted last.
    second: u64,
}

impl Minute {
    fn new(second: u64) -> Self {
        Self { counts: [0; TIME_WAIT], second }
    }

    /// Goes on to a second.
    fn roll(&mut self, second: u64) {
        let passed = second.saturating_sub(self.second).min(TIME_WAIT as u64);
        for s in 1..=passed {
            self.counts[((self.second + s) % TIME_WAIT as u64) as usize] = 0;
        }
        self.second = self.second.max(second);
    }

    fn add(&mut self, second: u64) {
        self.roll(second);
        // What ended a minute ago is over.
        if second + TIME_WAIT as u64 > self.second {
            self.counts[(second % TIME_WAIT as u64) as usize] += 1;
        }
    }

    fn sum(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Those of the last ten seconds of which all is known, a second.
    fn rate(&self) -> f64 {
        let of = |s| u64::from(self.counts[((self.second + TIME_WAIT as u64 - s) % TIME_WAIT as u64) as usize]);
        (LAG + 1..=LAG + 10).map(of).sum::<u64>() as f64 / 10.0
    }
}

/// A client of a service.
#[derive(Debug)]
struct Pair {
    waiting: Minute,
    /// Lowest and highest port seen.
    ports: [u16; 2],
    /// Whether the client is this host.
    own: bool,
    /// Ports that waited when their next connection came about: since the minute began, and the minute before.
    reused: [u32; 2],
    minute: u64,
    /// Ports that wait, by when they began to; only once half of them do.
    since: BTreeMap<u16, u64>,
}

/// Counts ports.
#[derive(Debug, Default)]
pub(super) struct Ports {
    pairs: BTreeMap<(IpAddr, SocketAddr), Pair>,
    servers: BTreeMap<SocketAddr, Minute>,
    unplaced: u64,
}

impl Ports {
    /// Adds a connection that ended.
    pub(super) fn add(&mut self, ended: &Ended) {
        let second = ended.last / SECOND;
        let key = (ended.client.ip(), ended.server);
        if let Some(pair) = self.pairs.get_mut(&key) {
            pair.again(ended);
        }
        match ended.waits {
            Some(Waits::Client) => {
                if self.pairs.len() >= MAX_PAIRS && !self.pairs.contains_key(&key) {
                    self.unplaced += 1;
                    return;
                }
                let port = ended.client.port();
                let pair = self.pairs.entry(key).or_insert_with(|| Pair {
                    waiting: Minute::new(second),
                    ports: [port; 2],
                    own: ended.own,
                    reused: [0; 2],
                    minute: 0,
                    since: BTreeMap::new(),
                });
                pair.ports = [pair.ports[0].min(port), pair.ports[1].max(port)];
                pair.waiting.add(second);
                if pair.since.len() < usize::from(u16::MAX) {
                    pair.since.insert(port, ended.last);
                }
            }
            Some(Waits::Server) => {
                if self.servers.len() < MAX_SERVICES || self.servers.contains_key(&ended.server) {
                    self.servers.entry(ended.server).or_insert_with(|| Minute::new(second)).add(second);
                } else {
                    self.unplaced += 1;
                }
            }
            None => {}
        }
    }

    /// What goes on at `now`, nanoseconds since the epoch.
    pub(super) fn signs(&mut self, now: u64, limits: Option<Limits>) -> Vec<Sign> {
        let second = now / SECOND;
        let old = now.saturating_sub(TIME_WAIT as u64 * SECOND);
        let mut signs = Vec::new();
        self.pairs.retain(|(client, server), pair| {
            pair.waiting.roll(second);
            pair.since.retain(|_, since| *since > old);
            signs.extend(pair.judge(*client, *server, limits));
            pair.waiting.sum() > 0
        });
        self.servers.retain(|server, minute| {
            minute.roll(second);
            signs.extend(side(*server, minute.sum()));
            minute.sum() > 0
        });
        signs
    }

    /// Pairs that are remembered.
    pub(super) fn len(&self) -> usize {
        self.pairs.len() + self.servers.len()
    }

    /// Connections that found no room.
    pub(super) const fn unplaced(&self) -> u64 {
        self.unplaced
    }
}

impl Pair {
    /// Notes whether a connection came about on a port that still waited.
    fn again(&mut self, ended: &Ended) {
        let minute = ended.last / (TIME_WAIT as u64 * SECOND);
        if minute != self.minute {
            self.reused = if minute == self.minute + 1 { [0, self.reused[0]] } else { [0; 2] };
            self.minute = minute;
        }
        let waited = self
            .since
            .get(&ended.client.port())
            .is_some_and(|since| ended.first > *since && ended.first - since < TIME_WAIT as u64 * SECOND);
        self.reused[0] += u32::from(waited && ended.answer == Some(super::scan::Answer::Served));
    }

    fn judge(&self, client: IpAddr, server: SocketAddr, limits: Option<Limits>) -> Option<Sign> {
        let (room, source) = self.room(limits);
        let rate = self.waiting.rate();
        // Those that ended within the last seconds are yet to be told of; they may be of the same few ports.
        let taken = (self.since.len() as f64 + rate * LAG as f64).min(size(self.ports).min(room).into());
        let share = taken / f64::from(room);
        let (_, severity) = LEVELS.into_iter().rev().find(|(level, _)| share >= *level)?;
        let reused: u32 = self.reused.iter().sum();
        // Ports are taken again in TIME_WAIT, by timestamps: then nobody runs out.
        let allowed = self.own && limits.is_some_and(|limits| limits.tw_reuse);
        let tame = allowed || f64::from(reused) * 10.0 >= taken;
        let severity = if tame { Severity::Info } else { severity };
        let most = f64::from(room) / TIME_WAIT as f64;
        let opened = if rate > 0.0 { format!(", {rate:.1} are opened") } else { String::new() };
        let headline = format!(
            "{client} has {} of {room} ports to {server} in TIME_WAIT; {most:.1} connections a second are possible{opened}",
            percent(share)
        );
        let mut sign = Sign::new(Aggregate::EphemeralExhaustion, About::Client(client, server), severity, headline);
        sign.amount = taken as u64;
        sign.sum = true;
        sign.peers = vec![client];
        sign.reasons
            .push(format!("about {taken:.0} ports wait, for {TIME_WAIT} s each, as the client closed first; {source}"));
        let left = f64::from(room) - taken;
        sign.reasons.push(if left < 1.0 {
            "no port is left: new connections fail with EADDRNOTAVAIL, or wait".to_owned()
        } else if rate > most {
            // What waited longest is free again meanwhile: at most as much as is possible at all.
            let [soonest, latest] = [left / rate, left / (rate - most).max(0.1)];
            format!("head-room: {left:.0} ports; at this rate the last is taken in {soonest:.0} to {latest:.0} s")
        } else {
            let settles = percent((rate / most).min(1.0));
            format!("head-room: {left:.0} ports; at this rate it settles at {settles} of them")
        });
        if allowed {
            sign.reasons.push("this host takes them again where timestamps allow it (tcp_tw_reuse = 1)".to_owned());
        } else if tame {
            sign.reasons
                .push(format!("{reused} connections came about on ports that waited: reuse by timestamps works"));
        }
        sign.ruled_out
            .push(Not::a(Alternative::ServerCloses, "then its side would wait, and the client's ports be free"));
        Some(sign)
    }

    /// How many ports the client has, and how that is known.
    fn room(&self, limits: Option<Limits>) -> (u32, String) {
        let seen =
            |range: &std::ops::RangeInclusive<u16>| range.contains(&self.ports[0]) && range.contains(&self.ports[1]);
        let named = |range: [u16; 2], whose: &str| {
            (size(range), format!("it has {} ({}-{}, {whose})", count(size(range).into(), "port"), range[0], range[1]))
        };
        if let Some(limits) = limits.filter(|limits| self.own && seen(&limits.range())) {
            return named(limits.ports, "ip_local_port_range");
        }
        for (range, whose) in [([49_152, 65_535], "as Windows has"), ([32_768, 60_999], "as Linux has")] {
            if seen(&(range[0]..=range[1])) {
                return named(range, whose);
            }
        }
        named([1024, 65_535], "as some hosts have")
    }
}

/// Ports from the first to the last.
fn size([first, last]: [u16; 2]) -> u32 {
    u32::from(last) - u32::from(first) + 1
}

/// TIME_WAIT on the server's side.
fn side(server: SocketAddr, waiting: u32) -> Option<Sign> {
    if waiting < MANY {
        return None;
    }
    let headline = format!("{server} has {waiting} connections in TIME_WAIT: it closes first");
    let mut sign = Sign::new(Aggregate::TimeWaitSide, About::Service(server), Severity::Info, headline);
    sign.amount = waiting.into();
    sign.sum = true;
    sign.reasons.push(format!("{waiting} connections ended within {TIME_WAIT} s with the server's FIN first"));
    sign.ruled_out.push(Not::a(Alternative::ClientPorts, "theirs do not wait"));
    Some(sign)
}
