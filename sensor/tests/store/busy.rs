//! A file that others hold, and a disk that is too slow.

use std::fs;

use rusqlite::Connection;
use sensor::store::{Keeper, Kept, Manner, Origin, Reader, Writer};
use sensor_common::detect::Severity;

use super::{TODAY, ask, file, finding};

#[test]
fn rows_that_find_the_queue_full_are_counted_and_nobody_waits() {
    let (_folder, file) = file();
    let keeper = Keeper::start(
        Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens"),
        Manner { retry: std::time::Duration::ZERO, ..Manner::default() },
    )
    .expect("a thread");
    let other = Connection::open(&file).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes yet");
    // More than can wait, while nothing can be written. If `keep` waited, this would never end.
    let all = 20_000;
    (0..all).for_each(|n| keeper.keep(finding(n, TODAY + n, Severity::Info)));
    other.execute_batch("COMMIT").expect("it ends");
    let kept = loop {
        let kept = keeper.settle();
        if kept.findings + kept.lost == all {
            break kept;
        }
    };
    assert!(kept.findings > 0 && kept.lost > 0, "{kept:?}");
    drop(keeper);
    assert_eq!(ask::<i64>(&file, "SELECT count(*) FROM finding") as u64, kept.findings);
    assert_eq!(ask::<i64>(&file, "SELECT lost FROM run") as u64, kept.lost);
}

#[test]
fn who_holds_the_file_for_too_long_is_named() {
    let (_folder, file) = file();
    Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens").end(0, TODAY).expect("it ends");
    let other = Connection::open(&file).expect("it opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("nobody writes");
    let said = Writer::open(&file, Origin::Live("test".into()), TODAY).expect_err("held").to_string();
    assert!(said.contains("is in use by another program"), "{said}");
    assert!(
        Reader::open(&file).expect("it opens").runs(0, u64::MAX).is_ok_and(|runs| runs.len() == 1),
        "to be read, though"
    );
}

#[test]
fn who_reads_for_too_long_does_not_fill_the_disk() {
    let (_folder, file) = file();
    let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
    writer.limits.journal = 1 << 20;
    let reader = Connection::open(&file).expect("it opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM finding").expect("it reads");
    let mut kept = Kept::default();
    let mut write = |n: u64| {
        let rows: Vec<_> = (0..100).map(|i| finding(n * 100 + i, TODAY, Severity::Info)).collect();
        writer.write(&rows, 0, TODAY, &mut kept)
    };
    let refused = (0..100).find_map(|n| write(n).err()).expect("the journal has an end").to_string();
    assert!(refused.contains("which has been reading it for too long"), "{refused}");
    let journal = fs::metadata(file.with_extension("db-wal")).expect("a journal").len();
    assert!((1 << 20..2 << 20).contains(&journal), "{journal}");
    reader.execute_batch("COMMIT").expect("it ends");
    write(100).expect("and all is well again");
    drop(reader);
    assert_eq!(ask::<String>(&file, "PRAGMA integrity_check"), "ok");
}
