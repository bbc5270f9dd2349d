//! What deploy/kubernetes and the Helm chart come to: the same objects, which Kubernetes takes, with the rights and the memory that
//! they should have. With the real kubectl and helm, which `cargo xtask test` fetches; without them these tests say that they are
//! skipped.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use k8s_openapi::api::{apps::v1 as apps, core::v1 as core, networking::v1 as networking, rbac::v1 as rbac};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Names the folder with kubectl, helm and the validator.
const TOOLS: &str = "SENSOR_KUBECTL";

/// Minor versions of Kubernetes whose schemas are asked.
const VERSIONS: [u32; 5] = [25, 28, 31, 34, 37];

fn tools() -> Option<PathBuf> {
    let tools = std::env::var_os(TOOLS).map(PathBuf::from);
    if tools.is_none() {
        eprintln!("SKIPPED: no kubectl and no helm ({TOOLS} names no folder; `cargo xtask test` fetches them)");
    }
    tools
}

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn kustomize(tools: &Path, folder: &str) -> String {
    output(Command::new(tools.join("kubectl")).arg("kustomize").arg(deploy("kubernetes").join(folder)))
}

fn helm(tools: &Path, arguments: &[&str]) -> String {
    let mut helm = Command::new(tools.join("helm"));
    helm.args(["template", "sensor", "--namespace", "sensor"]).arg(deploy("helm/sensor")).args(arguments);
    // It keeps files of its own, and asks no cluster.
    output(helm.env("HOME", std::env::temp_dir()))
}

/// With everything that base and default leave out.
const ALL: [&str; 8] = [
    "--set",
    "events=true",
    "--set",
    "monitoring.enabled=true",
    "--set",
    "interfaces={veth*,cali*,lxc*,eni*}",
    "--set",
    "mode=tc",
];

/// What outlives its pod.
const PINNED: [&str; 2] = ["--set", "pin=true"];

/// The objects by kind and name.
fn objects(text: &str) -> BTreeMap<String, Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    let documents = documents.into_iter().filter(|object| !object.is_null());
    documents
        .map(|object| (format!("{} {}", word(&object["kind"]), word(&object["metadata"]["name"])), object))
        .collect()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value}"))
}

/// What must be the same whichever way it is installed: not the namespace, the digest of the configuration, or who manages it.
fn essence(text: &str) -> BTreeMap<String, Value> {
    let text = text.replace("\r\n", "\n");
    let mut all = objects(&text);
    all.retain(|name, _| !name.starts_with("Namespace "));
    let digest = all.keys().find_map(|name| name.strip_prefix("ConfigMap ")).unwrap().to_owned();
    let plain = |object: &Value| {
        let text = object.to_string().replace(&format!("\"{digest}\""), "\"sensor\"");
        let mut object: Value = serde_json::from_str(&text).unwrap();
        let labels = object["metadata"]["labels"].as_object_mut().unwrap();
        labels.retain(|label, _| label == "app.kubernetes.io/name");
        if let Some(settings) = object["data"].get_mut("sensor.toml") {
            *settings = without_comments(word(settings)).into();
        }
        if let Some(annotations) = object.pointer_mut("/spec/template/metadata/annotations") {
            annotations.as_object_mut().unwrap().remove("checksum/config");
        }
        if object.pointer("/spec/template/metadata/annotations") == Some(&json!({})) {
            object["spec"]["template"]["metadata"].as_object_mut().unwrap().remove("annotations");
        }
        object
    };
    all.iter().map(|(name, object)| (name.replace(&digest, "sensor"), plain(object))).collect()
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n")
}

#[test]
fn chart_and_manifests_are_the_same() {
    let Some(tools) = tools() else { return };
    let pairs = [
        (kustomize(&tools, "base"), helm(&tools, &[])),
        (kustomize(&tools, "overlays/all"), helm(&tools, &ALL)),
        (kustomize(&tools, "overlays/pinned"), helm(&tools, &PINNED)),
    ];
    for (manifests, chart) in pairs {
        let (manifests, chart) = (essence(&manifests), essence(&chart));
        assert!(manifests.len() >= 6, "{manifests:?}");
        assert!(manifests.keys().eq(chart.keys()), "{:?}\n{:?}", manifests.keys(), chart.keys());
        for (name, object) in &manifests {
            assert_eq!(object, &chart[name], "{name}");
        }
    }
}

/// Reads an object as Kubernetes does, and nothing of it is lost: a field that it does not know would be.
fn decoded<T: DeserializeOwned + Serialize>(object: &Value) {
    let read: T = serde_json::from_value(object.clone()).unwrap_or_else(|error| panic!("{error}: {object}"));
    assert_eq!(&serde_json::to_value(read).unwrap(), object);
}

#[test]
fn kubernetes_takes_them() {
    let Some(tools) = tools() else { return };
    let folder = TempDir::new().unwrap();
    let texts = [
        kustomize(&tools, "base"),
        kustomize(&tools, "overlays/all"),
        kustomize(&tools, "overlays/pinned"),
        helm(&tools, &[]),
        helm(&tools, &ALL),
        helm(&tools, &PINNED),
        helm(&tools, &["--set", "env[0].name=A,env[0].value=b,podAnnotations.c=d,imagePullSecrets[0].name=e"]),
    ];
    let mut kinds = BTreeSet::new();
    for (i, text) in texts.iter().enumerate() {
        fs::write(folder.path().join(format!("{i}.yaml")), text).unwrap();
        for object in objects(text).values() {
            kinds.insert(word(&object["kind"]).to_owned());
            match word(&object["kind"]) {
                "Namespace" => decoded::<core::Namespace>(object),
                "ServiceAccount" => decoded::<core::ServiceAccount>(object),
                "ConfigMap" => decoded::<core::ConfigMap>(object),
                "DaemonSet" => decoded::<apps::DaemonSet>(object),
                "ClusterRole" => decoded::<rbac::ClusterRole>(object),
                "ClusterRoleBinding" => decoded::<rbac::ClusterRoleBinding>(object),
                "NetworkPolicy" => decoded::<networking::NetworkPolicy>(object),
                // The operator's, which Kubernetes' own types know nothing of.
                "PodMonitor" => assert_eq!(object["spec"]["podMetricsEndpoints"][0]["port"], "metrics"),
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    let python = tools.join("python");
    for version in VERSIONS {
        let mut validate = Command::new("python3");
        validate.arg(python.join("bin/kubernetes-validate")).env("PYTHONPATH", &python);
        validate.args(["--strict", "--quiet", "--no-warn", "--kubernetes-version", &format!("1.{version}.0")]);
        validate.args((0..texts.len()).map(|i| folder.path().join(format!("{i}.yaml"))));
        output(&mut validate);
    }
}

/// The validator would say so.
#[test]
fn what_kubernetes_does_not_take_is_found() {
    let Some(tools) = tools() else { return };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("wrong.yaml");
    fs::write(&file, kustomize(&tools, "base").replace("hostNetwork: true", "hostNetwrok: true")).unwrap();
    let python = tools.join("python");
    let mut validate = Command::new("python3");
    validate.arg(python.join("bin/kubernetes-validate")).env("PYTHONPATH", &python);
    let output = validate.args(["--strict", "--kubernetes-version", "1.34.0"]).arg(&file).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
}

fn daemon_set(text: &str) -> Value {
    objects(text)["DaemonSet sensor"].clone()
}

#[test]
fn rights_are_the_least_that_will_do() {
    let Some(tools) = tools() else { return };
    for (text, all) in [(kustomize(&tools, "base"), false), (kustomize(&tools, "overlays/all"), true)] {
        let pod = daemon_set(&text)["spec"]["template"]["spec"].clone();
        let [container] = &pod["containers"].as_array().unwrap()[..] else { panic!("{pod}") };
        assert_eq!(
            container["securityContext"],
            json!({
                "privileged": false,
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": { "drop": ["ALL"], "add": ["BPF", "NET_ADMIN", "PERFMON"] },
            })
        );
        assert_eq!(pod["securityContext"]["seccompProfile"], json!({ "type": "RuntimeDefault" }));
        assert_eq!((&pod["hostNetwork"], &pod["hostPID"], &pod["hostIPC"]), (&json!(true), &Value::Null, &Value::Null));
        let volumes = json!([{ "name": "config", "configMap": { "name": pod["volumes"][0]["configMap"]["name"] } }]);
        assert_eq!(pod["volumes"], volumes, "nothing of the host's files");
        // On every node, and gone from a tenth of them at a time.
        assert_eq!(pod["tolerations"], json!([{ "operator": "Exists" }]));
        assert_eq!(pod["priorityClassName"], "system-node-critical");
        let strategy = &daemon_set(&text)["spec"]["updateStrategy"];
        assert_eq!(strategy["rollingUpdate"]["maxUnavailable"], "10%");
        let mut rules: Vec<Value> = Vec::new();
        for (_, role) in objects(&text).iter().filter(|(name, _)| name.starts_with("ClusterRole ")) {
            rules.extend(role["rules"].as_array().unwrap().iter().cloned());
        }
        let mut expected =
            vec![json!({ "apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list", "watch"] })];
        if all {
            expected.push(json!({ "apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"] }));
        }
        assert_eq!(rules, expected);
        // Health is asked where metrics are served: on loopback, or at the node's address.
        let variable =
            |name: &str| container["env"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let get = &container[probe]["httpGet"];
            assert_eq!(get["host"], if all { Value::Null } else { json!("127.0.0.1") });
            assert_eq!(get["port"], 9464);
        }
        assert_eq!(variable("SENSOR_METRICS").is_some(), all);
        assert_eq!(variable("SENSOR_NODE_NAME").unwrap()["valueFrom"]["fieldRef"]["fieldPath"], "spec.nodeName");
    }
}

/// Of the host's files a pod that is to be outlived sees the BPF file system, and has no right more.
#[test]
fn pins_are_all_that_is_seen_of_the_host() {
    let Some(tools) = tools() else { return };
    let pod = |text: &str| daemon_set(text)["spec"]["template"]["spec"].clone();
    let (pinned, base) = (pod(&kustomize(&tools, "overlays/pinned")), pod(&kustomize(&tools, "base")));
    let host: Vec<&Value> =
        pinned["volumes"].as_array().unwrap().iter().filter(|one| one["hostPath"].is_object()).collect();
    assert_eq!(host, [&json!({ "name": "bpf", "hostPath": { "path": "/sys/fs/bpf", "type": "Directory" } })]);
    let variables = pinned["containers"][0]["env"].as_array().unwrap();
    assert!(
        variables.contains(&json!({ "name": "SENSOR_PIN", "value": sensor::kernel::DEFAULT_PINS })),
        "{variables:?}"
    );
    for field in ["securityContext", "resources"] {
        assert_eq!(pinned["containers"][0][field], base["containers"][0][field]);
    }
    assert_eq!(pinned["securityContext"], base["securityContext"]);
}

/// Settings are those of the real command, and the memory limit is enough for them.
#[test]
fn settings_are_settings_and_memory_is_enough() {
    let Some(tools) = tools() else { return };
    let text = kustomize(&tools, "overlays/all");
    let settings = objects(&text).into_iter().find(|(name, _)| name.starts_with("ConfigMap ")).unwrap().1;
    let settings = word(&settings["data"]["sensor.toml"]).to_owned();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sensor.toml");
    fs::write(&file, &settings).unwrap();
    let sensor = || Command::new(env!("CARGO_BIN_EXE_sensor"));
    output(sensor().args(["config", "check"]).arg(&file));
    let container = daemon_set(&text)["spec"]["template"]["spec"]["containers"][0].clone();
    // As the kubelet would fill them in.
    let mut show = sensor();
    for variable in container["env"].as_array().unwrap() {
        let value = match word(&variable["name"]) {
            "HOST_IP" => continue,
            "SENSOR_NODE_NAME" => "node-1",
            _ => word(&variable["value"]),
        };
        show.env(word(&variable["name"]), value.replace("$(HOST_IP)", "192.0.2.7"));
    }
    let shown = output(show.args(["config", "show", "--config"]).arg(&file));
    for setting in [
        "192.0.2.7:9464",
        "node-name",
        "node-1",
        "kubernetes-events",
        "veth*",
        "eni*",
        "SENSOR_METRICS",
        "SENSOR_INTERFACE",
        "SENSOR_MODE",
    ] {
        assert!(shown.contains(setting), "{setting}: {shown}");
    }
    let arguments: Vec<&str> = container["args"].as_array().unwrap().iter().map(word).collect();
    assert_eq!(arguments, ["attach", "--config", "/etc/sensor/sensor.toml"]);

    let flows: u64 = settings.lines().find_map(|line| line.strip_prefix("flows = ")).unwrap().parse().unwrap();
    let mebibytes = |field: &str| -> u64 {
        word(&container["resources"][field]["memory"]).strip_suffix("Mi").unwrap().parse().unwrap()
    };
    // What README says of a connection; a ring of 4 MiB; the agent's own, with room for names.
    let needed = flows * 464 / (1 << 20) + 4 + 64;
    assert!(mebibytes("requests") >= needed && mebibytes("limits") >= needed * 3 / 2, "{needed}");
}
