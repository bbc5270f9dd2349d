//! Every scenario of the catalogue, from every beginning.

use std::collections::BTreeSet;

use sensor::catalogue::entry;
use sensor_common::{
    detect::{Evidence, Severity},
    kind::Kind,
};
use tests::{
    catalogue::{self, Case},
    scenario::{Seat, lines},
};

#[test]
fn every_scenario_leads_where_it_should() {
    let mut failures = Vec::new();
    for case in catalogue::all() {
        for (beginning, scenario) in catalogue::beginnings() {
            if let Err(complaint) = (case.build)(scenario).verdict() {
                failures.push(format!("--- {} ({beginning})\n{complaint}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_kind_has_a_scenario_and_a_look_alike() {
    let has = |kind: Kind, wanted: &dyn Fn(&Case) -> bool| catalogue::all().any(|case| case.of == kind && wanted(case));
    for &kind in Kind::ALL {
        assert!(has(kind, &Case::fires), "nothing leads to {}", kind.id());
        assert!(has(kind, &|case| !case.fires()), "nothing only looks like {}", kind.id());
    }
}

#[test]
fn look_alikes_alarm_nobody_from_any_seat() {
    for case in catalogue::all().filter(|case| !case.fires()) {
        for (beginning, scenario) in catalogue::beginnings() {
            let scenario = (case.build)(scenario);
            if scenario.expectations().any(|expected| expected.is_loud()) {
                continue;
            }
            for seat in Seat::ALL {
                let outcome = scenario.clone().seat(seat).run();
                let at_rest = outcome.at_rest();
                let worst = outcome.worst().max(at_rest.iter().map(|event| event.severity()).max());
                let quiet = worst.is_none_or(|worst| worst < Severity::Notice);
                assert!(
                    quiet,
                    "{} ({beginning}, {seat:?})\n{}",
                    case.name,
                    [outcome.lines(), lines(&at_rest)].concat().join("\n")
                );
            }
        }
    }
}

#[test]
fn findings_are_as_severe_as_they_are_explained() {
    let mut beyond = BTreeSet::new();
    for case in catalogue::all() {
        for (_, scenario) in catalogue::beginnings() {
            for (_, event) in (case.build)(scenario).run().findings {
                let kind = event.kind().expect("a kind");
                let [least, most] = entry(kind).severity;
                if !(least..=most).contains(&event.severity()) {
                    beyond.insert((case.name, kind.id(), event.severity().name()));
                }
            }
        }
    }
    assert!(beyond.is_empty(), "`sensor explain` says otherwise: {beyond:?}");
}

#[test]
fn names_are_distinct() {
    let mut names: Vec<_> = catalogue::all().map(|case| case.name).collect();
    names.sort_unstable();
    let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn every_piece_of_evidence_is_seen() {
    let mut seen = 0;
    for case in catalogue::all() {
        for (_, scenario) in catalogue::beginnings() {
            seen |= (case.build)(scenario).run().findings.iter().fold(0, |bits, (_, event)| bits | event.evidence.0);
        }
    }
    let unseen: Vec<_> = Evidence::ALL.iter().filter(|(bit, ..)| seen & bit.0 == 0).map(|(_, id, _)| id).collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
