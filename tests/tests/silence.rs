//! What is told of forgotten connections: who may have forgotten them, and what it is not.

use sensor::report::{Output, Place, Reporter, Style, WallClock};
use sensor_common::detect::Severity;
use tests::{
    catalogue,
    scenario::{Scenario, Seat},
};

/// The report of a scenario, seen from a seat.
fn told(name: &str, seat: Seat) -> String {
    let case = catalogue::all().find(|case| case.name == name).expect("a scenario of that name");
    let outcome = (case.build)(Scenario::v4()).seat(seat).run();
    let style =
        Style { output: Output::Compact, min_severity: Severity::Info, color: false, analysis: false, dedup: false };
    let mut out = Vec::new();
    let mut reporter = Reporter::new(&mut out, style, WallClock::epoch());
    for (_, event) in &outcome.findings {
        reporter.event(event, Place::default()).expect("memory takes all");
    }
    drop(reporter);
    // As one line, since explanations are wrapped.
    String::from_utf8(out).expect("text").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn silence_names_both_possibilities_and_every_device_that_fits() {
    let text = told("client_asks_a_deaf_box", Seat::Client);
    assert!(text.contains("WARN idle-then-silence"), "{text}");
    assert!(
        text.contains("dropped its state") && text.contains("is down: this connection alone cannot tell"),
        "{text}"
    );
    assert!(text.contains("350 s: AWS NLB, GWLB, NAT gateway"), "{text}");
    assert!(text.contains("numbers idle_ms 35") && text.contains("unanswered_ms 17"), "{text}");
    let text = told("client_asks_a_deaf_box", Seat::Server);
    assert!(text.contains("did arrive here") && !text.contains("cannot tell which"), "{text}");
}

#[test]
fn a_timeout_is_ruled_out_after_a_short_gap_only() {
    let ruled_out = "An idle timeout (flow-age-vs-idle)";
    let at_once = told("told_at_once_and_goes_on", Seat::Mirror);
    assert!(at_once.contains("rst-seq-data") && at_once.contains(ruled_out), "{at_once}");
    let idle = told("the_server_was_never_told", Seat::Mirror);
    assert!(idle.contains("rst-seq-data") && !idle.contains(ruled_out), "{idle}");
}
