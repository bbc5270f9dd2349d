//! Text from outside, in every form that is told.

use proptest::prelude::*;

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
            let steers = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{202a}'..='\u{202e}'));
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

fn report(scene: &Scene, output: Output, interface: &str) -> String {
    let mut text = Vec::new();
    let place = Place { interface: Some(interface), frame: None };
    Reporter::new(&mut text, style(output), WallClock::epoch()).event(&scene.events[0].0, place).unwrap();
    String::from_utf8(text).unwrap()
}
