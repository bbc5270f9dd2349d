//! What the detectors of aggregates go by: counters and samples, read about once a second.

use std::net::{IpAddr, SocketAddr};

use sensor_common::{
    counters::{Counter, Cpu, MAX_COUNTERS},
    event::Hook,
    flow::{Side, TcpFlags},
    service::{SERVICE_COUNTERS, Service, ServiceCounter},
    stray::Stray,
};

use super::{host::HostReading, sample::Sample};
use crate::report::address;

/// What was read at one moment. Counters go on from the sensor's start, so that a reading that is lost only makes the next span
/// longer.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Nanoseconds: the engine's, until the report makes them those since the epoch.
    pub time: u64,
    /// By [`Counter`], of all CPUs together.
    pub counters: [u64; MAX_COUNTERS],
    /// Each service in use, with its counts by [`ServiceCounter`].
    pub services: Vec<(SocketAddr, [u64; SERVICE_COUNTERS])>,
    /// A sample of the flow table.
    pub sample: Sample,
    /// Segments of no flow since the reading before: the latest 64 of each CPU.
    pub strays: Vec<Astray>,
    /// What the host's own TCP says; none in a capture.
    pub host: Option<HostReading>,
}

impl Reading {
    /// Of these counters and services; samples are added by who has them.
    pub fn new(time: u64, cpu: &Cpu, services: impl IntoIterator<Item = Service>) -> Self {
        let named = |service: &Service| {
            // A key does not say which version of IP its service has; IPv4 addresses are mapped.
            let version = if service.addr[..3] == [0, 0, 0xffff] { 4 } else { 6 };
            SocketAddr::new(address(&service.addr, version), service.port as u16)
        };
        let used = services.into_iter().filter(|service| service.tag != 0);
        Self {
            time,
            counters: cpu.counters,
            services: used.map(|service| (named(&service), service.counters)).collect(),
            sample: Sample::default(),
            strays: Vec::new(),
            host: None,
        }
    }

    /// A counter's value.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }
}

/// A segment of no flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Astray {
    /// Who claims to have sent it.
    pub from: SocketAddr,
    /// Whom it was addressed to.
    pub to: SocketAddr,
    /// Header flags.
    pub flags: TcpFlags,
    /// TTL or hop limit.
    pub ttl: u8,
    /// Whether this host sent it.
    pub outgoing: bool,
    /// Of the segments of no flow that its CPU has seen, it stands for so many: 1 or more.
    pub stands_for: f64,
}

impl Astray {
    /// One that stands for so many.
    pub(super) fn new(stray: &Stray, stands_for: f64) -> Self {
        let sender = Side::from_index(stray.sender);
        let end = |side| SocketAddr::new(ip(stray, side), stray.key.port(side));
        Self {
            from: end(sender),
            to: end(sender.other()),
            flags: stray.flags,
            ttl: stray.ttl,
            outgoing: stray.hook == Hook::Egress as u8,
            stands_for,
        }
    }
}

fn ip(stray: &Stray, side: Side) -> IpAddr {
    address(stray.key.addr(side), stray.key.link.ip_version())
}

/// What happened between two readings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// Seconds, at least a hundredth.
    pub(super) seconds: f64,
    counters: [u64; MAX_COUNTERS],
}

impl Span {
    pub(super) fn between(before: &Reading, now: &Reading) -> Self {
        let mut counters = now.counters;
        for (now, before) in counters.iter_mut().zip(before.counters) {
            *now = now.saturating_sub(before);
        }
        Self { seconds: (now.time.saturating_sub(before.time) as f64 / 1e9).max(0.01), counters }
    }

    /// How often a counter was counted.
    pub(super) const fn n(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }
}

/// What was counted of a service between two readings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted(pub(super) [u64; SERVICE_COUNTERS]);

impl Counted {
    pub(super) fn since(now: &[u64; SERVICE_COUNTERS], before: &[u64; SERVICE_COUNTERS]) -> Self {
        let mut counted = *now;
        for (now, before) in counted.iter_mut().zip(before) {
            *now = now.saturating_sub(*before);
        }
        Self(counted)
    }

    pub(super) const fn get(&self, counter: ServiceCounter) -> u64 {
        self.0[counter as usize]
    }
}
