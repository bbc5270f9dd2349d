//! The numbers beside findings: the engine and the table that names them agree.

use std::collections::BTreeSet;

use sensor::catalogue::numbers::{self, Number, numbers};
use sensor_common::{event::Event, kind::Kind};
use tests::{
    catalogue,
    scenario::{Scenario, Seat},
};

/// All that the scenarios lead to, from every seat: for each event those of the same frame that follow.
fn events() -> impl Iterator<Item = (Event, Vec<Event>)> {
    let scenarios = catalogue::all().flat_map(|case| [Scenario::v4(), Scenario::v6()].map(|start| (case.build)(start)));
    let outcomes = scenarios.flat_map(|scenario| Seat::ALL.map(|seat| scenario.clone().seat(seat).run()));
    outcomes.flat_map(|outcome| {
        let at_rest = outcome.at_rest().into_iter().map(|event| (event, Vec::new()));
        let all = outcome.findings;
        let later = |at: usize| {
            let (frame, _) = all[at];
            all[at + 1..].iter().take_while(|(other, _)| *other == frame).map(|(_, event)| *event).collect()
        };
        (0..all.len()).map(|at| (all[at].1, later(at))).chain(at_rest).collect::<Vec<_>>()
    })
}

#[test]
fn every_number_of_the_engine_has_a_name() {
    let mut nameless = BTreeSet::new();
    for (event, later) in events() {
        let kind = event.kind().expect("a kind");
        let known = numbers(kind).iter().fold([0; 2], |bits, number| {
            let more = number.bits();
            [bits[0] | more[0], bits[1] | more[1]]
        });
        let unknown = [event.detail[0] & !known[0], event.detail[1] & !known[1]];
        // Two findings about one segment share their numbers, which are the second's.
        let shared = later.iter().any(|other| other.detail == event.detail);
        if unknown != [0, 0] && !shared {
            nameless.insert((kind.id(), event.detail));
        }
    }
    assert!(nameless.is_empty(), "name them in sensor/src/catalogue/numbers.rs: {nameless:?}");
}

#[test]
fn every_name_is_of_a_number_of_the_engine() {
    let mut seen: BTreeSet<(Kind, &str)> = BTreeSet::new();
    for (event, _) in events() {
        let kind = event.kind().expect("a kind");
        seen.extend(numbers(kind).iter().filter(|n| n.of(event.detail) != 0).map(|n| (kind, n.name)));
    }
    // Shared by a family, of which most scenarios leave them at zero.
    let seldom = |name: &str| ["since_close_ms", "ecn_worked", "hops_off", "ipid_off"].contains(&name);
    let silent: Vec<_> = Kind::ALL
        .iter()
        .flat_map(|kind| numbers(*kind).iter().map(|number| (*kind, number.name)))
        .filter(|(kind, name)| !seen.contains(&(*kind, name)) && !seldom(name))
        .map(|(kind, name)| (kind.id(), name))
        .collect();
    assert!(silent.is_empty(), "never seen: {silent:?}");
    let unused: Vec<_> =
        numbers::ALL.iter().filter(|number| !seen.iter().any(|(_, name)| *name == number.name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn a_name_means_one_thing() {
    let names: BTreeSet<&str> = numbers::ALL.iter().map(|number| number.name).collect();
    assert_eq!(names.len(), numbers::ALL.len());
    for kind in Kind::ALL {
        let all: &[Number] = numbers(*kind);
        assert!(all.iter().all(|number| numbers::ALL.contains(number)), "{}", kind.id());
        let overlap = |a: &Number, b: &Number| a.bits()[0] & b.bits()[0] != 0 || a.bits()[1] & b.bits()[1] != 0;
        assert!(all.iter().enumerate().all(|(i, a)| all[..i].iter().all(|b| !overlap(a, b))), "{}", kind.id());
    }
    assert_eq!(numbers(Kind::Rfc5961RstOutOfWindow)[0].of([u32::MAX, 0]), -1);
    assert_eq!(numbers(Kind::EcnSynRst)[1].of([5, 0x0003_0004]), 3);
}
