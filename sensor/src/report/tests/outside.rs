//! Text from outside, in every form that is told.

use proptest::prelude::*;
use sensor_common::record::{Ending, Record};

use super::*;

const FORMS: [Output; 5] = [Output::Compact, Output::Wide, Output::Json, Output::Eve, Output::Ecs];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever an interface is called, no line ends early, nothing steers a terminal, and a program gets the name as it is.
    #[test]
    fn names_stay_within_their_place(name in any::<String>()) {
        let scene = Scene::seed_1(Vantage::Server);
        let plain = |output| report(&scene, output, "eth0").lines().count();
        for output in FORMS {
            let text = report(&scene, output, &name);
            if output.is_for_people() {
                prop_assert!(!text.contains(steers), "{:?}: {:?}", output, text);
                prop_assert_eq!(text.lines().count(), plain(output));
                continue;
            }
            prop_assert!(!text.contains(|c: char| c != '\n' && c.is_ascii_control()), "{:?}: {:?}", output, text);
            let mut lines = text.lines();
            let object: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
            prop_assert!(lines.next().is_none());
            let told = match output {
                Output::Json => &object["interface"],
                Output::Eve => &object["in_iface"],
                _ => &object["observer"]["ingress"]["interface"]["name"],
            };
            prop_assert_eq!(told, &name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// The same of records, and of what is told of an incident, whoever relays it.
    #[test]
    fn nor_do_records_and_incidents(name in any::<String>()) {
        let scene = Scene::seed_1(Vantage::Server);
        for output in FORMS {
            let (plain, text) = (others(&scene, output, "eth0"), others(&scene, output, &name));
            prop_assert!(!text.contains(|c: char| c != '\n' && c.is_ascii_control()), "{:?}: {:?}", output, text);
            if output.is_for_people() {
                prop_assert!(!text.contains(steers), "{:?}: {:?}", output, text);
            } else {
                prop_assert_eq!(text.lines().count(), plain.lines().count());
                prop_assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
            }
        }
    }
}

/// What moves the cursor, or turns the direction of text. A line may end.
fn steers(c: char) -> bool {
    c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'))
}

/// A record, and an incident with that name in its words.
fn others(scene: &Scene, output: Output, name: &str) -> String {
    let mut text = Vec::new();
    let mut reporter = Reporter::new(&mut text, style(output), WallClock::epoch()).with_records(true);
    let mut flows = scene.host.flows().iter().zip(scene.host.extras());
    let (flow, extra) = flows.find(|(flow, _)| flow.ends[0].segments > 0).unwrap();
    let record = Record::of(flow, extra, Ending::Fin, 0, START);
    let place = Place { interface: Some(name), ..Place::default() };
    reporter.record(&record, place).unwrap();
    let mut correlator = Correlator::default();
    correlator.add(&Finding::new(&scene.events[0].0, WallClock::epoch(), place));
    let mut view = correlator.finish()[0].closed();
    view.connections = 2;
    view.what.push_str(name);
    view.next.push(name.to_owned());
    view.causes[0].reasons.push(name.to_owned());
    view.examples[0].reference = name.to_owned();
    reporter.incident(&view).unwrap();
    drop(reporter);
    String::from_utf8(text).unwrap()
}

fn report(scene: &Scene, output: Output, interface: &str) -> String {
    let mut text = Vec::new();
    let place = Place { interface: Some(interface), ..Place::default() };
    Reporter::new(&mut text, style(output), WallClock::epoch()).event(&scene.events[0].0, place).unwrap();
    String::from_utf8(text).unwrap()
}
