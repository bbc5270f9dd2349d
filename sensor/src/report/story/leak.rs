//! Segments that escaped the translation of addresses.

use sensor_common::kind::Kind;

use super::Story;
use crate::report::Finding;

/// Silences from here on (seconds) may be a translator's timeout, which is then the cause.
const LONG: u32 = 30;

pub(super) fn story(finding: &Finding<'_>) -> Option<Story> {
    if finding.kind != Kind::UnNatedLeak {
        return None;
    }
    let [_, second] = finding.event.detail;
    let (service, silent) = (service(finding), second & 0xffff);
    let (server, host) = (finding.src(), finding.cast.name(finding.side.other()));
    let forgotten = if silent < LONG {
        String::new()
    } else {
        format!(" That had been silent for {silent} s: the translator may have forgotten it.")
    };
    let keep_alive = format!(
        "Was it the silence of {silent} s? Then keep-alives, or a longer nf_conntrack_tcp_timeout_established, help."
    );
    let mut story = Story::of(finding.kind, format!("a segment of the connection with {service} came untranslated, and {host} reset it"))
        .what(format!(
            "A segment from {server} has the numbers of {}'s connection with {service}: it is that connection's, and the \
             translation of addresses let it through as it was.{forgotten} With {server} {host} has no connection, so its kernel \
             answered by a reset, which ends the real connection at {server}.",
            finding.dst()
        ))
        .not(format!("The application at {server}: it sent what was due."))
        .not("A scan, or an old connection's late segment: both its numbers fit the live connection's windows.");
    if finding.cast.is_local(finding.side.other()) {
        story = story
            .not(format!("A forged reset, or a firewall's: {host} made it, for a segment that it could not place."));
    }
    if silent >= LONG {
        story.next.insert(0, keep_alive);
    }
    Some(story)
}

/// Address and port that the connection was opened to; of an IPv6 address the end, as no more is handed on.
fn service(finding: &Finding<'_>) -> String {
    if finding.src().is_ipv4() {
        return finding.service().to_string();
    }
    let [address, second] = finding.event.detail;
    format!("[…:{:x}:{:x}]:{}", address >> 16, address & 0xffff, second >> 16)
}
