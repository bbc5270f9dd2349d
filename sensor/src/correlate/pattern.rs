//! What single segments do not show, and many connections of a service together do.

use sensor_common::{
    detect::{RstClass, Severity},
    flow::{HeadBits, TcpFlags},
    kind::Kind,
};

use super::{Facts, LEAST, Subject, Topic, facts::AT_ONCE};
use crate::report::{Finding, Word};

/// Connections that must be reset at once to be let go of on purpose.
pub(super) const DRAINED: u64 = 10;
/// Connections that must show a habit before it is one.
const HABITUAL: u64 = 3;
/// Silent for so long, a connection is idle: 1 second in nanoseconds.
const IDLE: u128 = 1_000_000_000;

/// A pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// A service's connections are closed after the same silence.
    FixedIdleClose,
    /// Many idle connections of a service are reset at once, by itself.
    LbDrain,
    /// Resets leave in this host's name that its TCP stack did not send.
    ForeignRst,
}

impl Pattern {
    /// All.
    pub const ALL: [Self; 3] = [Self::FixedIdleClose, Self::LbDrain, Self::ForeignRst];

    /// The public id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::FixedIdleClose => "fixed-idle-close",
            Self::LbDrain => "lb-drain",
            Self::ForeignRst => "rst-not-own",
        }
    }

    /// The pattern that a finding may be a part of, however mild it is by itself.
    pub(super) fn of(finding: &Finding<'_>) -> Option<Self> {
        let event = finding.event;
        let established = event.flow.head.bits.any(HeadBits::ESTABLISHED);
        if !event.is_reset() || !established || finding.seen(TcpFlags::FIN) {
            return None;
        }
        if finding.place.word == Some(Word::Foreign) && finding.severity < LEAST {
            return Some(Self::ForeignRst);
        }
        let by_server = finding.side == event.flow.head.server();
        let socket = matches!(event.rst_class(), Some(RstClass::Abort | RstClass::Stateless));
        let own = finding.own.is_some_and(|own| own.ttl == finding.made.ttl);
        let idle = finding.idle.is_some_and(|idle| idle.as_nanos() >= IDLE);
        let plain = finding.severity < LEAST && matches!(finding.kind, Kind::RstAbort | Kind::RstStateless);
        (by_server && socket && own && idle && plain).then_some(Self::LbDrain)
    }
}

/// Whether mild findings of this may be an incident by their number.
pub(super) const fn adds_up(subject: Subject, kind: Kind) -> bool {
    matches!(subject, Subject::Service(_, Topic::Pattern(_))) || matches!(kind, Kind::ResponseAfterFin)
}

/// How severe it is for its number alone.
pub(super) fn severity(subject: Subject, facts: &Facts) -> Severity {
    let told = match subject {
        Subject::Service(_, Topic::Pattern(Pattern::LbDrain)) => facts.most_at_once >= DRAINED,
        Subject::Service(_, Topic::Pattern(Pattern::ForeignRst)) => true,
        Subject::Service(_, Topic::Kind(Kind::ResponseAfterFin)) => facts.flows() >= HABITUAL,
        _ => false,
    };
    if told { Severity::Notice } else { Severity::Info }
}

/// Whether what there is belongs to an earlier burst, which was none.
pub(super) fn starts_anew(subject: Subject, facts: &Facts, time: u64) -> bool {
    let burst = matches!(subject, Subject::Service(_, Topic::Pattern(Pattern::LbDrain)));
    burst && facts.worst < LEAST && time.abs_diff(facts.first) > AT_ONCE
}

/// Whether it has come to anything.
pub(super) fn is_told(subject: Subject, facts: &Facts) -> bool {
    facts.worst >= LEAST || matches!(subject, Subject::Service(_, Topic::Pattern(Pattern::FixedIdleClose)))
}
