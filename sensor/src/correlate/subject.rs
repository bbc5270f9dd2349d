//! What findings have in common.

use std::net::SocketAddr;

use sensor_common::{detect::tampering::Stage, event::Hook, kind::Kind};

use super::Pattern;
use crate::{
    catalogue::{entry, family, pattern_entry},
    report::Finding,
};

/// A device as its packets show it: where they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Where its packets were seen.
    pub hook: Place,
    /// Routers between it and the sensor; none if its TTLs fit no device on the way.
    pub hops: Option<u8>,
    /// What its TTLs begin with; 0 if they are made up.
    pub initial_ttl: u8,
}

/// An interface, and the direction through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Interface index; 0 in a capture without one.
    pub ifindex: u32,
    /// On the way out.
    pub outgoing: bool,
}

/// What happens to a service's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Packets that did not come from their claimed senders.
    Forged,
    /// Connections are cut off near their beginning.
    CutOff,
    /// Findings of this kind, and of those that go with it.
    Kind(Kind),
    /// What many connections together show.
    Pattern(Pattern),
}

/// What an incident is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Somebody who speaks in others' names.
    Device(Device),
    /// The same thing at one service: address and port of the server.
    Service(SocketAddr, Topic),
}

impl Subject {
    pub(crate) fn of(finding: &Finding<'_>) -> Self {
        if let Some(pattern) = Pattern::of(finding) {
            return Self::Service(finding.server(), Topic::Pattern(pattern));
        }
        if !finding.elsewhere() {
            return Self::Service(finding.service(), Topic::of(finding.kind));
        }
        let hook =
            Place { ifindex: finding.event.flow.head.key.link.ifindex, outgoing: finding.event.hook() == Hook::Egress };
        Self::Device(if finding.plausible() {
            Device { hook, hops: Some(finding.made.hops), initial_ttl: finding.made.initial() }
        } else {
            Device { hook, hops: None, initial_ttl: 0 }
        })
    }
}

impl Topic {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::RstNonconforming => Self::Forged,
            Kind::SynBareAckThenRst => Self::Kind(Kind::SynBareAckMatch),
            Kind::SynBareAckStaleConfirmed => Self::Kind(Kind::SynBareAckStale),
            kind if Stage::of(kind).is_some() => Self::CutOff,
            kind if matches!(family(kind), "distance" | "forged") => Self::Forged,
            kind => Self::Kind(kind),
        }
    }

    /// The public id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::CutOff => "cut-off",
            Self::Kind(kind) => kind.id(),
            Self::Pattern(pattern) => pattern.id(),
        }
    }

    /// In a few words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forged => "packets that did not come from their claimed senders",
            Self::CutOff => "connections are cut off near their beginning",
            Self::Kind(kind) => entry(kind).brief,
            Self::Pattern(pattern) => pattern_entry(pattern).brief,
        }
    }
}
