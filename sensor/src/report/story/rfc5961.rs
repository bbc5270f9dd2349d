//! Segments that do not fit a live connection: by whom they are taken, and by whom not (RFC 5961).

use sensor_common::kind::Kind;

use super::Story;
use crate::report::Finding;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    let (src, dst, kind) = (finding.src(), finding.dst(), finding.kind);
    let [off, before] = finding.event.detail;
    Some(match kind {
        Kind::Rfc5961SynOnEst => {
            Story::of(kind, "SYN on a live connection: a client that lost its state, or a blind one")
        }
        Kind::Rfc5961RstInWindow => Story::of(
            kind,
            format!("reset {off} bytes into the window: not exact, so it should be challenged; {before} resets before"),
        )
        .what(format!(
            "Resets for {src} > {dst} keep falling into the window without being exact: a blind attempt, or a sender whose \
             data is lost. Modern receivers answer with a challenge ACK and go on."
        )),
        Kind::Rfc5961RstOutOfWindow => {
            Story::of(kind, format!("reset {} bytes off the window: ignored", off.cast_signed()))
        }
        Kind::RstBruteForce => {
            Story::of(kind, format!("{} resets, and the numbers keep changing: somebody guesses", before + 1)).what(
                format!(
                    "Somebody sprays resets at {dst} in the name of {src}: {} so far, each with another number, none in the \
                     window. The receiver ignores them until one fits.",
                    before + 1
                ),
            )
        }
        Kind::AckBeyondFin => Story::of(kind, "acknowledges bytes behind the end of the stream").what(format!(
            "{src} acknowledges bytes that {dst} never sent: they would lie behind its FIN. Somebody else made this segment, \
             or a box keeps wrong numbers."
        )),
        _ => return None,
    })
}
