//! What the hosts themselves do, and where the sensor sits.

use sensor_common::kind::Kind;

use super::{Cause, Weighed, for_it, ruled_out};
use crate::{
    correlate::{Facts, Pattern, Subject, Topic},
    report::count,
};

pub(super) fn overload(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let (queue, stalled) = (facts.of(Kind::AcceptQueueDrop), facts.of(Kind::ZeroWindowStall));
    let mut reasons = Vec::new();
    if queue > 0 {
        reasons.push(format!("{queue} completed handshakes were not accepted: the queue of listen() is full"));
    }
    if stalled > 0 {
        reasons.push(format!("{stalled} windows stayed closed for more than 5 s: an application does not read"));
    }
    if !reasons.is_empty() {
        return for_it(Cause::Overload, 6, reasons);
    }
    let stale = facts.of(Kind::SynBareAckStale) + facts.of(Kind::SynBareAckStaleConfirmed);
    let last_acks = facts.habit.as_ref().map_or(0, |habit| habit.empty_windows);
    let mut not = Vec::new();
    if stale > 0 {
        not.push("the answers are those of a host that still has state".to_owned());
    }
    if last_acks > 0 {
        not.push(format!(
            "{} with a window of 0 came after the other side's FIN, where a window means nothing",
            count(last_acks, "reset")
        ));
    } else if facts.zero_windows > 0 {
        not.push("the window of a reset, here 0, says nothing about load".to_owned());
    }
    (!not.is_empty()).then(|| ruled_out(Cause::Overload, not.join("; ")))?
}

/// Many connections of one service at once, none of them busy, and by the server itself.
pub(super) fn drain(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    if !matches!(subject, Subject::Service(_, Topic::Pattern(Pattern::LbDrain))) {
        return None;
    }
    let reason = format!(
        "{} idle connections were reset within a second, all at the server's own distance and with the numbers of its sockets",
        facts.most_at_once
    );
    for_it(Cause::Drain, 5, vec![reason])
}

pub(super) fn end_of_stream(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let late = facts.of(Kind::ResponseAfterFin);
    let reason = facts.so_many(
        late,
        "came only when the client had closed its side: no length, no last chunk, or a server that reads on",
    );
    for_it(Cause::EndOfStream, if late > 0 { 4 } else { 0 }, vec![reason])
}

/// What needs both directions is off there; that is no fault of anybody's.
pub(super) fn one_way(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let habit = facts.habit.as_ref()?;
    let unseen = facts.of(Kind::WsAckLostSegment) + facts.of(Kind::SpontaneousRst);
    let mostly = habit.one_way >= 3 && habit.one_way * 2 > habit.connections;
    let reason = format!(
        "of {} of the {} connections that ended only one direction passed here (asymmetric routes, half a mirror port): what needs \
         both is off for them",
        habit.one_way, habit.connections
    );
    for_it(Cause::OneWay, if mostly { 2 + 3 * u64::from(unseen > 0) } else { 0 }, vec![reason])
}

pub(super) fn abort(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    let aborted = facts.classes.get(Kind::RstAbort.id()).copied().unwrap_or_default();
    if !matches!(subject, Subject::Service(_, Topic::CutOff)) || facts.with("ipid-jump") > 0 {
        return None;
    }
    for_it(Cause::Abort, u64::from(aborted > 0), vec![format!("{aborted} resets have the numbers of a live socket")])
}
