//! Connections that one side, or something in between, has forgotten.

use sensor_common::kind::Kind;

use super::{Story, after, gap};
use crate::report::{Finding, explain::capital, timeouts};

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let kind = finding.kind;
    let (side, cast) = (finding.side, &finding.cast);
    let (name, other) = (cast.name(side), cast.name(side.other()));
    let (silence, second) = (gap(finding), after(finding.event.detail[1]));
    let reset = finding.event.is_reset();
    Some(match kind {
        Kind::IdleThenSilence => {
            let known = timeouts::established(finding);
            let here = if cast.is_local(side.other()) {
                "What was sent did arrive here, so look at this host: its firewall, its connection tracking, its load balancer."
            } else {
                "Either something on the way has dropped its state of the connection without a word, or the host or the way \
                 to it is down: this connection alone cannot tell which."
            };
            Story::of(kind, format!("idle for {silence}, then three repetitions and no answer from {other} in {second}"))
                .what(format!(
                    "The connection was idle for {silence}. What {name} sent then, and three repetitions within {second}, {other} \
                     never answered. {here}{known}"
                ))
                .not("Loss of a packet or two: three repetitions, ever later, were lost with it.")
                .not("A close: nobody sent a FIN or a reset.")
                .next([
                    format!(
                        "Do other connections between {} and {} live at this moment? If so, the state was dropped; if none \
                         does, look after the host and the way to it.",
                        finding.src().ip(),
                        finding.dst().ip()
                    ),
                    format!("Compare {silence} with the idle timeouts on the way."),
                    "Use TCP keep-alives at shorter intervals, or raise the timeout.".to_owned(),
                ])
        }
        Kind::HalfCloseTimeout => {
            let known = timeouts::half_closed(finding);
            // A reset is of the side that had closed; silence is told of what it does not answer.
            let (closed, kept) = if reset { (name, other) } else { (other, name) };
            let fate = if reset { "was rejected" } else { "was not answered" };
            Story::of(kind, format!("{closed} had closed; {silence} later what {kept} sent {fate}"))
                .what(format!(
                    "{} had closed its side. After {silence} of silence {kept} sent more, which {fate}: the half-closed \
                     connection had been given up, by {closed} itself or on the way. Or {closed} had closed altogether, and \
                     {kept} did not look at its FIN.{known}",
                    capital(&closed)
                ))
                .next([
                    format!("Why did {kept} keep the connection after the FIN? On that host: ss -tn state close-wait."),
                    format!("Compare {silence} with the timers for half-closed connections on the way."),
                ])
        }
        Kind::KeepAliveDead => {
            let interval = after(finding.event.detail[0]);
            Story::of(kind, format!("three keep-alives, {interval} apart, without an answer from {other} for {second}"))
                .what(format!(
                    "{} sent three keep-alives, {interval} apart, and {other} answered none of them; it was heard last {second} \
                     ago.{} Either {other} is gone, or something on the way has forgotten the connection and drops what comes.",
                    capital(&name),
                    if reset { format!(" {} has given up.", capital(&name)) } else { String::new() }
                ))
                .next([
                    format!("Does {} answer on other connections?", finding.dst().ip()),
                    "If it does, send keep-alives more often than devices on the way forget.".to_owned(),
                ])
        }
        Kind::IdleOneSideRst => {
            let known = timeouts::established(finding);
            Story::of(kind, format!("idle for {silence}, then {other} was told that it is over, and {name} was not"))
                .what(format!(
                    "After {silence} of silence {other} was sent a reset in {} name, which {name} knew nothing of: it carried on \
                     {second} later. A device in between has forgotten the connection and answers for {name}.{known}",
                    cast.whose(side)
                ))
                .next([
                    format!("Compare {silence} with the idle timeouts on the way."),
                    format!("Expect {name} to hang until its own timers run out: turn keep-alives on at both ends."),
                ])
        }
        _ => return None,
    })
}
