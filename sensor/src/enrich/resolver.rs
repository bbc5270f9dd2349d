//! From an address and a time to its owner. Sans I/O.
//!
//! Addresses of pods are used again, often within seconds, and findings are told of connections that ended minutes ago. So each
//! pod's claim to an address has a beginning and an end, and outlives the pod by [`KEPT`].

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::{Learnt, Pod, Service, Who};

/// How long a pod that is gone is remembered: 15 minutes in nanoseconds. Records of connections that fell silent come after 10.
pub const KEPT: u64 = 900 * 1_000_000_000;
/// How long before it became known a pod that was seen to change may have had its address: 5 s in nanoseconds.
pub const LEAD: u64 = 5 * 1_000_000_000;
/// Pods that are known at a time; a node has some hundreds at the most.
pub const MAX_PODS: usize = 4096;
/// Addresses of pods that are remembered after their end.
pub const MAX_TOMBSTONES: usize = 4096;
/// Services that are known at a time.
pub const MAX_SERVICES: usize = 16_384;

/// Addresses of one object that are kept; two is what clusters with both families give.
const ADDRESSES: usize = 8;
/// Services that are named beside one pod.
const NAMED: usize = 4;

type ServiceKey = (String, String);

/// Who has, and had, which address.
#[derive(Debug, Default)]
pub struct Resolver {
    claims: BTreeMap<IpAddr, Vec<Claim>>,
    /// Pods that live, by uid.
    pods: BTreeMap<String, Arc<Pod>>,
    /// Claims that are over, in the order in which they ended.
    over: VecDeque<Tombstone>,
    nodes: BTreeMap<IpAddr, String>,
    services: BTreeMap<ServiceKey, Service>,
    service_addresses: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
    refused: u64,
}

/// A pod had an address. Times are nanoseconds since the epoch.
#[derive(Debug)]
struct Claim {
    pod: Arc<Pod>,
    from: u64,
    until: Option<u64>,
}

/// Which claim is over.
#[derive(Debug)]
struct Tombstone {
    until: u64,
    address: IpAddr,
    uid: String,
}

impl Claim {
    fn held(&self, time: u64) -> bool {
        self.from <= time && self.until.is_none_or(|until| time <= until)
    }
}

impl Resolver {
    /// A pod is there or has changed; `now` in nanoseconds since the epoch.
    pub fn pod(&mut self, pod: Pod, learnt: Learnt, now: u64) {
        self.forget(now);
        let pod = Pod { addresses: first(&pod.addresses), node_addresses: first(&pod.node_addresses), ..pod };
        // A host that changes its address for ever is no node.
        if self.nodes.len() < MAX_PODS {
            self.nodes.extend(pod.node_addresses.iter().map(|address| (*address, pod.node.clone())));
        }
        if pod.over {
            return self.pod_gone(&pod.uid, now);
        }
        if pod.host_network || pod.addresses.is_empty() {
            return;
        }
        let before = self.pods.get(&pod.uid).cloned();
        if before.is_none() && self.pods.len() >= MAX_PODS {
            self.refused += 1;
            return;
        }
        let started = pod.started.unwrap_or_default();
        let from = match learnt {
            Learnt::Listed => pod.started.unwrap_or(now).min(now),
            Learnt::Watched => now.saturating_sub(LEAD).max(started).min(now),
        };
        let pod = Arc::new(pod);
        let (had, has) = (before.as_ref().map_or(&[][..], |pod| &pod.addresses), &pod.addresses);
        for address in had.iter().filter(|address| !has.contains(address)) {
            self.end(*address, &pod.uid, now);
        }
        for address in has {
            let claims = self.claims.entry(*address).or_default();
            match claims.iter_mut().find(|claim| claim.pod.uid == pod.uid && claim.until.is_none()) {
                Some(claim) => claim.pod = Arc::clone(&pod),
                None => claims.push(Claim { pod: Arc::clone(&pod), from, until: None }),
            }
        }
        self.pods.insert(pod.uid.clone(), pod);
        self.forget(now);
    }

    /// A pod is gone.
    pub fn pod_gone(&mut self, uid: &str, now: u64) {
        let Some(pod) = self.pods.remove(uid) else { return };
        for address in &pod.addresses {
            self.end(*address, uid, now);
        }
        self.forget(now);
    }

    /// These pods are there, and no others.
    pub fn pods(&mut self, pods: Vec<Pod>, now: u64) {
        let there: BTreeSet<&str> = pods.iter().map(|pod| &*pod.uid).collect();
        let gone: Vec<String> = self.pods.keys().filter(|uid| !there.contains(&***uid)).cloned().collect();
        gone.iter().for_each(|uid| self.pod_gone(uid, now));
        pods.into_iter().for_each(|pod| self.pod(pod, Learnt::Listed, now));
    }

    /// A service is there or has changed.
    pub fn service(&mut self, service: Service) {
        let key = (service.namespace.clone(), service.name.clone());
        self.service_gone(&key.0, &key.1);
        if self.services.len() >= MAX_SERVICES {
            self.refused += 1;
            return;
        }
        let service = Service { addresses: first(&service.addresses), ..service };
        for address in &service.addresses {
            self.service_addresses.entry(*address).or_default().insert(key.clone());
        }
        self.services.insert(key, service);
    }

    /// A service is gone. Its address is not remembered: clusters give it away again only when others run out.
    pub fn service_gone(&mut self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let Some(service) = self.services.remove(&key) else { return };
        for address in service.addresses {
            if let Some(keys) = self.service_addresses.get_mut(&address) {
                keys.remove(&key);
                if keys.is_empty() {
                    self.service_addresses.remove(&address);
                }
            }
        }
    }

    /// These services are there, and no others.
    pub fn services(&mut self, services: Vec<Service>) {
        (self.services, self.service_addresses) = Default::default();
        services.into_iter().for_each(|service| self.service(service));
    }

    /// Whom an end belonged to at `time`, in nanoseconds since the epoch; its port tells services apart.
    pub fn resolve(&self, end: SocketAddr, time: u64) -> Option<Who> {
        let address = end.ip().to_canonical();
        self.pod_at(address, end.port(), time)
            .or_else(|| self.service_at(address, end.port()))
            .or_else(|| Some(Who { node: Some(self.nodes.get(&address)?.clone()), ambiguous: true, ..Who::default() }))
    }

    /// How many pods live, how many addresses of others are remembered, and how many services there are.
    pub fn known(&self) -> [usize; 3] {
        [self.pods.len(), self.over.len(), self.services.len()]
    }

    /// Pods and services that found no place.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether nothing was learnt yet.
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty() && self.services.is_empty() && self.nodes.is_empty()
    }

    fn pod_at(&self, address: IpAddr, port: u16, time: u64) -> Option<Who> {
        let mut held: Vec<&Claim> = self.claims.get(&address)?.iter().filter(|claim| claim.held(time)).collect();
        held.sort_by_key(|claim| claim.from);
        let pod = &held.last()?.pod;
        Some(Who {
            namespace: Some(pod.namespace.clone()),
            pod: Some(pod.name.clone()),
            uid: Some(pod.uid.clone()),
            workload: pod.workload.clone(),
            services: self.selecting(pod, port),
            node: Some(pod.node.clone()).filter(|node| !node.is_empty()),
            ambiguous: held.iter().any(|claim| claim.pod.uid != pod.uid),
        })
    }

    /// The services that select a pod: those of the port, if any is known to be.
    fn selecting(&self, pod: &Pod, port: u16) -> Vec<String> {
        let of_namespace = self.services.range((pod.namespace.clone(), String::new())..);
        let of_namespace = of_namespace.map(|(_, service)| service).take_while(|one| one.namespace == pod.namespace);
        let all: Vec<&Service> = of_namespace.filter(|service| service.selects(&pod.labels)).collect();
        let exact = |service: &&&Service| service.ports.iter().any(|known| known.target == Some(port));
        let named = |services: Vec<&&Service>| services.iter().take(NAMED).map(|one| one.name.clone()).collect();
        match all.iter().filter(exact).collect::<Vec<_>>() {
            none if none.is_empty() => named(all.iter().collect()),
            exact => named(exact),
        }
    }

    fn service_at(&self, address: IpAddr, port: u16) -> Option<Who> {
        let keys = self.service_addresses.get(&address)?;
        // Load balancers give services one address and different ports.
        let exact = |key: &&ServiceKey| self.services[*key].ports.iter().any(|known| known.port == port);
        let (namespace, name) = keys.iter().find(exact).or_else(|| keys.first())?;
        let ambiguous = keys.len() > 1 && !keys.iter().any(|key| exact(&key));
        Some(Who { namespace: Some(namespace.clone()), services: vec![name.clone()], ambiguous, ..Who::default() })
    }

    fn end(&mut self, address: IpAddr, uid: &str, now: u64) {
        for claim in self.claims.get_mut(&address).into_iter().flatten() {
            if claim.pod.uid == uid && claim.until.is_none() {
                let until = now.max(claim.from);
                claim.until = Some(until);
                self.over.push_back(Tombstone { until, address, uid: uid.to_owned() });
            }
        }
    }

    /// Lets go of what has been over for long, or is too much.
    fn forget(&mut self, now: u64) {
        while self.over.len() > MAX_TOMBSTONES
            || self.over.front().is_some_and(|one| one.until.saturating_add(KEPT) < now)
        {
            let Some(Tombstone { until, address, uid }) = self.over.pop_front() else { return };
            let Some(claims) = self.claims.get_mut(&address) else { continue };
            claims.retain(|claim| claim.until != Some(until) || claim.pod.uid != uid);
            if claims.is_empty() {
                self.claims.remove(&address);
            }
        }
    }
}

fn first(addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().take(ADDRESSES).map(IpAddr::to_canonical).collect()
}
