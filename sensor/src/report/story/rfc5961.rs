//! Segments that do not fit a live connection: by whom they are taken, and by whom not (RFC 5961).

use sensor_common::kind::Kind;

use super::Story;
use crate::report::Finding;

/// How likely it is that one of so many blind guesses falls into the window (RFC 4953): where it is small, their sum.
fn odds(guesses: u32, window: u32) -> String {
    let percent = (f64::from(guesses) * f64::from(window) / 2_f64.powi(32) * 100.0).min(100.0);
    if percent < 0.01 { "below 0.01 %".to_owned() } else { format!("about {percent:.2} %") }
}

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
                     window. The receiver ignores them until one fits. Had they been blind, the chance that one of them fell \
                     into its window by now was {}.",
                    before + 1,
                    odds(before + 1, finding.event.flow.ends[finding.side.other() as usize].max_window)
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
