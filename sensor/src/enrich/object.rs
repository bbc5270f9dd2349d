//! What is kept of the cluster's objects.

use std::{collections::BTreeMap, net::IpAddr};

use super::Workload;

/// The label by which a Deployment tells its pods, and their ReplicaSet's name, apart from those of its other versions.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// A pod, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Never used again by another.
    pub uid: String,
    /// Where its name is unique.
    pub namespace: String,
    /// Its name, which may be used again.
    pub name: String,
    /// Where it runs.
    pub node: String,
    /// What made it.
    pub workload: Option<Workload>,
    /// What services select it by.
    pub labels: BTreeMap<String, String>,
    /// Its own addresses; those of its node if it uses the node's network.
    pub addresses: Vec<IpAddr>,
    /// Those of its node.
    pub node_addresses: Vec<IpAddr>,
    /// Whether it uses the node's network.
    pub host_network: bool,
    /// When its node took it on: nanoseconds since the epoch. Its addresses are not older.
    pub started: Option<u64>,
    /// Whether it came to its end, and its addresses were given back.
    pub over: bool,
}

/// How an object became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learnt {
    /// It was there already.
    Listed,
    /// It changed just now.
    Watched,
}

/// A service, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Where its name is unique, and whose pods it selects.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Labels of its pods; none if it selects none.
    pub selector: BTreeMap<String, String>,
    /// Its own addresses.
    pub addresses: Vec<IpAddr>,
    /// Its ports.
    pub ports: Vec<Port>,
}

/// A service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// At the service's address.
    pub port: u16,
    /// At the pod's address; none if it goes by a name that each pod gives another number.
    pub target: Option<u16>,
}

impl Service {
    /// Whether it selects these labels.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        !self.selector.is_empty() && self.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    }
}

impl Workload {
    /// From the owner that controls a pod. A ReplicaSet that a Deployment made is called as that, with the pods' template hash.
    pub fn of(kind: &str, name: &str, labels: &BTreeMap<String, String>) -> Self {
        let deployment = (kind == "ReplicaSet")
            .then(|| labels.get(TEMPLATE_HASH))
            .flatten()
            .and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-'))
            .filter(|name| !name.is_empty());
        match deployment {
            Some(name) => Self { kind: "Deployment".to_owned(), name: name.to_owned() },
            None => Self { kind: kind.to_owned(), name: name.to_owned() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_set_is_its_deployment_where_the_hash_says_so() {
        let labels = BTreeMap::from([(TEMPLATE_HASH.to_owned(), "6d4cf56db6".to_owned())]);
        let of = |kind: &str, name: &str| {
            let Workload { kind, name } = Workload::of(kind, name, &labels);
            format!("{kind}/{name}")
        };
        assert_eq!(of("ReplicaSet", "web-6d4cf56db6"), "Deployment/web");
        assert_eq!(of("ReplicaSet", "my-web-6d4cf56db6"), "Deployment/my-web");
        assert_eq!(of("ReplicaSet", "by-hand-5"), "ReplicaSet/by-hand-5");
        assert_eq!(of("ReplicaSet", "-6d4cf56db6"), "ReplicaSet/-6d4cf56db6");
        assert_eq!(of("StatefulSet", "db-6d4cf56db6"), "StatefulSet/db-6d4cf56db6");
        assert_eq!(Workload::of("ReplicaSet", "web-6d4cf56db6", &BTreeMap::new()).kind, "ReplicaSet");
    }

    #[test]
    fn a_service_without_a_selector_selects_nothing() {
        let labels = BTreeMap::from([("app".to_owned(), "web".to_owned()), ("tier".to_owned(), "front".to_owned())]);
        let service = |selector: &[(&str, &str)]| Service {
            selector: selector.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            ..Service::default()
        };
        assert!(!service(&[]).selects(&labels));
        assert!(service(&[("app", "web")]).selects(&labels));
        assert!(!service(&[("app", "web"), ("tier", "back")]).selects(&labels));
    }
}
