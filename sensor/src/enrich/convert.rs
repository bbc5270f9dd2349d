//! From the API's objects to what is kept of them.

use std::net::IpAddr;

use k8s_openapi::{api::core::v1, apimachinery::pkg::util::intstr::IntOrString};

use super::{Pod, Port, Service, Workload};

impl From<&v1::Pod> for Pod {
    fn from(pod: &v1::Pod) -> Self {
        let (meta, spec, status) = (&pod.metadata, pod.spec.as_ref(), pod.status.as_ref());
        let labels = meta.labels.clone().unwrap_or_default();
        let owner = meta.owner_references.iter().flatten().find(|owner| owner.controller == Some(true));
        let phase = status.and_then(|status| status.phase.as_deref());
        let own = |status: &v1::PodStatus| {
            let listed = status.pod_ips.iter().flatten().map(|address| address.ip.clone());
            parsed(listed.chain(status.pod_ip.clone()))
        };
        let of_node = |status: &v1::PodStatus| {
            let listed = status.host_ips.iter().flatten().map(|address| address.ip.clone());
            parsed(listed.chain(status.host_ip.clone()))
        };
        Self {
            uid: meta.uid.clone().unwrap_or_default(),
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            workload: owner.map(|owner| Workload::of(&owner.kind, &owner.name, &labels)),
            labels,
            addresses: status.map(own).unwrap_or_default(),
            node_addresses: status.map(of_node).unwrap_or_default(),
            host_network: spec.is_some_and(|spec| spec.host_network == Some(true)),
            started: status
                .and_then(|status| status.start_time.as_ref())
                .and_then(|time| u64::try_from(time.0.as_nanosecond()).ok()),
            over: matches!(phase, Some("Succeeded" | "Failed")),
        }
    }
}

impl From<&v1::Service> for Service {
    fn from(service: &v1::Service) -> Self {
        let (meta, spec) = (&service.metadata, service.spec.as_ref());
        let given = spec.into_iter().flat_map(|spec| {
            let listed = [&spec.cluster_ips, &spec.external_ips].into_iter().flatten().flatten().cloned();
            listed.chain(spec.cluster_ip.clone())
        });
        let balanced = service.status.iter().filter_map(|status| status.load_balancer.as_ref()?.ingress.as_ref());
        let balanced = balanced.flatten().filter_map(|ingress| ingress.ip.clone());
        let ports = spec.and_then(|spec| spec.ports.as_ref()).into_iter().flatten();
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            selector: spec.and_then(|spec| spec.selector.clone()).unwrap_or_default(),
            // Headless services say `None` here, which is no address.
            addresses: parsed(given.chain(balanced)),
            ports: ports.filter_map(port).collect(),
        }
    }
}

fn port(port: &v1::ServicePort) -> Option<Port> {
    let number = |port: i32| u16::try_from(port).ok();
    let own = number(port.port)?;
    let target = match &port.target_port {
        None => Some(own),
        Some(IntOrString::Int(target)) => number(*target),
        Some(IntOrString::String(_)) => None,
    };
    Some(Port { port: own, target })
}

/// Each address once.
fn parsed(texts: impl Iterator<Item = String>) -> Vec<IpAddr> {
    texts.filter_map(|text| text.parse().ok()).fold(Vec::new(), |mut all, address| {
        if !all.contains(&address) {
            all.push(address);
        }
        all
    })
}
