//! Who asks: how many sources, from how far away, and whether they are where they usually are.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use sensor_common::detect::origin::hops;

use super::{Aggregate, flood::percent, sample::Request, sample::Sample, shares::Shares};
use crate::report::hops as far;

/// Networks whose distance is remembered.
pub const MAX_LEARNED: usize = 8192;
/// Requests below which a sample says nothing of sources.
const ENOUGH: usize = 50;

/// How far away the clients of connections are, by their network: /24, or /64 with IPv6 (Wang, Jin and Shin, "Hop-count
/// filtering", 2003). Who completes a handshake does not make up its address.
#[derive(Debug, Default)]
pub(super) struct Learned(BTreeMap<IpAddr, [u8; 2]>);

impl Learned {
    pub(super) fn learn(&mut self, sample: &Sample) {
        for settled in &sample.settled {
            let network = network(settled.client);
            if let Some([least, most]) = self.0.get_mut(&network) {
                *least = settled.hops.min(*least);
                *most = settled.hops.max(*most);
            } else if self.0.len() < MAX_LEARNED {
                self.0.insert(network, [settled.hops; 2]);
            }
        }
    }

    /// Whether a request comes from two hops and more beside all connections of its network; none if there were none.
    fn is_astray(&self, request: &Request) -> Option<bool> {
        let [least, most] = *self.0.get(&network(request.client.ip()))?;
        let hops = hops(request.ttl);
        Some(hops + 1 < least || hops > most + 1)
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Requests by their sources.
pub(super) struct Crowd<'a> {
    requests: Vec<&'a Request>,
    shares: Shares,
}

impl<'a> Crowd<'a> {
    pub(super) fn of(requests: impl Iterator<Item = &'a Request>) -> Self {
        let requests: Vec<_> = requests.collect();
        let shares = Shares::of(requests.iter().map(|request| (request.client.ip(), 1.0)));
        Self { requests, shares }
    }

    /// How many sources there are in the sample.
    pub(super) fn sources(&self) -> usize {
        self.shares.sources()
    }

    /// Some sources, those with the most requests first.
    pub(super) fn peers(&self) -> Vec<IpAddr> {
        self.shares.peers()
    }

    /// What there is to say of them, and which aggregates that is.
    pub(super) fn words(&self, learned: &Learned) -> (Vec<String>, Vec<Aggregate>) {
        let (n, sources) = (self.requests.len(), self.sources());
        if n < ENOUGH {
            return (Vec::new(), Vec::new());
        }
        let (mut reasons, mut with) = (Vec::new(), Vec::new());
        reasons.extend(self.shares.words("requests"));
        if self.shares.most() > 0.5 {
            return (reasons, with);
        }
        let diverse = sources * 5 > n * 4;
        let mut ttls: BTreeMap<u8, usize> = BTreeMap::new();
        self.requests.iter().for_each(|request| *ttls.entry(request.ttl).or_default() += 1);
        let (ttl, alike) = ttls.iter().max_by_key(|(_, n)| **n).map_or((0, 0), |(ttl, n)| (*ttl, *n));
        let one_place = alike * 10 >= n * 9;
        let judged: Vec<bool> = self.requests.iter().filter_map(|request| learned.is_astray(request)).collect();
        let astray = judged.iter().filter(|astray| **astray).count();
        let drifts = judged.len() >= 10 && astray * 2 > judged.len();
        if drifts {
            reasons.push(format!(
                "{astray} of {} come from another distance than connections of the same networks",
                judged.len()
            ));
            with.push(Aggregate::HopDrift);
        }
        if diverse && one_place {
            let share = percent(alike as f64 / n as f64);
            reasons.push(format!("{share} arrive with TTL {ttl}, {} away: as if from one place", far(hops(ttl))));
        }
        if diverse && (one_place || drifts) {
            reasons.push("so the sources are made up".to_owned());
            with.push(Aggregate::SpoofedSources);
        }
        (reasons, with)
    }
}
