//! Who made the packets, where it was not the peer.

use sensor_common::kind::Kind;

use super::{Cause, Weighed, for_it, ruled_out};
use crate::{
    correlate::{Facts, Subject},
    report::count,
};

pub(super) fn device(subject: &Subject, facts: &Facts) -> Option<Weighed> {
    let (went_on, mirrored, quick) =
        (facts.with("rst-seq-data"), facts.with("win-mirror-peer"), facts.with("rst-too-fast"));
    let (hedged, disagree) = (facts.with("rst-seq-change"), facts.with("rst-ack-change"));
    let mut reasons = Vec::new();
    let mut points = 0;
    let mut say = |n: u64, worth: u64, words: &str| {
        if n > 0 {
            points += worth;
            reasons.push(facts.so_many(n, words));
        }
    };
    if let Subject::Device(device) = subject {
        let words = match device.hops {
            Some(0) => "came from next to the sensor: a gateway, or a box further on that does not count TTL down",
            Some(_) => "came from another distance than the claimed sender's own segments",
            None => "had a TTL that fits no device on the way",
        };
        say(facts.findings, 3, words);
    }
    say(went_on, 4, "came before more of the claimed sender, which went on");
    say(hedged + disagree, 3, "came in a burst whose resets contradict one another");
    say(mirrored, 2, "copied the window of the packet that was answered");
    say(facts.with("rst-nonconforming"), 1, "had numbers that no stack gives here");
    say(facts.with("data-seq-rst"), 1, "pointed into bytes that had been acknowledged");
    say(quick, 2, "came sooner than the path to the claimed sender allows");
    if facts.left_here() {
        return ruled_out(Cause::Device, "the resets left this host itself");
    }
    for_it(Cause::Device, points, reasons)
}

pub(super) fn blind(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let (sprayed, near) = (facts.of(Kind::RstBruteForce), facts.of(Kind::Rfc5961RstInWindow));
    let mut reasons = Vec::new();
    if sprayed > 0 {
        reasons.push(format!("resets with many numbers were tried on {sprayed} of {} occasions", facts.findings));
    }
    if near > 0 {
        reasons.push(format!("{near} resets fell into the window without being exact"));
    }
    for_it(Cause::BlindAttack, 5 * u64::from(sprayed > 0) + u64::from(near > 0), reasons)
}

/// A firewall's REJECT, a program with a raw socket: the kernel says what its own stack did.
pub(super) fn local_rule(_: &Subject, facts: &Facts) -> Option<Weighed> {
    let words = "left in this host's name, not by its TCP stack: a firewall rule that rejects with a reset, or a program with a raw socket";
    if facts.foreign > 0 {
        return for_it(Cause::LocalRule, 6, vec![facts.so_many(facts.foreign, words)]);
    }
    let before = facts.habit.as_ref().filter(|_| facts.left_here())?.foreign;
    for_it(Cause::LocalRule, 6, vec![format!("{} of this service {words}", count(before, "reset"))])
}
