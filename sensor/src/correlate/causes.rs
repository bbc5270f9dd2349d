//! What may be behind an incident, weighed: what speaks for it, and what rules it out.

use std::time::Duration;

use sensor_common::{
    detect::{ecn, tampering::Stage},
    kind::Kind,
};

use super::{Facts, Subject, Topic};
use crate::report::ms;

/// No device forgets a connection that was active this recently.
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A device on the way makes packets in the peers' names.
    Device,
    /// Somebody who does not see the traffic guesses at its numbers.
    BlindAttack,
    /// A box or host gives up connections that are idle.
    IdleTimeout,
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
    /// An application gives up.
    Abort,
}

impl Cause {
    /// All.
    pub const ALL: [Self; 9] = [
        Self::Device,
        Self::BlindAttack,
        Self::IdleTimeout,
        Self::Filter,
        Self::ReturnPath,
        Self::PortReuse,
        Self::Ecn,
        Self::Overload,
        Self::Abort,
    ];

    /// The public name.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::BlindAttack => "blind-attack",
            Self::IdleTimeout => "idle-timeout",
            Self::Filter => "filter",
            Self::ReturnPath => "return-path",
            Self::PortReuse => "port-reuse",
            Self::Ecn => "ecn",
            Self::Overload => "overload",
            Self::Abort => "abort",
        }
    }

    /// In a few words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "a device on the way speaks in the peers' names",
            Self::BlindAttack => "somebody who does not see the traffic guesses at its numbers",
            Self::IdleTimeout => "an idle timeout",
            Self::Filter => "a filter on the way",
            Self::ReturnPath => "the server's answers to connection requests are lost on their way back",
            Self::PortReuse => "ports are used again too soon",
            Self::Ecn => "ECN",
            Self::Overload => "overload",
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

/// The causes that the facts speak for, the likeliest first, and then those that they rule out.
pub fn weigh(subject: &Subject, facts: &Facts) -> Vec<Weighed> {
    let rules: [fn(&Subject, &Facts) -> Option<Weighed>; 9] =
        [device, blind, idle, filter, return_path, port_reuse, ecn_cause, overload, abort];
    let mut weighed: Vec<_> = rules.iter().filter_map(|rule| rule(subject, facts)).collect();
    weighed.sort_by_key(|w| std::cmp::Reverse(w.points));
    weighed
}

fn for_it(cause: Cause, points: u64, reasons: Vec<String>) -> Option<Weighed> {
    (points > 0).then_some(Weighed { cause, points, reasons })
}

fn ruled_out(cause: Cause, reason: impl Into<String>) -> Option<Weighed> {
    Some(Weighed { cause, points: 0, reasons: vec![reason.into()] })
}

fn device(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    let (went_on, mirrored, quick) =
        (facts.with("rst-seq-data"), facts.with("win-mirror-peer"), facts.with("rst-too-fast"));
    let (hedged, disagree) = (facts.with("rst-seq-change"), facts.with("rst-ack-change"));
    let mut reasons = Vec::new();
    let mut points = 0;
    let mut say = |n: u64, worth: u64, words: &str| {
        if n > 0 {
            points += worth;
            reasons.push(format!("{n} of {} {words}", facts.findings));
        }
    };
    if let Subject::Device(device) = subject {
        let words = match device.hops {
            Some(_) => "were made at another distance than their claimed senders' segments",
            None => "have a TTL that fits no device on the way",
        };
        say(facts.findings, 3, words);
    }
    say(went_on, 4, "were followed by the claimed sender going on");
    say(hedged + disagree, 3, "come in bursts that contradict one another");
    say(mirrored, 2, "copy the window of the packet that they answer");
    say(facts.with("rst-nonconforming"), 1, "have numbers that no stack gives them here");
    say(facts.with("data-seq-rst"), 1, "point into bytes that had been acknowledged");
    say(quick, 2, "came sooner than the path to the claimed sender allows");
    for_it(Cause::Device, points, reasons)
}

fn blind(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let (sprayed, near) = (facts.of(Kind::RstBruteForce), facts.of(Kind::Rfc5961RstInWindow));
    let mut reasons = Vec::new();
    if sprayed > 0 {
        reasons.push(format!("resets with many numbers were tried on {sprayed} of {} occasions", facts.findings));
    }
    if near > 0 {
        reasons.push(format!("{near} resets fell into the window without being exact"));
    }
    for_it(Cause::BlindAttack, 5 * u64::from(sprayed > 0) + u64::from(near > 0), reasons)
}

fn idle(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    let rejected = facts.of(Kind::IdleThenRst);
    if rejected > 0 {
        return for_it(
            Cause::IdleTimeout,
            5,
            vec![format!("{rejected} of {} came after a long silence", facts.findings)],
        );
    }
    if matches!(subject, Subject::Service(_, Topic::Kind(_))) {
        return None;
    }
    let [_, longest] = facts.idle.filter(|[_, longest]| *longest < SHORTEST_TIMEOUT)?;
    ruled_out(Cause::IdleTimeout, format!("all connections had been active within {} before", ms(longest)))
}

fn filter(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let cut: u64 = facts.kinds.iter().filter(|(kind, _)| Stage::of(**kind).is_some()).map(|(_, n)| n).sum();
    let early = facts.kinds.keys().filter_map(|kind| Stage::of(*kind)).min()?;
    let when = match early {
        Stage::Syn => "the handshake: by address or port",
        Stage::Ack => "the first request: by address or port, or the request was dropped",
        Stage::Data => "the first request had arrived: by its content",
        Stage::Later => "several data packets",
    };
    let moment = if matches!(early, Stage::Syn | Stage::Ack) { "before the end of" } else { "after" };
    for_it(Cause::Filter, 3, vec![format!("{cut} connections were cut off {moment} {when}")])
}

fn return_path(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let held = facts.of(Kind::SynBareAckMatch) + facts.of(Kind::SynBareAckThenRst);
    for_it(
        Cause::ReturnPath,
        5 * u64::from(held > 0),
        vec![format!("{held} times a half-open entry answered whose SYN-ACK had not come through")],
    )
}

fn port_reuse(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let (proven, likely) = (facts.of(Kind::SynBareAckStaleConfirmed), facts.of(Kind::SynBareAckStale));
    if proven > 0 {
        let reason = format!("{proven} answers had the final numbers of the connection before");
        return for_it(Cause::PortReuse, 8, vec![reason]);
    }
    for_it(
        Cause::PortReuse,
        4 * u64::from(likely > 0),
        vec![format!("{likely} requests were answered with unrelated numbers")],
    )
}

fn ecn_cause(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let [worked, all] = facts.ecn?;
    let tally = format!("{worked} of {all} other handshakes with ECN to the service worked");
    if facts.of(Kind::EcnSynRst) > 0 {
        return for_it(Cause::Ecn, 6, vec![tally]);
    }
    ecn::nearly_all(worked.into(), all.into()).then(|| ruled_out(Cause::Ecn, tally))?
}

fn overload(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let queue = facts.of(Kind::AcceptQueueDrop);
    if queue > 0 {
        return for_it(Cause::Overload, 6, vec![format!("{queue} completed handshakes were not accepted")]);
    }
    if facts.zero_windows > 0 {
        return ruled_out(Cause::Overload, "the window of a reset, here 0, says nothing about load");
    }
    let stale = facts.of(Kind::SynBareAckStale) + facts.of(Kind::SynBareAckStaleConfirmed);
    (stale > 0).then(|| ruled_out(Cause::Overload, "the answers are those of a host that still has state"))?
}

fn abort(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    let aborted = facts.classes.get(Kind::RstAbort.id()).copied().unwrap_or_default();
    if !matches!(subject, Subject::Service(_, Topic::CutOff)) || facts.with("ipid-jump") > 0 {
        return None;
    }
    for_it(Cause::Abort, u64::from(aborted > 0), vec![format!("{aborted} resets have the numbers of a live socket")])
}
