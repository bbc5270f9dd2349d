//! Filters in the manner of Hubble: what is asked for of addresses, ports, kinds and so on.
//!
//! Values of one option are alternatives, options must all hold. `--not` turns round the option that follows it: what such a one
//! describes is left out.

mod options;
mod pods;
mod point;
mod test;

use std::net::SocketAddr;

use sensor_common::{detect::Severity, flow::TcpFlags};

use crate::{
    correlate::View,
    enrich::Who,
    report::{Finding, flow::Told},
};

pub use options::{Ends, Filter};
pub use pods::Pods;
use test::Test;

/// What is known of something that may be asked for. What is not known of it fits no option.
#[derive(Clone, Debug, Default)]
pub struct Traits<'a> {
    /// Connections, sender or client first. Port 0 is unknown.
    pub ends: Vec<[SocketAddr; 2]>,
    /// What was found: ids of kinds and of aggregates.
    pub kinds: Vec<&'a str>,
    /// How much to care.
    pub severity: Option<Severity>,
    /// Where it was seen.
    pub interface: Option<&'a str>,
    /// Of the segment that it is about.
    pub flags: Option<TcpFlags>,
    /// Whom the ends of connections belonged to, as far as a cluster told.
    pub who: Vec<[Option<&'a Who>; 2]>,
}

impl<'a> Traits<'a> {
    /// Those of a finding.
    pub fn of(finding: &'a Finding<'_>) -> Self {
        Self {
            ends: vec![[finding.src(), finding.dst()]],
            kinds: vec![finding.kind.id()],
            severity: Some(finding.severity),
            interface: finding.place.interface,
            flags: Some(finding.event.segment.flags),
            who: vec![finding.who.both()],
        }
    }

    /// Those of a connection's record: it is of no kind, and not severe.
    pub fn of_record(told: &'a Told<'_>) -> Self {
        Self { ends: vec![told.ends()], interface: told.interface(), who: vec![told.who().both()], ..Self::default() }
    }

    /// Those of an incident: of its examples, and of the services that it hits.
    pub fn of_incident(incident: &'a View) -> Self {
        let services = incident.services.iter().map(|share| [share.server; 2]);
        let about = incident.about.source().map(|address| {
            let source = SocketAddr::new(address, 0);
            [source, incident.about.server().unwrap_or(source)]
        });
        Self {
            ends: incident
                .examples
                .iter()
                .map(|example| [example.src, example.dst])
                .chain(services)
                .chain(about)
                .collect(),
            kinds: incident.kinds.iter().map(|count| count.kind.as_str()).collect(),
            severity: Some(incident.severity),
            interface: incident.about.interface(),
            flags: None,
            who: incident.kubernetes.iter().map(|who| [Some(who), None]).collect(),
        }
    }
}

/// A value of an option.
#[derive(Clone, Debug)]
struct Term {
    option: &'static str,
    not: bool,
    test: Test,
}

impl Filter {
    /// Whether it asks for anything.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether it asks for names that a cluster gives.
    pub fn asks_a_cluster(&self) -> bool {
        self.terms.iter().any(|term| matches!(term.test, Test::Pods(_)))
    }

    /// The mildest severity that is asked for by name, or as a kind's: whoever asks is to be told. None where neither is.
    pub fn least(&self) -> Option<Severity> {
        self.terms.iter().filter(|term| !term.not).filter_map(|term| term.test.least()).min()
    }

    /// Whether all that it asks for holds. Of several connections and kinds one that fits is enough, and only what all of them
    /// are can be left out.
    pub fn fits(&self, traits: &Traits<'_>) -> bool {
        let left_out = self.terms.iter().any(|term| term.not && term.test.holds_for_all(traits));
        let asked = |option| self.terms.iter().filter(move |term| !term.not && term.option == option);
        !left_out && self.terms.iter().all(|term| term.not || asked(term.option).any(|one| one.test.holds(traits)))
    }
}

impl Ends {
    /// Whether a connection between these, the client first, is asked for.
    pub fn fits(&self, ends: [SocketAddr; 2]) -> bool {
        self.0.fits(&Traits { ends: vec![ends], ..Traits::default() })
    }
}

#[cfg(test)]
mod tests;
