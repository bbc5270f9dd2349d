//! Whom an address belonged to, when: against a model that keeps everything, and within bounds.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use proptest::prelude::*;
use sensor::enrich::{
    KEPT, LEAD, Learnt, MAX_PODS, MAX_SERVICES, MAX_TOMBSTONES, Pod, Port, Resolver, Service, Who, Workload,
};

const SECOND: u64 = 1_000_000_000;
/// Whenever this is.
const START: u64 = 1_790_000_000 * SECOND;

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 244, 1, last])
}

fn pod(uid: u8, addresses: &[IpAddr], started: u64) -> Pod {
    Pod {
        uid: format!("u{uid}"),
        namespace: "shop".to_owned(),
        name: format!("pod-{uid}"),
        node: "n1".to_owned(),
        labels: BTreeMap::from([("app".to_owned(), format!("app{}", uid % 2))]),
        addresses: addresses.to_vec(),
        node_addresses: vec![IpAddr::from([192, 0, 2, 1])],
        started: Some(started),
        ..Pod::default()
    }
}

fn service(name: &str, addresses: &[IpAddr], ports: &[(u16, Option<u16>)], app: &str) -> Service {
    let ports = ports.iter().map(|(port, target)| Port { port: *port, target: *target }).collect();
    let selector = BTreeMap::from([("app".to_owned(), app.to_owned())]);
    Service { namespace: "shop".to_owned(), name: name.to_owned(), selector, addresses: addresses.to_vec(), ports }
}

fn who(resolver: &Resolver, address: IpAddr, port: u16, time: u64) -> Option<Who> {
    resolver.resolve(SocketAddr::new(address, port), time)
}

fn name(resolver: &Resolver, address: IpAddr, time: u64) -> Option<String> {
    who(resolver, address, 0, time).and_then(|who| who.pod)
}

#[test]
fn an_address_that_is_used_again_is_two_pods() {
    let mut resolver = Resolver::default();
    resolver.pod(pod(1, &[address(1)], START), Learnt::Listed, START + 60 * SECOND);
    resolver.pod_gone("u1", START + 100 * SECOND);
    resolver.pod(pod(2, &[address(1)], START + 110 * SECOND), Learnt::Watched, START + 112 * SECOND);
    let at =
        |second| who(&resolver, address(1), 0, START + second * SECOND).map(|who| (who.pod.unwrap(), who.ambiguous));
    assert_eq!(at(0), Some(("pod-1".to_owned(), false)), "it was there when the list was made, and since it started");
    assert_eq!(at(99), Some(("pod-1".to_owned(), false)));
    assert_eq!(at(105), None, "nobody's");
    assert_eq!(at(111), Some(("pod-2".to_owned(), false)));
    assert_eq!(resolver.resolve(SocketAddr::new(address(1), 0), START - 1), None, "before there was one");
}

#[test]
fn two_that_may_have_had_it_are_said_to_be_ambiguous() {
    let mut resolver = Resolver::default();
    resolver.pod(pod(1, &[address(1)], START), Learnt::Listed, START + SECOND);
    // The first one's end is seen after the second one has its address.
    resolver.pod(pod(2, &[address(1)], START + 90 * SECOND), Learnt::Watched, START + 100 * SECOND);
    resolver.pod_gone("u1", START + 101 * SECOND);
    let at = |second| who(&resolver, address(1), 0, START + second * SECOND).map(|who| who.to_string());
    assert_eq!(at(94).as_deref(), Some("shop/pod-1"));
    assert_eq!(at(98).as_deref(), Some("shop/pod-2?"), "a moment before it was seen, it may have had it");
    assert_eq!(at(102).as_deref(), Some("shop/pod-2"));
}

#[test]
fn what_uses_its_nodes_network_is_only_its_node() {
    let mut resolver = Resolver::default();
    let node = IpAddr::from([192, 0, 2, 1]);
    resolver.pod(Pod { host_network: true, ..pod(1, &[node], START) }, Learnt::Listed, START);
    let who = who(&resolver, node, 10_250, START).unwrap();
    assert_eq!((who.pod.as_deref(), who.node.as_deref(), who.ambiguous), (None, Some("n1"), true));
    assert_eq!(who.to_string(), "node n1");
    assert_eq!(resolver.known(), [0, 0, 0]);
}

#[test]
fn a_pod_that_came_to_its_end_has_no_address() {
    let mut resolver = Resolver::default();
    resolver.pod(pod(1, &[address(1)], START), Learnt::Watched, START);
    resolver.pod(Pod { over: true, ..pod(1, &[address(1)], START) }, Learnt::Watched, START + 9 * SECOND);
    assert_eq!(name(&resolver, address(1), START + 8 * SECOND).as_deref(), Some("pod-1"));
    assert_eq!(name(&resolver, address(1), START + 10 * SECOND), None);
    // One that was over when it was first heard of.
    resolver.pod(Pod { over: true, ..pod(2, &[address(1)], START) }, Learnt::Listed, START + 11 * SECOND);
    assert_eq!(name(&resolver, address(1), START + 12 * SECOND), None);
}

#[test]
fn services_go_by_address_selector_and_port() {
    let mut resolver = Resolver::default();
    let (virtual_ip, shared) = (IpAddr::from([10, 96, 0, 9]), IpAddr::from([203, 0, 113, 80]));
    resolver.pod(pod(1, &[address(1)], START), Learnt::Listed, START);
    resolver.service(service("web", &[virtual_ip, shared], &[(80, Some(8080))], "app1"));
    resolver.service(service("admin", &[shared], &[(8443, None)], "app1"));
    resolver.service(service("other", &[], &[(80, Some(8080))], "app0"));
    let services =
        |end: IpAddr, port| who(&resolver, end, port, START).map(|who| (who.services.join(" "), who.ambiguous));
    let of = |names: &str| Some((names.to_owned(), false));
    assert_eq!(services(address(1), 8080), of("web"));
    assert_eq!(services(address(1), 51_000), of("admin web"), "its own port says nothing");
    assert_eq!(services(virtual_ip, 80), of("web"));
    assert_eq!(services(virtual_ip, 81), of("web"));
    assert_eq!(services(shared, 8443), of("admin"));
    assert_eq!(services(shared, 9), Some(("admin".to_owned(), true)));
    resolver.service_gone("shop", "web");
    assert_eq!(who(&resolver, virtual_ip, 80, START), None);
    resolver.services(Vec::new());
    assert_eq!(who(&resolver, shared, 8443, START), None);
    assert_eq!(who(&resolver, address(1), 8080, START).unwrap().services, Vec::<String>::new());
}

#[test]
fn names_are_made_harmless_where_they_are_shown() {
    let evil = "\u{1b}[2Ja\n\u{202e}".to_owned();
    let who =
        Who { namespace: Some(evil.clone()), pod: Some(evil.clone()), services: vec![evil.clone()], ..Who::default() };
    for who in [who.clone(), Who { pod: None, ..who.clone() }, Who { node: Some(evil), ..Who::default() }] {
        let text = who.to_string();
        assert!(text.chars().all(|c| (' '..='~').contains(&c)) && text.contains("\\u{1b}"), "{text}");
    }
    // A program reads them as they are.
    assert_eq!(serde_json::from_str::<Who>(&serde_json::to_string(&who).unwrap()).unwrap(), who);
    let workload = Workload { kind: "Deployment".into(), name: "web".into() };
    assert_eq!(serde_json::to_value(workload).unwrap(), serde_json::json!({ "kind": "Deployment", "name": "web" }));
}

#[test]
fn memory_is_bounded() {
    let mut resolver = Resolver::default();
    let many = |i: usize| IpAddr::from([10, (i >> 16) as u8, (i >> 8) as u8, i as u8]);
    let numbered = |i: usize| Pod { uid: format!("n{i}"), ..pod(0, &[many(i)], START) };
    for i in 0..MAX_PODS + 10 {
        resolver.pod(numbered(i), Learnt::Listed, START);
    }
    assert_eq!((resolver.known()[0], resolver.refused()), (MAX_PODS, 10));
    resolver.pods(Vec::new(), START + 1);
    for i in 0..MAX_TOMBSTONES + 10 {
        resolver.pod(numbered(i), Learnt::Watched, START + 2);
        resolver.pod_gone(&format!("n{i}"), START + 3);
    }
    assert_eq!(resolver.known(), [0, MAX_TOMBSTONES, 0]);
    for i in 0..MAX_SERVICES + 5 {
        resolver.service(service(&format!("s{i}"), &[many(i)], &[], "x"));
    }
    assert_eq!((resolver.known()[2], resolver.refused()), (MAX_SERVICES, 15));
    // One pod with very many addresses.
    let addresses: Vec<IpAddr> = (0..1000).map(many).collect();
    resolver.pod(pod(1, &addresses, START), Learnt::Listed, START + 4 + KEPT);
    assert_eq!(resolver.known()[1], 0, "all of those are forgotten");
    assert_eq!(name(&resolver, many(999), START + 4 + KEPT), None);
}

/// What may happen to one of a few pods with one of a few addresses.
#[derive(Clone, Debug)]
enum Step {
    There(u8, Vec<u8>, Learnt),
    Gone(u8),
    /// A list of all that is there.
    Listed(Vec<(u8, u8)>),
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let learnt = prop_oneof![Just(Learnt::Listed), Just(Learnt::Watched)];
    let there =
        (0..6u8, prop::collection::vec(0..3u8, 0..3), learnt).prop_map(|(uid, at, how)| Step::There(uid, at, how));
    let listed = prop::collection::vec((0..6u8, 0..3u8), 0..4).prop_map(Step::Listed);
    let step = prop_oneof![5 => there, 3 => (0..6u8).prop_map(Step::Gone), 1 => listed];
    prop::collection::vec((0..200u64, step), 1..40)
}

/// A claim: uid, address, from, until.
type Claim = (u8, u8, u64, Option<u64>);

/// All that ever was, and what follows from it.
#[derive(Default)]
struct Model(Vec<Claim>);

impl Model {
    fn there(&mut self, uid: u8, addresses: &[u8], from: u64, now: u64) {
        for claim in &mut self.0 {
            if claim.0 == uid && claim.3.is_none() && !addresses.contains(&claim.1) {
                claim.3 = Some(now.max(claim.2));
            }
        }
        for address in addresses {
            if !self.0.iter().any(|claim| claim.0 == uid && claim.1 == *address && claim.3.is_none()) {
                self.0.push((uid, *address, from, None));
            }
        }
    }

    /// Who may have had it, and the one who came last.
    fn held(&self, address: u8, time: u64) -> (Vec<u8>, Option<u64>) {
        let held = self
            .0
            .iter()
            .filter(|(_, at, from, until)| *at == address && *from <= time && until.is_none_or(|until| time <= until));
        let held: Vec<&Claim> = held.collect();
        let last = held.iter().map(|claim| claim.2).max();
        (held.iter().map(|claim| claim.0).collect(), last)
    }
}

proptest! {
    #[test]
    fn it_says_what_a_model_says_that_forgets_nothing(steps in steps()) {
        let (mut resolver, mut model, mut now) = (Resolver::default(), Model::default(), START);
        for (later, step) in steps {
            now += later * SECOND / 10;
            let started = now.saturating_sub(20 * SECOND);
            match step {
                Step::There(uid, at, how) => {
                    let addresses: Vec<IpAddr> = at.iter().copied().map(address).collect();
                    resolver.pod(pod(uid, &addresses, started), how, now);
                    let from = if how == Learnt::Listed { started } else { now - LEAD };
                    // A pod that has lost its addresses tells nothing, until it is gone.
                    if !at.is_empty() {
                        model.there(uid, &at, from, now);
                    }
                }
                Step::Gone(uid) => {
                    resolver.pod_gone(&format!("u{uid}"), now);
                    model.there(uid, &[], now, now);
                }
                Step::Listed(all) => {
                    let pods = all.iter().map(|(uid, at)| pod(*uid, &[address(*at)], started)).collect();
                    resolver.pods(pods, now);
                    for uid in (0..6).filter(|uid| !all.iter().any(|(there, _)| there == uid)) {
                        model.there(uid, &[], now, now);
                    }
                    all.iter().for_each(|(uid, at)| model.there(*uid, &[*at], started, now));
                }
            }
            for at in 0..3 {
                for ago in [0, 1, 4, 6, 15, 25] {
                    let time = now - ago * SECOND;
                    let (held, last) = model.held(at, time);
                    let said = who(&resolver, address(at), 0, time);
                    let said_name = said.as_ref().and_then(|who| who.pod.clone());
                    prop_assert_eq!(said_name.is_some(), !held.is_empty(), "{} s ago at {}: {:?}", ago, at, held);
                    if let (Some(who), Some(last)) = (said.filter(|who| who.pod.is_some()), last) {
                        let latest = model.0.iter().filter(|claim| claim.1 == at && claim.2 == last);
                        let names: Vec<String> = latest.map(|claim| format!("pod-{}", claim.0)).collect();
                        prop_assert!(names.contains(who.pod.as_ref().unwrap()), "{names:?} {who:?}");
                        let others = held.iter().any(|uid| Some(format!("pod-{uid}")) != who.pod);
                        prop_assert_eq!(who.ambiguous, others);
                    }
                }
            }
        }
    }
}
