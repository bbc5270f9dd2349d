//! The formats of others: golden lines, and the fields that others publish.

use sensor_common::record::{Ending, Record};
use serde_json::{Value, json};

use super::*;
use crate::enrich::{Ends, Who, Workload};

impl Scene {
    /// Its findings, its connection's record, and its incident.
    fn told(&self, output: Output) -> Vec<Value> {
        let mut text = Vec::new();
        let mut reporter = Reporter::new(&mut text, style(output), WallClock::epoch()).with_records(true);
        let place = Place { interface: Some("eth0"), ..Place::default() };
        for (event, frame) in &self.events {
            reporter.event(event, Place { frame: Some(*frame), ..place }).unwrap();
        }
        let mut flows = self.host.flows().iter().zip(self.host.extras());
        let (flow, extra) = flows.find(|(flow, _)| flow.ends[0].segments > 0).unwrap();
        let record = Record::of(flow, extra, Ending::Rst, 0, START + 1900 * MS);
        reporter.record(&record, place).unwrap();
        // Incidents of one connection are not told.
        for mut view in reporter.correlator.finish().iter().map(crate::correlate::Incident::closed) {
            view.connections = 2;
            reporter.incident(&view).unwrap();
        }
        drop(reporter);
        String::from_utf8(text).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn seed() -> Scene {
    let mut scene = Scene::seed_1(Vantage::Server);
    scene.send(1900, true, PUSH, 65535, 50);
    scene
}

/// What is written down is what is told. `UPDATE_GOLDEN=1` writes it down.
fn golden(file: &str, objects: &[Value]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/tests").join(file);
    let text = serde_json::to_string_pretty(objects).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text, "{file}");
}

#[test]
fn eve_is_as_suricata_publishes_it() {
    let objects = seed().told(Output::Eve);
    golden("seed_1_eve.json", &objects);
    let schema: Value = serde_json::from_str(include_str!("eve_schema.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    for object in &objects {
        let errors: Vec<_> = validator.iter_errors(object).map(|e| format!("{} {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}\n{object}");
    }
    let types: Vec<_> = objects.iter().map(|object| object["event_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["anomaly", "anomaly", "flow", "anomaly"]);
    // Who looks for all of a connection finds its findings and its record.
    let id = &objects[0]["flow_id"];
    assert!(id.as_u64().unwrap() < 1 << 53);
    assert_eq!((id, id), (&objects[1]["flow_id"], &objects[2]["flow_id"]));
    assert_eq!(objects[0]["community_id"], objects[2]["community_id"]);
    for (name, wrong) in [("timestamp", "2013-05-20T14:40:26.815000Z"), ("event_type", "finding"), ("proto", "tcp")] {
        let mut object = objects[0].clone();
        object[name] = wrong.into();
        assert!(!validator.is_valid(&object), "{name} {wrong}");
    }
    let mut object = objects[0].clone();
    object["anomaly"]["kind"] = "x".into();
    assert!(!validator.is_valid(&object), "no fields of our own where Suricata has none");
}

/// The fields of ECS 9.3.0 that are written.
const ECS: &str = "@timestamp ecs.version message log.level event.id event.kind event.category event.type event.action \
    event.module event.dataset event.provider event.severity event.reason event.start event.end event.duration rule.id \
    rule.name rule.category rule.description rule.ruleset source.address source.ip source.port source.packets source.bytes \
    destination.address destination.ip destination.port destination.packets destination.bytes client.address client.ip \
    client.port client.packets client.bytes server.address server.ip server.port server.packets server.bytes \
    network.transport network.type network.iana_number network.direction network.community_id network.vlan.id \
    network.inner.vlan.id network.packets network.bytes observer.product observer.type observer.version \
    observer.ingress.interface.name observer.egress.interface.name related.ip";

#[test]
fn ecs_has_the_fields_that_elastic_publishes() {
    let objects = seed().told(Output::Ecs);
    golden("seed_1_ecs.json", &objects);
    let known: BTreeSet<&str> = ECS.split_whitespace().collect();
    for object in &objects {
        let mut names = BTreeSet::new();
        fields(object, "", &mut names);
        for name in names.iter().map(|name| name.trim_start_matches('/').replace('/', ".")) {
            let is_branch = known.iter().any(|field| field.starts_with(&format!("{name}.")));
            let own = name == "sensor" || name.starts_with("sensor.");
            assert!(own || is_branch || known.contains(&*name), "ECS has no {name}");
        }
        let event = &object["event"];
        assert!(["alert", "event"].contains(&event["kind"].as_str().unwrap()));
        let all = |field: &str, allowed: &[&str]| {
            event[field].as_array().unwrap().iter().all(|value| allowed.contains(&value.as_str().unwrap()))
        };
        assert!(all("category", &["network", "intrusion_detection"]), "{event}");
        assert!(all("type", &["info", "connection", "start", "end"]), "{event}");
    }
}

/// Who is who in the first finding, and what the kernel says of it.
fn named(output: Output, src: Option<Who>, dst: Option<Who>) -> Value {
    let scene = seed();
    let mut text = Vec::new();
    let mut reporter = Reporter::new(&mut text, style(output), WallClock::epoch());
    let place = Place { word: Some(Word::Own("TCP_STATE")), ..Place::default() };
    reporter.relay(&scene.events[0].0, place, Ends([src, dst].map(|who| who.map(Box::new)))).unwrap();
    drop(reporter);
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn pods_and_the_kernels_word_are_told_in_either_format() {
    let name = |text: &str| Some(text.to_owned());
    let workload = Some(Workload { kind: "Deployment".into(), name: "web".into() });
    let (namespace, uid, node) = (name("shop"), name("u-1"), name("n1"));
    let pod = Who { namespace, pod: name("web-0"), uid, node, workload, ..Who::default() };
    let eve = named(Output::Eve, Some(pod.clone()), None);
    assert_eq!((&eve["sensor"]["stack"], &eve["sensor"]["stack_reason"]), (&"own".into(), &"TCP_STATE".into()));
    assert_eq!(eve["sensor"]["kubernetes"]["src"]["pod"], "web-0");
    assert!(eve["sensor"]["kubernetes"]["dst"].is_null(), "what is not known is not there: {eve}");

    let ecs = named(Output::Ecs, Some(pod.clone()), None);
    let at = ecs["source"]["ip"].clone();
    let resource =
        json!({ "type": "pod", "name": "web-0", "id": "u-1", "ip": [at], "parent": { "type": "deployment" } });
    assert_eq!(ecs["orchestrator"], json!({ "type": "kubernetes", "namespace": "shop", "resource": resource }));
    let agents = json!({ "namespace": "shop", "pod": { "name": "web-0", "uid": "u-1", "ip": at }, "node": { "name": "n1" },
        "deployment": { "name": "web" } });
    assert_eq!((&ecs["kubernetes"], &ecs["sensor"]["stack"]), (&agents, &"own".into()));

    // An index knows no doubt, so that it gets no name; a node is no pod.
    let doubtful =
        named(Output::Ecs, Some(Who { ambiguous: true, ..pod }), Some(Who { node: name("n1"), ..Who::default() }));
    assert!(doubtful["orchestrator"].is_null() && doubtful["kubernetes"].is_null(), "{doubtful}");
    assert_eq!(doubtful["sensor"]["kubernetes"]["src"]["ambiguous"], true);
}

#[test]
fn a_community_id_is_the_published_one_in_both_directions() {
    // From the specification's examples, for TCP over IPv4.
    let ends = ["128.232.110.120:34855", "66.35.250.204:80"].map(|end| end.parse().unwrap());
    let expected = Some("1:LQU9qZlK+B5F3KDmev6m5PMibrg=".to_owned());
    assert_eq!(super::super::siem::community_id(ends), expected);
    let [from, to] = ends;
    assert_eq!(super::super::siem::community_id([to, from]), expected);
}

#[test]
fn wide_is_a_line_with_more_columns() {
    let text = seed().report(Output::Wide);
    assert_eq!(text.lines().count(), 2, "{text}");
    for words in [
        "ALERT  ttl-rst-mismatch",
        "flags=RST,ACK ttl=255/125 hops=0/3 win=65323 ipid=4321",
        "evidence=ttl-rst-mismatch,",
        "score=",
        "community=1:",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
