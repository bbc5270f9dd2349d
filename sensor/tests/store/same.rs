//! What is kept reads back as it was.

use proptest::prelude::*;
use sensor::{
    report::Beside,
    store::{Ended, Kept, Origin, Reader, Row, Which, Writer},
};
use sensor_common::{
    detect::Severity,
    event::{EVENT_VERSION, Event},
};
use zerocopy::{FromBytes, IntoBytes};

use super::{TODAY, ask, file};

/// What was known beside some of them.
const BESIDE: &str = r#"{"stack":"own","stack_reason":"TCP_STATE"}"#;

/// Any event that the kernel could send.
fn events() -> impl Strategy<Value = Event> {
    proptest::collection::vec(any::<u8>(), size_of::<Event>()).prop_map(|bytes| {
        let mut event = Event::read_from_bytes(&bytes).expect("all of it");
        (event.version, event.kind, event.confidence, event.hook) = (EVENT_VERSION, event.kind % 8, 0, event.hook % 3);
        event.severity %= 4;
        event
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn findings_are_the_same(
        events in proptest::collection::vec((events(), "\\PC{0,20}", any::<Option<u32>>(), any::<[u8; 4]>()), 1..12),
    ) {
        let (_folder, file) = file();
        let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
        let mut kept = Kept::default();
        let rows: Vec<Row> = events.iter().zip(0..).map(|((event, name, frame, address), n)| Row::Finding {
            time: TODAY + n,
            interface: Some(name.clone()),
            frame: frame.map(u64::from),
            incident: Some("a'b\"c%".to_owned()),
            ends: [(*address, 1).into(), (*address, 2).into()],
            event: Box::new(*event),
            beside: (n % 2 == 0).then(|| BESIDE.to_owned()),
        }).collect();
        writer.write(&rows, 7, TODAY, &mut kept).expect("it writes");
        let incident = Row::Incident {
            id: "a'b\"c%".to_owned(), first: TODAY, last: TODAY, severity: Severity::Alert, view: "{\"x\":\"é\"}".to_owned(),
        };
        writer.write(&[incident.clone(), incident], 7, TODAY, &mut kept).expect("it writes");
        prop_assert_eq!((kept.findings, kept.incidents, kept.batches), (rows.len() as u64, 2, 2));
        // Beside the one that writes.
        let reader = Reader::open(&file).expect("it opens");
        let found = reader.named("a'b", 9).expect("it reads");
        prop_assert_eq!(found.len(), 1, "told twice, kept once");
        prop_assert_eq!(found[0].view.as_str(), "{\"x\":\"é\"}");
        let read = reader.findings(&found[0], 99).expect("it reads");
        prop_assert_eq!(read.len(), rows.len());
        for ((read, (event, name, frame, address)), n) in read.iter().zip(&events).zip(0..) {
            prop_assert_eq!(read.event.as_deref().expect("this version's").as_bytes(), event.as_bytes());
            prop_assert_eq!((read.time, read.severity), (TODAY + n, event.severity));
            prop_assert_eq!(read.kind.as_str(), event.kind().expect("known").id());
            prop_assert_eq!((read.interface.as_ref(), read.frame), (Some(name), frame.map(u64::from)));
            let known = if n % 2 == 0 { serde_json::from_str(BESIDE).expect("as it was written") } else { Beside::default() };
            prop_assert_eq!(&read.beside, &known);
            let [a, b, c, d] = address;
            prop_assert_eq!(read.ends[0].clone(), format!("{a}.{b}.{c}.{d}:1"));
        }
    }
}

#[test]
fn runs_say_what_was_watched_and_how_it_ended() {
    let (_folder, file) = file();
    let open = |origin| Writer::open(&file, origin, TODAY).expect("it opens");
    open(Origin::Capture("x.pcap".into())).end(0, TODAY).expect("it ends");
    let mut writer = open(Origin::Live(String::new()));
    writer.set_origin(Origin::Live("eth0".into())).expect("it writes");
    drop(writer);
    let writer = open(Origin::Live("eth1".into()));
    let runs = || {
        let runs = Reader::open(&file).expect("it opens").runs(0, u64::MAX).expect("it reads");
        runs.into_iter().map(|run| (run.source, run.ended)).collect::<Vec<_>>()
    };
    assert_eq!(
        runs(),
        [("eth0".to_owned(), Ended::BrokenOff), ("eth1".to_owned(), Ended::Not)],
        "captures are not watched"
    );
    writer.end(3, TODAY + 5).expect("it ends");
    assert_eq!(runs()[1], ("eth1".to_owned(), Ended::Well));
    let reader = Reader::open(&file).expect("it opens");
    assert_eq!(
        reader.runs(TODAY + 1, TODAY + 9).expect("it reads").iter().map(|run| run.lost).collect::<Vec<_>>(),
        [3]
    );
}

#[test]
fn incidents_are_found_by_time_and_severity_the_latest_last() {
    let (_folder, file) = file();
    let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
    let rows: Vec<Row> = (0..10)
        .map(|n| Row::Incident {
            id: format!("i{n}"),
            first: TODAY + n * 10,
            last: TODAY + n * 10 + 5,
            severity: Severity::ALL[n as usize % 4],
            view: "{}".to_owned(),
        })
        .collect();
    writer.write(&rows, 0, TODAY, &mut Kept::default()).expect("it writes");
    let reader = Reader::open(&file).expect("it opens");
    let ids = |which: &Which, limit| {
        let found = reader.incidents(which, limit, |_| true).expect("it reads");
        found.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    let some = Which { since: TODAY + 35, until: TODAY + 60, ..Which::default() };
    assert_eq!(ids(&some, 9), ["i3", "i4", "i5", "i6"], "what touches the time");
    assert_eq!(ids(&some, 2), ["i5", "i6"], "the latest");
    assert_eq!(ids(&Which { severity: Severity::Alert, ..Which::default() }, 9), ["i3", "i7"]);
    assert_eq!(ids(&Which { since: u64::MAX, ..Which::default() }, 9), [""; 0]);
    assert_eq!(reader.names(2).expect("it reads"), ["i9", "i8"]);
    assert_eq!(ask::<i64>(&file, "SELECT count(*) FROM incident"), 10);
}
