//! Aggregates in virtual time: what must be told, and what only looks like it and must not.

use std::net::SocketAddr;

use sensor::correlate::aggregate::{About, Aggregate, Change, Incident, Limits};
use sensor_common::{detect::Severity, flow::TcpFlags};
use tests::{
    crowd::{End, LINUX, Look, SECOND, World, client, local},
    scenario::{ACK, FIN_ACK, RST, RST_ACK, SYN_ACK},
};

mod floods;
mod ports;
mod queues;
mod scans;
mod strays;

/// The kinds that were told, each with its worst severity, from notice up.
fn kinds(told: &[Incident]) -> Vec<(Aggregate, Severity)> {
    let mut kinds: Vec<(Aggregate, Severity)> = Vec::new();
    for incident in told.iter().filter(|incident| incident.sign.severity > Severity::Info) {
        match kinds.iter_mut().find(|(kind, _)| *kind == incident.sign.kind) {
            Some((_, worst)) => *worst = incident.sign.severity.max(*worst),
            None => kinds.push((incident.sign.kind, incident.sign.severity)),
        }
    }
    kinds
}

/// The last that was told of a kind.
fn last(told: &[Incident], kind: Aggregate) -> &Incident {
    told.iter().rev().find(|incident| incident.sign.kind == kind).unwrap_or_else(|| panic!("{kind:?} in {told:#?}"))
}

fn said(incident: &Incident, words: &str) -> bool {
    incident.sign.headline.contains(words) || incident.sign.reasons.iter().any(|reason| reason.contains(words))
}

fn silent(world: World, what: &str) {
    let told = world.finish();
    assert!(kinds(&told).is_empty(), "{what}: {told:#?}");
}

/// Ordinary traffic for a while.
fn ordinary(world: &mut World, seconds: u64) {
    world.every(seconds, 20, |w, i| w.connect(client(1_000_000 + i), local(443), End::Client));
}
