//! Each piece of evidence in words: short for a line, long for an explanation.

use std::time::Duration;

use sensor_common::detect::{Evidence, RstClass};

use super::{Finding, explain};

/// The most telling pieces, in the order in which a line tells them.
const TELLING: [Evidence; 21] = [
    Evidence::CARRIED_ON,
    Evidence::DATA_AFTER_FIN,
    Evidence::DUP_CONTENT,
    Evidence::TTL,
    Evidence::TTL_INITIAL,
    Evidence::TTL_WEAK,
    Evidence::WIN_MIRROR,
    Evidence::SEQ_CHANGE,
    Evidence::ACK_CHANGE,
    Evidence::TOO_FAST,
    Evidence::STALE_SEQ,
    Evidence::SYNACK_ISN,
    Evidence::NONCONFORMING,
    Evidence::AFTER_FIN,
    Evidence::WIN_UNSCALED,
    Evidence::IPID_JUMP,
    Evidence::IPID_DUP,
    Evidence::TTL_MIRROR,
    Evidence::L2_ORIGIN,
    Evidence::TOS_DF,
    Evidence::TS_MISSING,
];

/// What a line has room for.
const PER_LINE: usize = 3;

/// The decisive evidence of a finding, or what its anatomy says where there is none.
pub(super) fn decisive(finding: &Finding<'_>) -> String {
    let mut words: Vec<String> =
        TELLING.iter().filter(|bit| finding.has(**bit)).map(|bit| short(finding, *bit)).collect();
    // Where its shape is all that a reset is told for, the shape comes first.
    let shape = finding.event.rst_class().is_some_and(|class| class.kind() == finding.kind);
    if let Some(signature) = explain::cut::signature(finding.kind) {
        words.insert(0, signature.to_owned());
    } else if (shape || words.is_empty()) && !words.iter().any(|word| word == anatomy(finding)) {
        words.insert(0, anatomy(finding).to_owned());
    }
    words.truncate(PER_LINE);
    words.join(", ")
}

/// What a reset is by its shape, or what the segment is.
pub(super) fn anatomy(finding: &Finding<'_>) -> &'static str {
    match finding.event.rst_class() {
        Some(RstClass::Refused) => "connection refused: port closed, or a rule answers",
        Some(RstClass::Stateless) => "the sender has no socket for this connection",
        Some(RstClass::Abort) => "a live socket was aborted",
        Some(RstClass::SynSent) => "the client rejects an answer that does not fit its SYN",
        Some(RstClass::AfterChallenge) => "the sender answers a challenge ACK: it has no such connection",
        Some(RstClass::Nonconforming) => "its numbers do not fit the connection",
        Some(RstClass::Unjudged) => "one-sided: nothing to compare it with",
        None if finding.has(Evidence::TTL_SYNACK) => "the SYN-ACK came from another device",
        None => "two distances in turn",
    }
}

/// One piece in a few words.
fn short(finding: &Finding<'_>, bit: Evidence) -> String {
    let Finding { cast, side, suspect, made, own, .. } = finding;
    let (name, whose) = (cast.name(*side), cast.whose(*side));
    match bit {
        Evidence::TTL | Evidence::TTL_WEAK | Evidence::TTL_INITIAL => match own {
            Some(own) if finding.plausible() => {
                format!("TTL {}, {whose} {} ({}, not {})", made.ttl, own.ttl, hops(made.hops), own.hops)
            }
            Some(own) => format!("TTL {}, {whose} {}", made.ttl, own.ttl),
            None => format!("TTL {} ({})", made.ttl, hops(made.hops)),
        },
        Evidence::WIN_MIRROR => format!("window {} is {}", suspect.win, possessor(finding)),
        Evidence::CARRIED_ON => format!("{name} went on {}\"its\" reset", past(finding.delay)),
        Evidence::DATA_AFTER_FIN => format!("{name} went on past \"its\" FIN"),
        Evidence::DUP_CONTENT => "same sequence number, other content".to_owned(),
        Evidence::SEQ_CHANGE => match ahead(finding) {
            Some(bytes) => format!("another reset, {bytes} bytes ahead"),
            None => "another reset, further ahead".to_owned(),
        },
        Evidence::ACK_CHANGE => "resets disagree on what was received".to_owned(),
        Evidence::TOO_FAST => match finding.delay {
            Some(delay) => format!("answered within {}, sooner than the path allows", ms(delay)),
            None => "answered sooner than the path allows".to_owned(),
        },
        Evidence::STALE_SEQ => "points into bytes acknowledged before".to_owned(),
        Evidence::SYNACK_ISN => "second SYN-ACK with another sequence number".to_owned(),
        Evidence::NONCONFORMING if explain::cut::signature(finding.kind).is_some() => {
            "no stack sends such resets".to_owned()
        }
        Evidence::NONCONFORMING => "its numbers do not fit the connection".to_owned(),
        Evidence::AFTER_FIN if suspect.win == 0 => {
            "after a FIN: an ordinary abortive close; its window of 0 is meaningless, not overload".to_owned()
        }
        Evidence::AFTER_FIN => "after a FIN: an ordinary abortive close".to_owned(),
        Evidence::WIN_UNSCALED => format!("window {} unscaled", suspect.win),
        Evidence::IPID_JUMP => format!("IP-ID {} off {whose} counter", suspect.ipid),
        Evidence::IPID_DUP => format!("IP-ID {} copied", suspect.ipid),
        Evidence::TTL_MIRROR => "TTL mirrored from our packet".to_owned(),
        Evidence::L2_ORIGIN => "another source MAC".to_owned(),
        Evidence::TOS_DF => "other IP header bits".to_owned(),
        Evidence::TS_MISSING => "timestamps missing".to_owned(),
        _ => String::new(),
    }
}

/// One piece in a sentence.
pub(super) fn long(finding: &Finding<'_>, bit: Evidence) -> String {
    let Finding { cast, side, suspect, made, own, .. } = finding;
    let (name, whose) = (cast.name(*side), cast.whose(*side));
    let own_hops =
        own.map_or_else(String::new, |own| format!("; {whose} own segments (TTL {}) come {}", own.ttl, hops(own.hops)));
    match bit {
        Evidence::TTL_RST | Evidence::TTL_FIN | Evidence::TTL_DATA | Evidence::TTL_SYNACK => {
            let far = if finding.plausible() {
                format!("{} from {}", hops(made.hops), cast.here())
            } else {
                "made up".to_owned()
            };
            format!("TTL {} is {far}{own_hops}", made.ttl)
        }
        Evidence::TTL_INITIAL => {
            format!("TTL {} is as far as {whose} own segments, but began at {}", made.ttl, made.initial())
        }
        Evidence::TTL_WEAK => format!("TTL {} is {}{own_hops}: a reroute does that too", made.ttl, hops(made.hops)),
        Evidence::TTL_ADJACENT => format!("made next to {}, where {name} is further away", cast.here()),
        Evidence::TTL_MIRROR => "its TTL is what our own packet had left on its way there and back".to_owned(),
        Evidence::WIN_MIRROR => {
            format!("its window {} is {} last one; {name} never used it", suspect.win, possessor_of(finding))
        }
        Evidence::WIN_UNSCALED => format!("its window {} ignores the agreed scale", suspect.win),
        Evidence::IPID_JUMP => format!("its IP-ID {} leaves {whose} counter", suspect.ipid),
        Evidence::IPID_DUP => format!("its IP-ID {} is a copy of another packet's", suspect.ipid),
        Evidence::TOO_FAST => match (finding.delay, finding.min_rtt) {
            (Some(delay), Some(rtt)) => {
                format!("came {} after what it answers; {name} needs at least {}", ms(delay), ms(rtt))
            }
            _ => format!("came sooner than {name} can answer"),
        },
        Evidence::NONCONFORMING if explain::cut::signature(finding.kind).is_some() => {
            "no TCP stack ends a connection with resets like these".to_owned()
        }
        Evidence::NONCONFORMING => "no TCP stack gives a reset these numbers in this situation".to_owned(),
        Evidence::SEQ_CHANGE => match ahead(finding) {
            Some(bytes) => {
                format!("another reset, {bytes} bytes ahead of all that {name} has sent: hedging against a race")
            }
            None => format!("another reset ahead of all that {name} has sent: hedging against a race"),
        },
        Evidence::ACK_CHANGE => format!("its resets disagree on what {name} has received"),
        Evidence::CARRIED_ON => format!("{name} went on {}\"its\" reset", past(finding.delay)),
        Evidence::STALE_SEQ => format!("points {} bytes into what was acknowledged before", behind(finding)),
        Evidence::TOS_DF => format!("DSCP, DF or flow label are not {whose}"),
        Evidence::TS_MISSING => {
            "timestamps were agreed and are missing; Linux leaves them out of resets too".to_owned()
        }
        Evidence::L2_ORIGIN => format!("its source MAC address is not that of {whose} other segments"),
        Evidence::SYNACK_ISN => "a second SYN-ACK to the same SYN, with another initial sequence number".to_owned(),
        Evidence::DUP_CONTENT => "the same sequence number came again with another length".to_owned(),
        Evidence::DATA_AFTER_FIN => format!("{name} sent new data beyond this FIN"),
        Evidence::LINUX_STATELESS => "the shape of Linux's answer where it has no socket".to_owned(),
        Evidence::AFTER_FIN => format!("exact numbers and {whose} distance, after a FIN: an ordinary abortive close"),
        Evidence::SAME_DISTANCE => "same distance, other initial TTL: another code path of the same host".to_owned(),
        _ => String::new(),
    }
}

/// Hops with their noun.
pub(crate) fn hops(n: u8) -> String {
    if n == 1 { "1 hop".to_owned() } else { format!("{n} hops") }
}

/// A duration for people.
pub(crate) fn ms(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 120.0 {
        format!("{:.0} min", seconds / 60.0)
    } else if seconds >= 1.0 {
        format!("{seconds:.1} s")
    } else if seconds >= 0.01 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds >= 0.001 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

fn past(delay: Option<Duration>) -> String {
    delay.map_or_else(|| "past ".to_owned(), |delay| format!("{} after ", ms(delay)))
}

/// The other side's, as an object without its noun: `ours`, `the server's`.
fn possessor(finding: &Finding<'_>) -> String {
    let other = finding.side.other();
    if finding.cast.is_local(other) { "ours".to_owned() } else { finding.cast.whose(other) }
}

fn possessor_of(finding: &Finding<'_>) -> String {
    let other = finding.side.other();
    if finding.cast.is_local(other) { "our own".to_owned() } else { finding.cast.whose(other) }
}

/// Bytes by which a reset lies ahead of what its side has sent.
fn ahead(finding: &Finding<'_>) -> Option<i32> {
    Some(finding.suspect.seq.since(finding.event.expected_seq)).filter(|bytes| *bytes > 0)
}

/// Bytes by which a reset lies behind what was acknowledged.
fn behind(finding: &Finding<'_>) -> i32 {
    finding.event.flow.ends[finding.side.other() as usize].ack.since(finding.suspect.seq)
}
