//! An aggregate's incident as it is told.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{About, Aggregate, Change, Incident};
use crate::{
    catalogue,
    correlate::view::{self, Count, Reasoned, Share, State, Type, View},
    report::SCHEMA,
};

/// Points of what it is; all else that goes with it has fewer.
const POINTS: u64 = 5;
/// Of the other side, so many are named.
const NAMED: usize = 4;

impl Incident {
    /// What there is to tell. Connections there are none: what is counted of an aggregate (requests, segments, targets, ports) is
    /// its findings.
    pub fn view(&self) -> View {
        let Self { change, first, last, amount, sign } = self;
        let kind = sign.kind;
        let mut reasons = sign.reasons.clone();
        // Who was asked is named where there are several, and sources where they are not made up.
        let known = match sign.about {
            About::Source(_) => sign.peers.len() > 1,
            About::Client(..) => false,
            About::Here | About::Service(_) => !sign.with.contains(&Aggregate::SpoofedSources),
        };
        if known && !sign.peers.is_empty() {
            let some: Vec<_> = sign.peers.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if sign.peers.len() > NAMED { " and others" } else { "" };
            let whom = if kind.is_scan() { "asked" } else { "sources" };
            reasons.push(format!("{whom}: {}{more}", some.join(", ")));
        }
        let with = sign.with.iter().map(|with| reasoned(*with, POINTS / 2, Vec::new()));
        let ruled_out = sign.ruled_out.iter().map(|not| Reasoned {
            cause: not.what.id().into(),
            name: not.what.name().into(),
            points: 0,
            reasons: vec![not.reason.clone()],
        });
        let services = match sign.about {
            About::Service(server) | About::Client(_, server) => vec![server],
            About::Here | About::Source(_) => Vec::new(),
        };
        View {
            schema: SCHEMA,
            r#type: Type::Incident,
            id: self.id(),
            state: match change {
                Change::Opened => State::Open,
                Change::Grown => State::Grown,
                Change::Closed => State::Closed,
            },
            severity: sign.severity,
            first: *first,
            last: *last,
            what: sign.headline.clone(),
            about: about(kind, sign.about),
            connections: 0,
            at_least: false,
            findings: *amount,
            kinds: vec![Count { kind: kind.id().into(), findings: *amount }],
            causes: std::iter::once(reasoned(kind, POINTS, reasons)).chain(with).collect(),
            ruled_out: ruled_out.collect(),
            also: Vec::new(),
            per_minute: Vec::new(),
            heading: None,
            services: services.into_iter().map(|server| Share { server, established: 0, flagged: 0 }).collect(),
            more_services: 0,
            peers: sign.peers.len() as u64,
            examples: Vec::new(),
            next: catalogue::aggregate(kind).next.iter().map(|step| catalogue::plain(step)).collect(),
            kubernetes: Vec::new(),
        }
    }

    fn id(&self) -> String {
        let mut hasher = DefaultHasher::new();
        (self.sign.kind, self.sign.about, self.first).hash(&mut hasher);
        format!("{:010x}", hasher.finish() >> 24)
    }
}

fn reasoned(kind: Aggregate, points: u64, reasons: Vec<String>) -> Reasoned {
    let name = catalogue::aggregate(kind).brief.into();
    Reasoned { cause: kind.id().into(), name, points, reasons }
}

fn about(kind: Aggregate, about: About) -> view::About {
    let topic = kind.id().to_owned();
    match about {
        About::Here => view::About::Here { topic },
        About::Service(server) => view::About::Service { server, topic },
        About::Source(address) => view::About::Source { address, topic },
        About::Client(address, server) => view::About::Client { address, server, topic },
    }
}
