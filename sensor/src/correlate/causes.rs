//! What may be behind an incident, weighed: what speaks for it, and what rules it out.

mod hosts;
mod makers;
mod requests;
mod silence;

pub(super) use silence::SILENCES;

use super::{Facts, Subject};

/// A cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A device on the way makes packets in the peers' names.
    Device,
    /// Somebody who does not see the traffic guesses at its numbers.
    BlindAttack,
    /// A rule or program of this host makes packets in its name, beside its TCP stack.
    LocalRule,
    /// A box or host gives up connections that are idle.
    IdleTimeout,
    /// A box on the way loses its entry for a connection that is not idle.
    StateLoss,
    /// Requests, or names, are filtered.
    Filter,
    /// The answers to connection requests do not come through.
    ReturnPath,
    /// Ports are used again while the other side still remembers them.
    PortReuse,
    /// Requests for ECN are rejected.
    Ecn,
    /// The server does not keep up.
    Overload,
    /// A server restarts, or a load balancer fails over or drains.
    Drain,
    /// A server waits for the end of a request that is not marked.
    EndOfStream,
    /// Only one direction passes the sensor.
    OneWay,
    /// An application gives up.
    Abort,
}

impl Cause {
    /// All.
    pub const ALL: [Self; 14] = [
        Self::Device,
        Self::BlindAttack,
        Self::LocalRule,
        Self::IdleTimeout,
        Self::StateLoss,
        Self::Filter,
        Self::ReturnPath,
        Self::PortReuse,
        Self::Ecn,
        Self::Overload,
        Self::Drain,
        Self::EndOfStream,
        Self::OneWay,
        Self::Abort,
    ];

    /// The public name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::BlindAttack => "blind-attack",
            Self::LocalRule => "local-rule",
            Self::IdleTimeout => "idle-timeout",
            Self::StateLoss => "state-loss",
            Self::Filter => "filter",
            Self::ReturnPath => "return-path",
            Self::PortReuse => "port-reuse",
            Self::Ecn => "ecn",
            Self::Overload => "overload",
            Self::Drain => "drain",
            Self::EndOfStream => "end-of-stream",
            Self::OneWay => "one-way",
            Self::Abort => "abort",
        }
    }

    /// In a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "a device on the way speaks in the peers' names",
            Self::BlindAttack => "somebody who does not see the traffic guesses at its numbers",
            Self::LocalRule => "something on this host beside its TCP stack",
            Self::IdleTimeout => "an idle timeout",
            Self::StateLoss => "a firewall or translator that lost its entry for a live connection",
            Self::Filter => "a filter on the way",
            Self::ReturnPath => "the server's answers to connection requests are lost on their way back",
            Self::PortReuse => "ports are used again too soon",
            Self::Ecn => "ECN",
            Self::Overload => "overload",
            Self::Drain => "the server, or a load balancer, lets go of its connections at once",
            Self::EndOfStream => "a server that cannot tell where the request ends",
            Self::OneWay => "the sensor sees one direction only",
            Self::Abort => "an application that gives up",
        }
    }
}

/// A cause with what there is to say about it.
#[derive(Clone, Debug)]
pub struct Weighed {
    /// Which.
    pub cause: Cause,
    /// How much speaks for it; 0 where it is ruled out.
    pub points: u64,
    /// Why, or why not.
    pub reasons: Vec<String>,
}

type Rule = fn(&Subject, &Facts) -> Option<Weighed>;

/// One for each cause, the dearest to be wrong about first: of equals that one is told first.
const RULES: [Rule; 14] = [
    makers::device,
    makers::blind,
    makers::local_rule,
    silence::idle,
    silence::state_loss,
    requests::filter,
    requests::return_path,
    requests::port_reuse,
    requests::ecn,
    hosts::overload,
    hosts::drain,
    hosts::end_of_stream,
    hosts::one_way,
    hosts::abort,
];

/// The causes that the facts speak for, the likeliest first, and then those that they rule out.
pub fn weigh(subject: &Subject, facts: &Facts) -> Vec<Weighed> {
    let mut weighed: Vec<_> = RULES.iter().filter_map(|rule| rule(subject, facts)).collect();
    weighed.sort_by_key(|w| std::cmp::Reverse(w.points));
    weighed
}

fn for_it(cause: Cause, points: u64, reasons: Vec<String>) -> Option<Weighed> {
    (points > 0).then_some(Weighed { cause, points, reasons })
}

fn ruled_out(cause: Cause, reason: impl Into<String>) -> Option<Weighed> {
    Some(Weighed { cause, points: 0, reasons: vec![reason.into()] })
}
