//! Whose pod it is about, in fields that Elastic publishes: a document has room for one, so for one end alone.
//!
//! `orchestrator.*` is of ECS (elastic.co/docs/reference/ecs/ecs-orchestrator); `kubernetes.*` is what Elastic's agents add to
//! the events of a pod (elastic.co/docs/reference/beats/filebeat/exported-fields-kubernetes-processor), which dashboards go by.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use crate::enrich::{Ends, Who};

/// Of workloads, what the agents have a field for.
const WORKLOADS: [(&str, &str); 3] =
    [("Deployment", "deployment"), ("ReplicaSet", "replicaset"), ("StatefulSet", "statefulset")];

/// The pod at one of the ends, `first` asked first, and its address. None where it may be another's: an index does not know doubt.
pub(super) fn pod(who: &Ends, ends: [SocketAddr; 2], first: usize) -> Option<(&Who, SocketAddr)> {
    let sure = |at: usize| who.both()[at].filter(|who| who.pod.is_some() && !who.ambiguous).map(|who| (who, ends[at]));
    sure(first).or_else(|| sure(1 - first))
}

/// ECS's fields.
pub(super) fn orchestrator(pod: Option<(&Who, SocketAddr)>) -> Option<Value> {
    let (who, end) = pod?;
    Some(json!({
        "type": "kubernetes",
        "namespace": who.namespace,
        "resource": {
            "type": "pod",
            "name": who.pod,
            "id": who.uid,
            "ip": [end.ip()],
            "parent": who.workload.as_ref().map(|workload| json!({ "type": workload.kind.to_lowercase() })),
        },
    }))
}

/// Those of Elastic's agents.
pub(super) fn kubernetes(pod: Option<(&Who, SocketAddr)>) -> Option<Value> {
    let (who, end) = pod?;
    let mut fields = Map::new();
    fields.insert("namespace".into(), json!(who.namespace));
    fields.insert("pod".into(), json!({ "name": who.pod, "uid": who.uid, "ip": end.ip() }));
    fields.insert("node".into(), who.node.as_ref().map(|node| json!({ "name": node })).into());
    if let Some(workload) = &who.workload
        && let Some((_, field)) = WORKLOADS.iter().find(|(kind, _)| *kind == workload.kind)
    {
        fields.insert((*field).into(), json!({ "name": workload.name }));
    }
    Some(fields.into())
}
