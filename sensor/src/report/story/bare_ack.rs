//! SYNs that a plain ACK answers, and SYNs that nothing answers.

use std::time::Duration;

use sensor_common::{
    flow::{Segment, TcpFlags},
    kind::Kind,
    time::stamp_nanos,
};

use super::{Story, after, ecn, since_close};
use crate::report::{Finding, evidence::ms};

const NOT_CLOSED: &str = "A closed port: a refusal has no plain ACK before it.";
const NOT_OLD: &str = "A connection of before: the number acknowledged is this SYN's.";

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let [first, second] = finding.event.detail;
    let kind = finding.kind;
    Some(match kind {
        Kind::SynBareAckMatch => {
            let which = if second > 1 { "retried" } else { "first" };
            let line = format!("{which} SYN answered by a plain ACK {} later: right number, no SYN", after(first));
            let what = format!(
                "{} answered a {which} SYN with a plain ACK (right number, no SYN) {} later. {}",
                server(finding),
                after(first),
                held(finding)
            );
            Story::of(kind, line).what(what).not(NOT_CLOSED).not(NOT_OLD)
        }
        Kind::SynBareAckThenRst => {
            let line = format!("half-open entry given up {} after its plain ACK{}", after(first), ecn::briefly(second));
            let what = format!(
                "{} answered a {}SYN with a plain ACK (right number, no SYN){} and reset {} after. {}{}",
                server(finding),
                if requests(finding) > 1 { "retried " } else { "" },
                bare_ack_after(finding).map_or_else(String::new, |time| format!(" {} later", ms(time))),
                after(first),
                held(finding),
                ecn::verdict(second)
            );
            let story = Story::of(kind, line).what(what).not(NOT_CLOSED).not(NOT_OLD);
            if ecn::cleared(second) { story.not(format!("ECN: {} worked.", ecn::handshakes(second))) } else { story }
        }
        Kind::SynBareAckStale | Kind::SynBareAckStaleConfirmed => stale(finding),
        Kind::SynRetryProfile => {
            Story::of(kind, format!("SYN repeated after {}, for the {} time", after(first), ordinal(second)))
        }
        _ => return None,
    })
}

/// A port used again while the server still remembers it.
fn stale(finding: &Finding<'_>) -> Story {
    let [closed, rejected] = finding.event.detail;
    let confirmed = finding.kind == Kind::SynBareAckStaleConfirmed;
    let again = if rejected > 0 { format!(", in spite of {rejected} reset(s) by the client") } else { String::new() };
    let line = if confirmed {
        format!("port reused{}: answered with the old connection's numbers{again}", since_close(closed))
    } else {
        format!("SYN answered by a plain ACK with unrelated numbers{again}")
    };
    let what = format!(
        "Port {} was reused{}: {} still {} the old connection, and answered the SYN with {}. The client's reset is correct \
         and clears the old state{}",
        finding.dst().port(),
        since_close(closed),
        server(finding),
        if confirmed { "remembers" } else { "seems to remember" },
        if confirmed { "its final numbers" } else { "unrelated numbers" },
        if rejected > 0 {
            ". It has not: resets do not arrive, or are rejected."
        } else {
            "; the next SYN should work."
        }
    );
    Story::of(finding.kind, line).what(what).not("Overload: the answer is that of a host which still has state.")
}

fn server(finding: &Finding<'_>) -> String {
    format!("{} on {}", finding.src().port(), finding.src().ip())
}

/// What the server already had, and whom its answer did not reach.
fn held(finding: &Finding<'_>) -> String {
    let whom = finding.cast.whom(finding.side.other());
    format!("It already held a half-open entry from the first SYN; its SYN-ACK did not reach {whom}.")
}

fn ordinal(n: u32) -> String {
    match n {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n => format!("{n}th"),
    }
}

/// Connection requests in the recorder.
fn requests(finding: &Finding<'_>) -> usize {
    finding.rows.iter().filter(|row| row.segment.flags.is_syn()).count()
}

/// From the last SYN to the plain ACK.
fn bare_ack_after(finding: &Finding<'_>) -> Option<Duration> {
    let last = |wanted: &dyn Fn(&Segment) -> bool| finding.rows.iter().map(|row| row.segment).rfind(|s| wanted(s));
    let syn = last(&|segment| segment.flags.is_syn())?;
    let ack = last(&|segment| segment.flags.all(TcpFlags::ACK) && !segment.flags.any(TcpFlags::RST))?;
    ack.time.after(syn.time).then(|| Duration::from_nanos(stamp_nanos(ack.time.since(syn.time))))
}
