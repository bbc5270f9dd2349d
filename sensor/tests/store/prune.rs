//! What is deleted, in virtual time.

use sensor::store::{Kept, Limits, Origin, Writer};
use sensor_common::detect::Severity;

use super::{DAY, TODAY, ask, file, finding, incident, record};

#[test]
fn age_takes_the_old_and_nothing_else() {
    let (_folder, file) = file();
    let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
    let mut kept = Kept::default();
    let rows: Vec<_> = (0..60)
        .flat_map(|day| {
            let time = TODAY - day * DAY;
            [finding(day, time, Severity::Alert), record(day, time), incident(&format!("i{day}"), time)]
        })
        .collect();
    writer.write(&rows, 0, TODAY, &mut kept).expect("it writes");
    writer.limits = Limits { days: Some(30), ..Limits::default() };
    assert!(writer.prune(TODAY, &mut kept).expect("it prunes"));
    assert!(!writer.prune(TODAY, &mut kept).expect("it prunes"), "nothing is left to delete");
    assert_eq!(kept.deleted, 3 * 29);
    for (table, time) in [("finding", "time"), ("record", "time"), ("incident", "last")] {
        assert_eq!(ask::<i64>(&file, &format!("SELECT count(*) FROM {table}")), 31, "{table}");
        assert_eq!(ask::<i64>(&file, &format!("SELECT min({time}) FROM {table}")) as u64, TODAY - 30 * DAY, "{table}");
    }
    assert_eq!(ask::<i64>(&file, "SELECT count(*) FROM run"), 1, "one that writes stays");
    // A month later nothing is left; a clock that jumps far ahead is taken at its word, one that jumps back deletes nothing.
    writer.prune(TODAY - 300 * DAY, &mut kept).expect("it prunes");
    assert_eq!(ask::<i64>(&file, "SELECT count(*) FROM record"), 31);
    writer.prune(TODAY + 31 * DAY, &mut kept).expect("it prunes");
    assert_eq!(kept.deleted, 180);
}

#[test]
fn room_is_made_by_what_is_worth_least_and_the_oldest_of_it() {
    let (_folder, file) = file();
    let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
    let mut kept = Kept::default();
    writer.limits = Limits { bytes: Some(4 << 20), ..Limits::default() };
    let count = |table: &str| ask::<i64>(&file, &format!("SELECT count(*) FROM {table}"));
    for n in 0..300 {
        let time = |i: u64| TODAY + n * 1_000_000 + i;
        let mut rows: Vec<_> = (0..40).map(|i| record(n * 40 + i, time(i))).collect();
        rows.extend([finding(n, time(0), Severity::Alert), finding(n, time(1), Severity::Info)]);
        rows.push(incident("one", time(2)));
        writer.write(&rows, 0, TODAY, &mut kept).expect("it writes");
        writer.prune(TODAY, &mut kept).expect("it prunes");
        // A step may take a while to catch up with a batch, but does.
        assert!(kept.bytes <= 5 << 20, "{kept:?}");
    }
    assert!(kept.deleted > 5_000, "{kept:?}");
    assert_eq!((count("finding"), count("incident")), (600, 1), "while records can make room");
    let oldest: i64 = ask(&file, "SELECT min(json_extract(told, '$.n')) FROM record");
    assert_eq!(oldest as u64 + count("record") as u64, 12_000, "the oldest went");
    // When there are no more records, mild findings go, and then the others; incidents stay.
    writer.limits = Limits { bytes: Some(200 << 10), ..Limits::default() };
    while writer.prune(TODAY, &mut kept).expect("it prunes") {}
    assert_eq!((count("record"), count("incident")), (0, 1));
    assert_eq!(ask::<i64>(&file, "SELECT count(*) FROM finding WHERE severity = 0"), 0);
    assert!(kept.bytes <= 200 << 10, "{kept:?}");
    while writer.prune(TODAY, &mut kept).is_ok_and(|more| more) {}
    drop(writer);
    let pages: i64 = ask(&file, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    assert!(pages <= 1 << 20, "{pages} bytes: what is no longer needed is given back");
}
