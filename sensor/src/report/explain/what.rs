//! What happened, so that it is understood at three in the morning.

use sensor_common::{
    detect::{Confidence, Evidence},
    flow::{Segment, TcpFlags},
    kind::Kind,
};

use crate::report::{
    Finding,
    evidence::{hops, ms},
};

/// What happened, and what follows for the two sides.
pub(super) fn happened(finding: &Finding<'_>) -> String {
    let (src, dst) = (finding.src(), finding.dst());
    let name = finding.cast.name(finding.side);
    if let Some(text) = super::cut::off(finding) {
        return text;
    }
    match finding.kind {
        Kind::RstSyn => format!(
            "A reset for {src} > {dst} came in the course of the handshake, where {name} has no reason to send one{}. \
             Somebody raced the handshake, or a device answers in {} name.",
            if finding.event.detail[0] >= 2 { ", and from another distance than its segment before" } else { "" },
            finding.cast.whose(finding.side)
        ),
        Kind::RstBothEnds => format!(
            "{src} and {dst} were both told, at the same instant, that the other had hung up: a device between them tore \
             the connection down."
        ),
        Kind::RstSeqData => format!(
            "A reset for {src} > {dst} was {} {}: {name} {}{}. {}",
            doubt(finding),
            own(finding),
            went_on(finding),
            finding.delay.map_or_else(String::new, |delay| format!(" {} later", ms(delay))),
            told(finding)
        ),
        Kind::DataAfterFin => format!(
            "A FIN for {src} > {dst} was {} {}: {name} sent new data beyond it. {} may take the connection \
             for closed and discard what follows.",
            doubt(finding),
            own(finding),
            capital(&finding.cast.name(finding.side.other()))
        ),
        Kind::TtlSynAckMismatch | Kind::SynAckIsnChange if finding.cast.client() == Some(finding.side) => format!(
            "A SYN-ACK for {src} > {dst} came in the name of {src}, which opened this connection itself and has nothing \
             to answer: somebody in between made it."
        ),
        Kind::TtlSynAckMismatch | Kind::SynAckIsnChange if finding.has(Evidence::SYNACK_ISN) => format!(
            "Two SYN-ACKs with different sequence numbers answered one SYN in the name of {src}: one of them is not \
             {name}'s. The connection may have been opened with a stranger."
        ),
        Kind::TtlSynAckMismatch => format!(
            "The handshake for {src} and what followed come from two devices: a SYN proxy or a load balancer accepts \
             connections in its name."
        ),
        Kind::TtlFinMismatch => format!(
            "A FIN for {src} > {dst} was made {} from {}, between segments that {name} made {} away: somebody in \
             between tried to close the connection.",
            hops(finding.made.hops),
            finding.cast.here(),
            own_hops(finding)
        ),
        Kind::TtlDataMismatch => format!(
            "{} for {src} > {dst} {} made {} from {}, between segments that {name} made {} away: {}.",
            capital(&called(&finding.suspect)),
            if finding.suspect.len > 1 { "were" } else { "was" },
            hops(finding.made.hops),
            finding.cast.here(),
            own_hops(finding),
            if finding.suspect.len > 0 {
                "content was put into the connection"
            } else {
                "two devices speak in its name"
            }
        ),
        Kind::TtlFlap => format!(
            "Segments of {src} alternate between two distances: parallel paths, or two devices that speak in one name."
        ),
        _ => format!("{} {} {}", reset(finding), answered(finding), told(finding)),
    }
}

/// Where the reset was made, and with whose header.
fn reset(finding: &Finding<'_>) -> String {
    let (src, dst, cast) = (finding.src(), finding.dst(), &finding.cast);
    let name = cast.name(finding.side);
    let doubt = doubt(finding);
    let sure = if finding.confidence >= Confidence::Likely { "" } else { " possibly" };
    let mut text = match finding.own {
        Some(own) if finding.elsewhere() && !finding.plausible() => format!(
            "Reset for {src} > {dst} was {doubt} made by {name}: its TTL {} fits no device on the way, {} own segments have {}",
            finding.made.ttl,
            cast.whose(finding.side),
            own.ttl
        ),
        Some(own) if finding.elsewhere() => format!(
            "Reset for {src} > {dst} was{sure} made {} from {}; {name} is {} away",
            hops(finding.made.hops),
            cast.here(),
            hops(own.hops)
        ),
        _ => format!("Reset for {src} > {dst} was {doubt} made by {name}"),
    };
    if finding.has(Evidence::WIN_MIRROR) {
        let other = finding.side.other();
        let whose = if cast.is_local(other) { "our own".to_owned() } else { cast.whose(other) };
        text += &format!("; it copies {whose} window ({}), which {name} never used", finding.suspect.win);
    }
    text + "."
}

/// What it answered, if its numbers say so.
fn answered(finding: &Finding<'_>) -> String {
    let other = finding.side.other();
    let whose = if finding.cast.is_local(other) { "our".to_owned() } else { finding.cast.whose(other) };
    match finding.trigger {
        Some((trigger, true)) => format!("{} answered {whose} {} itself.", capital(&device(finding)), called(&trigger)),
        _ if finding.elsewhere() => format!("{} spoke in {}.", capital(&device(finding)), name_of(finding)),
        _ => format!("If so, {} spoke in {}.", device(finding), name_of(finding)),
    }
}

/// The device, as far as its distance tells.
pub(super) fn device(finding: &Finding<'_>) -> String {
    match (finding.cast.is_local(finding.side.other()), finding.made.hops) {
        (true, 0) if finding.elsewhere() => "the gateway in front of us".to_owned(),
        (false, 0) if finding.elsewhere() => "the gateway next to the capture point".to_owned(),
        _ if finding.cast.is_local(finding.side) => "something on this host".to_owned(),
        _ => "something in between".to_owned(),
    }
}

/// How sure it is that the claimed sender did not send it.
fn doubt(finding: &Finding<'_>) -> &'static str {
    match finding.confidence {
        Confidence::Proven => "not",
        Confidence::Likely => "probably not",
        Confidence::Possible | Confidence::None => "possibly not",
    }
}

/// What the sender did after "its own" reset.
fn went_on(finding: &Finding<'_>) -> &'static str {
    let flags = finding.event.segment.flags;
    if flags.any(TcpFlags::SYN) {
        "accepted the connection"
    } else if flags.any(TcpFlags::FIN) {
        "closed in order"
    } else {
        "sent new data"
    }
}

/// Who heard of it: what the operator has to expect of each side.
fn told(finding: &Finding<'_>) -> String {
    let (name, other) = (finding.cast.name(finding.side), finding.cast.name(finding.side.other()));
    if finding.event.flow.tails[finding.side.other() as usize].reset.n > 0 {
        return format!("A reset went the other way too, so both {name} and {other} were told.");
    }
    if finding.confirms() {
        return format!(
            "If {other} believed it, the connection is half dead, and {name} will hang or be reset in turn."
        );
    }
    format!("As far as can be seen, only {other} was told: {name} may hang.")
}

/// A segment by its purpose.
pub(super) fn called(segment: &Segment) -> String {
    let flags = segment.flags;
    match segment.len {
        _ if flags.any(TcpFlags::FIN) => "FIN".to_owned(),
        _ if flags.any(TcpFlags::RST) => "reset".to_owned(),
        _ if flags.any(TcpFlags::SYN) && flags.any(TcpFlags::ACK) => "SYN-ACK".to_owned(),
        _ if flags.any(TcpFlags::SYN) => "SYN".to_owned(),
        0 => "ACK".to_owned(),
        len => format!("{len} bytes"),
    }
}

fn own(finding: &Finding<'_>) -> String {
    if finding.cast.is_local(finding.side) { "this host's".to_owned() } else { finding.cast.whose(finding.side) }
}

fn own_hops(finding: &Finding<'_>) -> String {
    finding.own.map_or_else(|| "elsewhere,".to_owned(), |own| hops(own.hops))
}

fn name_of(finding: &Finding<'_>) -> String {
    if finding.cast.is_local(finding.side) { "our name".to_owned() } else { format!("{} name", own(finding)) }
}

/// With a capital letter.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
