//! Connections that do not come about.

use sensor_common::{
    detect::{ecn, tampering::Stage},
    kind::Kind,
};

use super::{Cause, Weighed, for_it, ruled_out};
use crate::correlate::{Constant, Facts, Subject};

pub(super) fn filter(_: &Subject, facts: &Facts) -> Option<Weighed> {
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

pub(super) fn return_path(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let (held, given_up) = (facts.of(Kind::SynBareAckMatch), facts.of(Kind::SynBareAckThenRst));
    let mut reasons = vec![format!(
        "{held} retried requests were answered by a half-open entry of an earlier one, whose SYN-ACK had not come through"
    )];
    if given_up > 0 {
        reasons.push(format!(
            "{given_up} of these entries were then given up by a reset, as a timer of whoever holds them does"
        ));
    }
    for_it(Cause::ReturnPath, 5 * u64::from(held + given_up > 0), reasons)
}

pub(super) fn port_reuse(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let (proven, likely) = (facts.of(Kind::SynBareAckStaleConfirmed), facts.of(Kind::SynBareAckStale));
    if proven > 0 {
        let mut reasons = vec![format!("{proven} answers had the final numbers of the connection before")];
        if facts.client_first == Constant::One(true) {
            reasons.push(
                "the client had closed first: the server is not in TIME_WAIT but still waits for the last ACK, and answers as RFC \
                 5961 has it; the client's reset clears that"
                    .into(),
            );
        }
        return for_it(Cause::PortReuse, 8, reasons);
    }
    if facts.of(Kind::SynBareAckMatch) > 0 && likely == 0 {
        return ruled_out(
            Cause::PortReuse,
            "the plain ACKs acknowledge these very requests, not an earlier connection's",
        );
    }
    for_it(
        Cause::PortReuse,
        4 * u64::from(likely > 0),
        vec![format!("{likely} requests were answered with unrelated numbers")],
    )
}

/// With and without: what works without ECN, and hardly ever with it, fails for ECN.
pub(super) fn ecn(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let [worked, all] = facts.ecn?;
    let tally = format!("{worked} of {all} other handshakes with ECN to the service worked");
    let (reset, dropped) = (facts.of(Kind::EcnSynRst), facts.of(Kind::EcnSynDrop));
    if reset + dropped > 0 {
        let failed = format!(
            "{} requests with ECN were {}, and answered without it",
            reset + dropped,
            if dropped == 0 { "reset" } else { "not let through" }
        );
        let without =
            facts.services.values().map(|counts| counts.established).sum::<u64>().saturating_sub(worked.into());
        return for_it(Cause::Ecn, 6, vec![failed, tally, format!("{without} connections came about without it")]);
    }
    ecn::nearly_all(worked.into(), all.into()).then(|| ruled_out(Cause::Ecn, tally))?
}
