//! Objects as an API server tells them.

use serde_json::{Value, json};

/// The node that is asked for.
pub(crate) const NODE: &str = "node-1";
pub(crate) const NODE_ADDRESS: &str = "192.0.2.10";

/// A running pod of the Deployment `web` in `shop`.
pub(crate) fn pod(name: &str, uid: &str, address: &str) -> Value {
    json!({
        "metadata": {
            "name": name,
            "generateName": "web-6d4cf56db6-",
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": "4711",
            "creationTimestamp": "2026-11-20T10:00:00Z",
            "labels": { "app": "web", "pod-template-hash": "6d4cf56db6" },
            "annotations": { "kubernetes.io/config.source": "api" },
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-6d4cf56db6",
                "uid": "cba9b8ff-5f2c-4d27-9e1d-000000000001", "controller": true, "blockOwnerDeletion": true,
            }],
            "managedFields": [{
                "manager": "kubelet", "operation": "Update", "apiVersion": "v1", "time": "2026-11-20T10:00:04Z",
                "fieldsType": "FieldsV1", "fieldsV1": { "f:status": { "f:podIP": {} } }, "subresource": "status",
            }],
        },
        "spec": {
            "containers": [{
                "name": "web", "image": "web:1", "ports": [{ "name": "http", "containerPort": 8080, "protocol": "TCP" }],
                "resources": {}, "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "IfNotPresent",
            }],
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "serviceAccountName": "default",
            "nodeName": NODE, "schedulerName": "default-scheduler",
        },
        "status": {
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True", "lastProbeTime": null, "lastTransitionTime": "2026-11-20T10:00:04Z" }],
            "hostIP": NODE_ADDRESS, "hostIPs": [{ "ip": NODE_ADDRESS }],
            "podIP": address, "podIPs": [{ "ip": address }],
            "startTime": "2026-11-20T10:00:01Z", "qosClass": "BestEffort",
        },
    })
}

/// A pod in its node's network.
pub(crate) fn host_pod(name: &str, uid: &str) -> Value {
    let mut pod = pod(name, uid, NODE_ADDRESS);
    pod["metadata"]["namespace"] = "kube-system".into();
    pod["metadata"]["ownerReferences"][0]["kind"] = "DaemonSet".into();
    pod["spec"]["hostNetwork"] = true.into();
    pod
}

/// The service `web` in `shop`.
pub(crate) fn service(address: &str) -> Value {
    json!({
        "metadata": {
            "name": "web", "namespace": "shop", "uid": "5e7f0001-0000-4000-8000-000000000001",
            "resourceVersion": "4712", "creationTimestamp": "2026-11-20T09:59:00Z",
        },
        "spec": {
            "ports": [{ "name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080 }],
            "selector": { "app": "web" }, "clusterIP": address, "clusterIPs": [address], "type": "ClusterIP",
            "sessionAffinity": "None", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster",
        },
        "status": { "loadBalancer": {} },
    })
}
