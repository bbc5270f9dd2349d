//! What the value of an option asks for, and how it is read.

use std::net::{IpAddr, SocketAddr};

use glob::Pattern;
use ipnet::IpNet;
use sensor_common::{detect::Severity, flow::TcpFlags, kind::Kind};

use super::{Pods, Traits, point};
use crate::{
    catalogue::{FAMILIES, GROUPS, family, find},
    config::nearest,
    enrich::Who,
    report::json::FLAGS,
};

/// The family of what is counted over many connections.
const AGGREGATES: &str = "aggregates";

/// Which end of a connection is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Either,
    From,
    To,
}

impl Which {
    fn of(self, ends: &[SocketAddr; 2]) -> &[SocketAddr] {
        match self {
            Self::Either => ends,
            Self::From => &ends[..1],
            Self::To => &ends[1..],
        }
    }
}

/// Whether one of the ends is such a pod's.
fn either(pods: &Pods, ends: &[Option<&Who>; 2]) -> bool {
    ends.iter().flatten().any(|who| pods.fits(who))
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Ip(Which, IpNet),
    Port(Which, u16),
    /// Ids of kinds and of aggregates.
    Kinds(Vec<&'static str>),
    Severity(Severity),
    Interface(Pattern),
    Flags(TcpFlags),
    Pods(Pods),
}

impl Test {
    /// Whether any of its connections, or kinds, is asked for.
    pub(super) fn holds(&self, traits: &Traits<'_>) -> bool {
        match self {
            Self::Ip(..) | Self::Port(..) => traits.ends.iter().any(|ends| self.meets(ends)),
            Self::Kinds(kinds) => traits.kinds.iter().any(|kind| kinds.contains(kind)),
            Self::Severity(least) => traits.severity.is_some_and(|severity| severity >= *least),
            Self::Interface(pattern) => traits.interface.is_some_and(|name| pattern.matches(name)),
            Self::Flags(flags) => traits.flags.is_some_and(|seen| seen.all(*flags)),
            Self::Pods(pods) => traits.who.iter().any(|ends| either(pods, ends)),
        }
    }

    /// Whether all of them are.
    pub(super) fn holds_for_all(&self, traits: &Traits<'_>) -> bool {
        match self {
            Self::Ip(..) | Self::Port(..) => !traits.ends.is_empty() && traits.ends.iter().all(|ends| self.meets(ends)),
            Self::Kinds(kinds) => !traits.kinds.is_empty() && traits.kinds.iter().all(|kind| kinds.contains(kind)),
            Self::Pods(pods) => !traits.who.is_empty() && traits.who.iter().all(|ends| either(pods, ends)),
            _ => self.holds(traits),
        }
    }

    fn meets(&self, ends: &[SocketAddr; 2]) -> bool {
        match self {
            Self::Ip(which, net) => which.of(ends).iter().any(|end| net.contains(&end.ip())),
            Self::Port(which, port) => which.of(ends).iter().any(|end| end.port() == *port),
            _ => false,
        }
    }

    /// How mild may be what it asks for; none where it does not ask for findings.
    pub(super) fn least(&self) -> Option<Severity> {
        match self {
            Self::Severity(least) => Some(*least),
            Self::Kinds(kinds) => kinds.iter().filter_map(|id| find(id)).map(|entry| entry.severity[0]).min(),
            _ => None,
        }
    }

    pub(super) fn ip(which: Which, text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let ip: IpAddr = address.parse().map_err(|_| {
            let at = wrong_part(address);
            point::at(text, at.0, at.1, "it is no IP address: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")
        })?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let Some(length) = length else { return Ok(Self::Ip(which, ip.into())) };
        let net = length.parse().ok().and_then(|length: u8| IpNet::new(ip, length).ok());
        let why = || point::at(text, address.len() + 1, length.len(), &format!("a prefix length is 0 to {most}"));
        Ok(Self::Ip(which, net.ok_or_else(why)?.trunc()))
    }

    pub(super) fn port(which: Which, text: &str) -> Result<Self, String> {
        let why = |_| point::whole(text, "a port is a number from 1 to 65535; repeat the option for another");
        text.parse().map(|port: std::num::NonZeroU16| Self::Port(which, port.get())).map_err(why)
    }

    /// An id, a pattern of ids, or the name of a family.
    pub(super) fn kind(text: &str) -> Result<Self, String> {
        let pattern = Pattern::new(text).map_err(|error| point::at(text, error.pos.min(text.len()), 1, error.msg))?;
        let kinds = Kind::ALL.iter().map(|kind| (kind.id(), family(*kind)));
        let aggregates = GROUPS.iter().flat_map(|group| group.aggregates).map(|one| (one.id(), AGGREGATES));
        let known: Vec<_> = kinds.chain(aggregates).collect();
        let asked = known.iter().filter(|(id, family)| pattern.matches(id) || *family == text);
        let kinds: Vec<&str> = asked.map(|(id, _)| *id).collect();
        let names = || {
            let first = FAMILIES.iter().filter_map(|group| group.kinds.first());
            first.map(|kind| family(*kind)).chain([AGGREGATES])
        };
        if kinds.is_empty() {
            let ids = known.iter().map(|(id, _)| *id).chain(names());
            let families: Vec<_> = names().collect();
            let why = format!(
                "no kind is called so, the nearest is {}; `sensor explain` lists them, and the families are {}",
                nearest(text, ids),
                families.join(", ")
            );
            return Err(point::whole(text, &why));
        }
        Ok(Self::Kinds(kinds))
    }

    pub(super) fn severity(text: &str) -> Result<Self, String> {
        let known = Severity::ALL.into_iter().find(|severity| severity.name() == text);
        let why = || point::whole(text, "a severity is one of info, notice, warn, alert");
        known.map(Self::Severity).ok_or_else(why)
    }

    pub(super) fn interface(text: &str) -> Result<Self, String> {
        Pattern::new(text)
            .map(Self::Interface)
            .map_err(|error| point::at(text, error.pos.min(text.len()), 1, error.msg))
    }

    pub(super) fn pod(text: &str) -> Result<Self, String> {
        text.parse().map(Self::Pods)
    }

    pub(super) fn namespace(text: &str) -> Result<Self, String> {
        Pods::namespace(text).map(Self::Pods)
    }

    /// All of these are set.
    pub(super) fn flags(text: &str) -> Result<Self, String> {
        let mut all = TcpFlags(0);
        let mut at = 0;
        for word in text.split(',') {
            let known = FLAGS.iter().find(|(_, name)| name.eq_ignore_ascii_case(word));
            let names = FLAGS.map(|(_, name)| name).join(", ");
            let why = || point::at(text, at, word.len(), &format!("a flag is one of {names}; put commas between them"));
            all = all.with(known.ok_or_else(why)?.0);
            at += word.len() + 1;
        }
        Ok(Self::Flags(all))
    }
}

/// Begin and length of what keeps a text from being an address: of four numbers the first that is none, else all.
fn wrong_part(address: &str) -> (usize, usize) {
    let parts: Vec<&str> = address.split('.').collect();
    let mut at = 0;
    for part in &parts {
        if parts.len() == 4 && part.parse::<u8>().is_err() {
            return (at, part.len());
        }
        at += part.len() + 1;
    }
    (0, address.len())
}
