//! What a person is told of findings that are many.

use sensor_common::flow::Key;

use super::*;

/// The seed's finding, of `n` other connections, one a millisecond.
fn many(n: u32) -> Vec<Event> {
    let event = Scene::seed_1(Vantage::Server).events[0].0;
    let other = |i: u32| {
        let mut event = event;
        event.flow_index = i;
        event.time += u64::from(i) * MS;
        event
    };
    (0..n).map(other).collect()
}

/// The report, and its last lines.
fn told(output: Output, dedup: bool, events: impl IntoIterator<Item = Event>) -> (String, String) {
    let mut text = Vec::new();
    let mut reporter = Reporter::new(&mut text, Style { dedup, ..style(output) }, WallClock::epoch());
    for event in events {
        reporter.event(&event, Place::default()).unwrap();
    }
    let notes = reporter.left_out().collect();
    (String::from_utf8(text).unwrap(), notes)
}

fn lines(text: &str) -> usize {
    text.matches(" ALERT  ttl-rst-mismatch ").count()
}

#[test]
fn ten_thousand_of_one_device_are_thirteen_lines() {
    let (text, notes) = told(Output::Compact, true, many(10_000));
    assert_eq!(lines(&text), 13, "the first ten, the hundredth, the thousandth, the ten-thousandth");
    for (words, n) in [("(89 more like it not told)", 1), ("(899 more", 1), ("(8999 more", 1), ("more like it", 3)] {
        assert_eq!(text.matches(words).count(), n, "{words}");
    }
    let sum = "findings 10000 = told 13 + like those before 9987 (9987 ttl-rst-mismatch)";
    assert!(notes.contains(sum), "{notes}");
    assert!(text.contains("reset 10000 connections"), "the incident counts them all");
}

#[test]
fn programs_get_all_unless_they_ask() {
    for output in [Output::Json, Output::Eve, Output::Ecs] {
        let lines = |dedup| told(output, dedup, many(200)).0.matches("ttl-rst-mismatch\"").count();
        assert!(lines(false) >= 200 && lines(true) < 100, "{output:?}");
    }
    assert_eq!(told(Output::Json, false, many(200)).1, "");
}

#[test]
fn few_are_all_told() {
    let (text, notes) = told(Output::Compact, true, many(10));
    assert_eq!((lines(&text), &*notes), (10, ""));
}

#[test]
fn what_is_worse_or_new_or_long_ago_is_told() {
    let mut events = many(50);
    let [mut late, mut other] = [events[49], events[49]];
    // Ten minutes of silence, and one more.
    late.time += 660_000 * MS;
    // Its packets are made somewhere else.
    other.segment.ttl = 250;
    other.time = late.time;
    events.extend([late, other]);
    assert_eq!(lines(&told(Output::Compact, true, events.clone()).0), 12);
    for event in &mut events[..30] {
        event.severity = Severity::Warn as u8;
    }
    let text = told(Output::Compact, true, events).0;
    assert_eq!(lines(&text), 3, "the first alert is told, though many warnings were before: {text}");
}

#[test]
fn addresses_that_vary_flood_nobody_and_fill_no_memory() {
    let event = Scene::seed_1(Vantage::Server).events[0].0;
    let vary = |i: u32| {
        let Key { ports, link, .. } = event.flow.head.key;
        let mut event = event;
        // Each of another server, and no device that could have made them all.
        event.flow.head.key = Key { a: [0, 0, 0xffff, i << 8], b: [0, 0, 0xffff, i << 8 | 1], ports: ports ^ i, link };
        event.evidence = sensor_common::detect::Evidence(0);
        event.flow_index = i;
        event
    };
    let (text, notes) = told(Output::Compact, true, (0..60_000).map(vary));
    assert!((1000..1100).contains(&lines(&text)), "{}", lines(&text));
    let told = lines(&text);
    assert!(notes.contains(&format!("findings 60000 = told {told} + like those before {}", 60_000 - told)), "{notes}");
}
