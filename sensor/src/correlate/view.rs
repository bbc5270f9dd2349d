//! An incident as it is told: to a person, to a program, to the database, to whoever follows. All text is made from this.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::{IpAddr, SocketAddr},
};

use sensor_common::detect::Severity;
use serde::{Deserialize, Serialize};

use super::{Facts, Heading, Pattern, Subject, Topic, causes::weigh, headline};
use crate::{
    catalogue::{pattern_entry, plain},
    enrich::Who,
    report::{SCHEMA, count, reset_reason},
};

/// Services that are named.
const SERVICES: usize = 4;

/// What marks a line as an incident's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// The only one.
    #[default]
    Incident,
}

/// Why an incident is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It has just begun.
    Open,
    /// It has reached 2 connections, 10, 100, and so on.
    Grown,
    /// It is over, or the report is.
    Closed,
}

impl State {
    /// All.
    pub const ALL: [Self; 3] = [Self::Open, Self::Grown, Self::Closed];

    /// The public name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Grown => "grown",
            Self::Closed => "closed",
        }
    }
}

/// What an incident is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum About {
    /// Somebody who speaks in others' names.
    Device {
        /// Where its packets are seen.
        interface: Option<String>,
        /// On the way out.
        outgoing: bool,
        /// Routers between it and the sensor; none if its TTLs fit no device on the way.
        hops: Option<u8>,
        /// What its TTLs begin with; none if they are made up.
        initial_ttl: Option<u8>,
    },
    /// The same thing at one service.
    Service {
        /// Address and port.
        server: SocketAddr,
        /// `forged`, `cut-off`, a pattern, or the kind of the findings, or of the aggregate.
        topic: String,
    },
    /// What a source does.
    Source {
        /// Its address.
        address: IpAddr,
        /// The aggregate.
        topic: String,
    },
    /// What happens between a client and a service.
    Client {
        /// The client's address.
        address: IpAddr,
        /// Address and port.
        server: SocketAddr,
        /// The aggregate.
        topic: String,
    },
    /// The host that the sensor watches, or all that passes it.
    Here {
        /// The aggregate.
        topic: String,
    },
}

impl About {
    /// Where it is seen, if that is one interface.
    pub fn interface(&self) -> Option<&str> {
        match self {
            Self::Device { interface, .. } => interface.as_deref(),
            _ => None,
        }
    }

    /// The service, if it is about one.
    pub const fn server(&self) -> Option<SocketAddr> {
        match self {
            Self::Service { server, .. } | Self::Client { server, .. } => Some(*server),
            _ => None,
        }
    }

    /// Who does it, if that is known by address.
    pub const fn source(&self) -> Option<IpAddr> {
        match self {
            Self::Source { address, .. } | Self::Client { address, .. } => Some(*address),
            _ => None,
        }
    }
}

/// What may be behind it, or is ruled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoned {
    /// Its id.
    pub cause: String,
    /// In a few words.
    pub name: String,
    /// How much speaks for it; 0 where it is ruled out.
    pub points: u64,
    /// Why, or why not.
    pub reasons: Vec<String>,
}

/// A service that is hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Address and port.
    pub server: SocketAddr,
    /// Its connections so far.
    pub established: u64,
    /// Those with a finding of severity warn or above.
    pub flagged: u64,
}

/// Findings of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Its id.
    pub kind: String,
    /// How many.
    pub findings: u64,
}

/// A connection that was hit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// In whose name the suspect came.
    pub src: SocketAddr,
    /// Whom it was addressed to.
    pub dst: SocketAddr,
    /// How a report names the finding: by frame, else by time.
    pub reference: String,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Version of the object.
    pub schema: u32,
    /// What it is.
    pub r#type: Type,
    /// The same as long as it lasts: ten hexadecimal digits.
    pub id: String,
    /// Why it is told.
    pub state: State,
    /// That of the worst finding.
    #[serde(with = "severity")]
    pub severity: Severity,
    /// Of the first finding; nanoseconds since the epoch.
    #[serde(with = "time")]
    pub first: u64,
    /// The same of the latest.
    #[serde(with = "time")]
    pub last: u64,
    /// What is going on, in a line.
    pub what: String,
    /// Whom or what it is about.
    pub about: About,
    /// Connections that are hit; 0 for an aggregate.
    pub connections: u64,
    /// Whether there may be more of these.
    pub at_least: bool,
    /// All findings; for an aggregate what is counted of it: requests, segments, targets, ports.
    pub findings: u64,
    /// The same by kind.
    pub kinds: Vec<Count>,
    /// What may be behind it, the likeliest first.
    pub causes: Vec<Reasoned>,
    /// What is not.
    pub ruled_out: Vec<Reasoned>,
    /// What the service's connections do anyway, and what the kernel says, in sentences.
    #[serde(default)]
    pub also: Vec<String>,
    /// Findings by the minute, the last 30 minutes up to the latest one.
    #[serde(default)]
    pub per_minute: Vec<u32>,
    /// Where that is heading; none while it is too young to say.
    #[serde(default)]
    pub heading: Option<Heading>,
    /// Services that are hit, the first ones.
    pub services: Vec<Share>,
    /// Further services.
    pub more_services: u64,
    /// Peers of these services, up to 16.
    pub peers: u64,
    /// Connections that are hit, the first ones.
    pub examples: Vec<Example>,
    /// What to check.
    pub next: Vec<String>,
    /// Pods, services and nodes at either end, the first ones, as a cluster told.
    #[serde(default)]
    pub kubernetes: Vec<Who>,
}

impl View {
    /// What there is to tell now.
    pub fn of(subject: &Subject, facts: &Facts, state: State) -> Self {
        let reasoned = weigh(subject, facts).into_iter().map(|weighed| Reasoned {
            cause: weighed.cause.id().into(),
            name: weighed.cause.name().into(),
            points: weighed.points,
            reasons: weighed.reasons,
        });
        let (causes, ruled_out) = reasoned.partition(|reasoned| reasoned.points > 0);
        let shares = facts.services.iter().map(|(server, counts)| Share {
            server: *server,
            established: counts.established,
            flagged: counts.flagged,
        });
        Self {
            schema: SCHEMA,
            r#type: Type::Incident,
            id: id(subject, facts.first),
            state,
            severity: facts.worst,
            first: facts.first,
            last: facts.last,
            what: headline(subject, facts),
            about: about(subject, facts),
            connections: facts.flows(),
            at_least: facts.more(),
            findings: facts.findings,
            kinds: facts.kinds.iter().map(|(kind, n)| Count { kind: kind.id().into(), findings: *n }).collect(),
            causes,
            ruled_out,
            also: also(facts),
            per_minute: facts.trend.per_minute(),
            heading: facts.trend.heading(),
            services: shares.take(SERVICES).collect(),
            more_services: facts.services.len().saturating_sub(SERVICES) as u64,
            peers: facts.peers.len() as u64,
            examples: facts.examples.clone(),
            next: next(subject, facts),
            kubernetes: facts.owners.iter().cloned().collect(),
        }
    }

    /// Pods, services and nodes in words; none where nothing is known.
    pub(super) fn owners(&self) -> Option<String> {
        let mut words: Vec<String> = self.kubernetes.iter().map(Who::to_string).collect();
        words.dedup();
        (!words.is_empty()).then(|| format!("{}.", words.join(", ")))
    }

    /// Whether it is worth telling of though it is one connection's: that should not be missed, or no finding says it.
    pub(crate) fn concludes(&self) -> bool {
        let unsaid =
            matches!(&self.about, About::Service { topic, .. } if Pattern::ALL.iter().any(|p| p.id() == topic));
        self.state == State::Closed && (self.severity >= Severity::Warn || unsaid)
    }

    /// Whether it is of many connections together, and not of what was found of each.
    pub const fn is_aggregate(&self) -> bool {
        self.connections == 0
    }

    /// Whom it hits, in words.
    pub(super) fn whom(&self) -> String {
        let alone = self.services.len() == 1 && !self.at_least;
        let shares = self.services.iter().map(|Share { server, established, flagged }| match established {
            0 => server.to_string(),
            // Of a single service they are all its own.
            all if alone => format!("{server} ({} of {all} connections)", self.connections.min(*all)),
            all => format!("{server} ({} of {all} connections)", flagged.max(&1).min(all)),
        });
        let shares: Vec<_> = shares.collect();
        let more = if self.more_services > 0 { format!(" and {} more", self.more_services) } else { String::new() };
        format!("{}{more}; {}.", shares.join(", "), count(self.peers, "peer"))
    }
}

fn next(subject: &Subject, facts: &Facts) -> Vec<String> {
    match subject {
        // Of one finding of many there would be other things to check.
        Subject::Service(_, Topic::Pattern(pattern)) => {
            pattern_entry(*pattern).next.iter().map(|step| plain(step)).collect()
        }
        _ => facts.next.clone(),
    }
}

fn also(facts: &Facts) -> Vec<String> {
    let said = facts.reasons.iter().map(|(reason, n)| {
        format!("The kernel says that its own TCP stack sent {n} of {}: {}.", facts.findings, reset_reason(reason))
    });
    said.chain(facts.habit.iter().flat_map(|habit| habit.sentences())).collect()
}

/// Whoever is told of an incident twice knows it by this.
pub(super) fn id(subject: &Subject, first: u64) -> String {
    let mut hasher = DefaultHasher::new();
    (subject, first).hash(&mut hasher);
    format!("{:010x}", hasher.finish() >> 24)
}

fn about(subject: &Subject, facts: &Facts) -> About {
    match *subject {
        Subject::Device(device) => About::Device {
            interface: facts.interface.clone(),
            outgoing: device.hook.outgoing,
            hops: device.hops,
            initial_ttl: device.hops.map(|_| device.initial_ttl),
        },
        Subject::Service(server, topic) => About::Service { server, topic: topic.id().into() },
    }
}

mod severity {
    use sensor_common::detect::Severity;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(severity: &Severity, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(severity.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
        let name = String::deserialize(from)?;
        let known = Severity::ALL.into_iter().find(|severity| severity.name() == name);
        known.ok_or_else(|| D::Error::custom(format_args!("no severity: {name:?}")))
    }
}

mod time {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::report::rfc3339;

    pub(super) fn serialize<S: Serializer>(nanos: &u64, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&rfc3339(*nanos))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let time: jiff::Timestamp = String::deserialize(from)?.parse().map_err(D::Error::custom)?;
        u64::try_from(time.as_nanosecond()).map_err(D::Error::custom)
    }
}
