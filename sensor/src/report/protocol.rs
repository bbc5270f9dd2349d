//! Findings of the protocol's rules in words: what a host's own state, and not a stranger, explains.

use std::time::Duration;

use sensor_common::{
    detect::ecn,
    flow::{Segment, TcpFlags},
    kind::Kind,
    time::stamp_nanos,
};

use super::{Finding, evidence::ms};

/// Whether a finding is one of these: it weighs no evidence of somebody else.
pub(super) fn is(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::SynBareAckMatch
            | Kind::SynBareAckThenRst
            | Kind::SynBareAckStale
            | Kind::SynBareAckStaleConfirmed
            | Kind::SynRetryProfile
            | Kind::EcnNotTheCause
            | Kind::EcnSynRst
            | Kind::EcnReflect
            | Kind::EcnBadSynAck
            | Kind::SynAckBadAck
            | Kind::SplitHandshake
            | Kind::SynAckWrongDir
            | Kind::IsnJump
            | Kind::DataBeforeEst
            | Kind::WscaleRange
            | Kind::WindowSlam
            | Kind::TwReuseOk
            | Kind::SynAfterClose
            | Kind::Rfc5961SynOnEst
            | Kind::Rfc5961RstInWindow
            | Kind::Rfc5961RstOutOfWindow
            | Kind::RstBruteForce
            | Kind::AckBeyondFin
    )
}

/// The line: what was seen, in numbers.
pub(super) fn line(finding: &Finding<'_>) -> Option<String> {
    let [first, second] = finding.event.detail;
    Some(match finding.kind {
        Kind::SynBareAckMatch => format!(
            "{} SYN answered by a plain ACK {} later: right number, no SYN",
            if second > 1 { "retried" } else { "first" },
            after(first)
        ),
        Kind::SynBareAckThenRst => {
            format!("half-open entry given up {} after its plain ACK{}", after(first), ecn_too(finding))
        }
        Kind::SynBareAckStale => format!("SYN answered by a plain ACK with unrelated numbers{}", again(second)),
        Kind::SynBareAckStaleConfirmed => {
            format!("port reused{}: answered with the old connection's numbers{}", since_close(first), again(second))
        }
        Kind::SynRetryProfile => format!("SYN repeated after {}, for the {} time", after(first), ordinal(second)),
        Kind::EcnNotTheCause => format!("{} worked: ECN is not the cause", ecn_handshakes(second)),
        Kind::EcnSynRst => {
            format!("SYN with ECN reset, without it answered {} later; {} worked", after(first), ecn_handshakes(second))
        }
        Kind::EcnReflect => "SYN-ACK repeats both ECN bits of the SYN: copied, or an AccECN answer".to_owned(),
        Kind::EcnBadSynAck => "SYN-ACK grants ECN, which the SYN did not ask for".to_owned(),
        Kind::SynAckBadAck => "SYN-ACK acknowledges what the SYN did not send".to_owned(),
        Kind::SplitHandshake => "a SYN answers a SYN: both ask at once, or a split handshake".to_owned(),
        Kind::SynAckWrongDir => "SYN-ACK from the side that asked".to_owned(),
        Kind::IsnJump => "second SYN with another number while the first is pending".to_owned(),
        Kind::DataBeforeEst => format!("{} bytes before the connection is established", finding.event.segment.len),
        Kind::WscaleRange => "window scale above 14".to_owned(),
        Kind::WindowSlam => format!("handshake completed with a window of {}", finding.event.segment.win),
        Kind::TwReuseOk => format!("port reused{} and accepted", since_close(first)),
        Kind::SynAfterClose => format!("port reused{}", since_close(first)),
        Kind::Rfc5961SynOnEst => "SYN on a live connection: a client that lost its state, or a blind one".to_owned(),
        Kind::Rfc5961RstInWindow => format!(
            "reset {first} bytes into the window: not exact, so it should be challenged; {second} resets before"
        ),
        Kind::Rfc5961RstOutOfWindow => format!("reset {} bytes off the window: ignored", first as i32),
        Kind::RstBruteForce => format!("{} resets, and the numbers keep changing: somebody guesses", second + 1),
        Kind::AckBeyondFin => "acknowledges bytes behind the end of the stream".to_owned(),
        _ => return None,
    })
}

/// What happened, in sentences.
pub(super) fn happened(finding: &Finding<'_>) -> Option<String> {
    let server = finding.src();
    let (port, address) = (server.port(), server.ip());
    let [first, second] = finding.event.detail;
    let held = "It already held a half-open entry from the first SYN; its SYN-ACK did not reach";
    Some(match finding.kind {
        Kind::SynBareAckMatch => format!(
            "{port} on {address} answered a {} SYN with a plain ACK (right number, no SYN) {} later. {held} {}.",
            if second > 1 { "retried" } else { "first" },
            after(first),
            whom(finding)
        ),
        Kind::SynBareAckThenRst => format!(
            "{port} on {address} answered a {}SYN with a plain ACK (right number, no SYN){} and reset {} after. {held} {}.{}",
            if requests(finding) > 1 { "retried " } else { "" },
            bare_ack_after(finding).map_or_else(String::new, |time| format!(" {} later", ms(time))),
            after(first),
            whom(finding),
            ecn_verdict(finding)
        ),
        Kind::SynBareAckStale | Kind::SynBareAckStaleConfirmed => format!(
            "Port {} was reused{}: {port} on {address} still {} the old connection, and answered the SYN with {}. The \
             client's reset is correct and clears the old state{}",
            finding.dst().port(),
            since_close(first),
            if finding.kind == Kind::SynBareAckStaleConfirmed { "remembers" } else { "seems to remember" },
            if finding.kind == Kind::SynBareAckStaleConfirmed { "its final numbers" } else { "unrelated numbers" },
            if second > 0 {
                ". It has not: resets do not arrive, or are rejected."
            } else {
                "; the next SYN should work."
            }
        ),
        Kind::Rfc5961RstInWindow => format!(
            "Resets for {server} > {} keep falling into the window without being exact: a blind attempt, or a sender whose \
             data is lost. Modern receivers answer with a challenge ACK and go on.",
            finding.dst()
        ),
        Kind::RstBruteForce => format!(
            "Somebody sprays resets at {} in the name of {server}: {} so far, each with another number, none in the \
             window. The receiver ignores them until one fits.",
            finding.dst(),
            second + 1
        ),
        Kind::AckBeyondFin => format!(
            "{server} acknowledges bytes that {} never sent: they would lie behind its FIN. Somebody else made this \
             segment, or a box keeps wrong numbers.",
            finding.dst()
        ),
        _ => return None,
    })
}

/// What it is not.
pub(super) fn ruled_out(finding: &Finding<'_>) -> Vec<String> {
    let mut not = Vec::new();
    match finding.kind {
        Kind::SynBareAckMatch | Kind::SynBareAckThenRst => {
            not.push("A closed port: a refusal has no plain ACK before it.".to_owned());
            not.push("A connection of before: the number acknowledged is this SYN's.".to_owned());
            if cleared(finding) {
                not.push(format!("ECN: {} worked.", ecn_handshakes(finding.event.detail[1])));
            }
        }
        Kind::SynBareAckStale | Kind::SynBareAckStaleConfirmed => {
            not.push("Overload: the answer is that of a host which still has state.".to_owned());
        }
        _ => {}
    }
    not
}

/// What to check next.
pub(super) fn steps(finding: &Finding<'_>) -> Vec<String> {
    let steps: &[&str] = match finding.kind {
        Kind::SynBareAckMatch | Kind::SynBareAckThenRst => &[
            "Capture on the far side of the load balancer or firewall: was the first SYN-ACK sent?",
            "Look for an asymmetric route: does the way back pass a firewall that never saw the SYN?",
            "Ask for the firmware's state of the device that answers for the server.",
        ],
        Kind::SynBareAckStale | Kind::SynBareAckStaleConfirmed => &[
            "Turn over ports more slowly: reuse connections (keep-alive, pools), or add ports, addresses, server ports.",
            "Compare how long the hosts, and NATs or firewalls between them, keep closed connections.",
            "Leave TIME_WAIT as long as it is: shortening it is the worst of the remedies.",
        ],
        Kind::Rfc5961RstInWindow | Kind::RstBruteForce => &[
            "Does the receiver challenge inexact resets (RFC 5961)? Any kernel since 2012 does.",
            "Filter spoofed sources at the edge (BCP 38), or protect long connections by TCP-AO, MD5 or GTSM.",
        ],
        Kind::AckBeyondFin => {
            &["Capture on both sides: which of them, or which box between, made this acknowledgment?"]
        }
        _ => &[],
    };
    steps.iter().map(|&step| step.to_owned()).collect()
}

/// Milliseconds for people.
fn after(millis: u32) -> String {
    ms(Duration::from_millis(u64::from(millis)))
}

fn since_close(millis: u32) -> String {
    if millis == 0 { String::new() } else { format!(" {} after its previous connection", after(millis)) }
}

fn again(rejected: u32) -> String {
    if rejected > 0 { format!(", in spite of {rejected} reset(s) by the client") } else { String::new() }
}

fn ordinal(n: u32) -> String {
    match n {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n => format!("{n}th"),
    }
}

/// "5 of 6 other ECN handshakes to this service".
fn ecn_handshakes(tally: u32) -> String {
    format!("{} of {} other ECN handshakes to this service", tally >> 16, tally & 0xffff)
}

fn ecn_too(finding: &Finding<'_>) -> String {
    if cleared(finding) {
        format!(
            ", ECN not the cause ({} of {} worked)",
            finding.event.detail[1] >> 16,
            finding.event.detail[1] & 0xffff
        )
    } else {
        String::new()
    }
}

fn ecn_verdict(finding: &Finding<'_>) -> String {
    let tally = finding.event.detail[1];
    match (finding.kind, tally & 0xffff) {
        (Kind::SynBareAckThenRst, 1..) if cleared(finding) => {
            format!(" ECN is not the cause: {} worked.", ecn_handshakes(tally))
        }
        (Kind::SynBareAckThenRst, 1..) => format!(" The SYN asked for ECN; {} worked.", ecn_handshakes(tally)),
        _ => String::new(),
    }
}

/// Whether the service's other handshakes clear ECN.
fn cleared(finding: &Finding<'_>) -> bool {
    let (worked, all) = (finding.event.detail[1] >> 16, finding.event.detail[1] & 0xffff);
    finding.kind == Kind::SynBareAckThenRst && ecn::nearly_all(worked.into(), all.into())
}

/// The one whom the SYN-ACK did not reach.
fn whom(finding: &Finding<'_>) -> String {
    finding.cast.whom(finding.side.other())
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

/// The verdict in place of a sum of weights.
pub(super) fn verdict(finding: &Finding<'_>) -> String {
    let strange = matches!(finding.kind, Kind::RstBruteForce | Kind::Rfc5961RstInWindow | Kind::AckBeyondFin);
    let how =
        if strange { "the peer's own stack has no reason to send this" } else { "the hosts' own state explains it" };
    format!("{}: {how}", finding.severity.name())
}
