//! Databases that cannot be used: one sentence each, and nothing changed.

use std::{fs, path::Path};

use rusqlite::Connection;
use sensor::store::{Kept, Origin, Reader, Writer};
use sensor_common::detect::Severity;

use super::{TODAY, file, finding};

/// The same word from who writes and who reads, and the file as before.
fn refused(file: &Path) -> String {
    let before = fs::read(file).ok();
    let written = Writer::open(file, Origin::Live("test".into()), TODAY).expect_err("it cannot be used").to_string();
    let read = Reader::open(file).expect_err("it cannot be used").to_string();
    assert_eq!(written, read);
    assert_eq!(fs::read(file).ok(), before, "left as it was");
    assert!(!written.contains('\n') && written.contains(": "), "{written}");
    written
}

fn used(file: &Path, n: u64) {
    let mut writer = Writer::open(file, Origin::Live("test".into()), TODAY).expect("it opens");
    let rows: Vec<_> = (0..n).map(|n| finding(n, TODAY + n, Severity::Info)).collect();
    writer.write(&rows, 0, TODAY, &mut Kept::default()).expect("it writes");
    writer.end(0, TODAY).expect("it ends");
}

#[test]
fn a_newer_layout_is_refused() {
    let (_folder, file) = file();
    used(&file, 1);
    Connection::open(&file).expect("it opens").pragma_update(None, "user_version", 99).expect("a number");
    let said = refused(&file);
    assert!(said.contains("newer sensor (layout 99, this one knows 2)"), "{said}");
}

/// As the first version made it.
#[test]
fn an_older_layout_is_read_as_it_is_and_goes_on_as_the_newer_one() {
    let (_folder, file) = file();
    used(&file, 3);
    let older = "ALTER TABLE finding DROP COLUMN beside; UPDATE finding SET incident = 'i'; PRAGMA user_version = 1;
        INSERT INTO incident SELECT 'i', run, min(time), max(time), 0, '{}' FROM finding";
    Connection::open(&file).expect("it opens").execute_batch(older).expect("room");
    let findings = || {
        let reader = Reader::open(&file).expect("it opens");
        let found = reader.named("i", 1).expect("it reads");
        reader.findings(&found[0], 10).expect("it reads")
    };
    assert_eq!(findings().len(), 3);
    used(&file, 1);
    assert_eq!(findings().len(), 3);
    assert_eq!(super::ask::<i64>(&file, "PRAGMA user_version"), 2);
    assert_eq!(super::ask::<i64>(&file, "SELECT count(*) FROM finding WHERE beside IS NULL"), 4);
}

#[test]
fn other_programs_files_are_left_alone() {
    let (_folder, file) = file();
    fs::write(&file, "To be, or not to be".repeat(100)).expect("room");
    assert!(refused(&file).contains("no database of this program"));
    fs::remove_file(&file).expect("it is there");
    Connection::open(&file).expect("it opens").execute_batch("CREATE TABLE t (a)").expect("room");
    assert!(refused(&file).contains("no database of this program"));
}

#[test]
fn damage_is_named_and_is_no_panic() {
    let (_folder, file) = file();
    used(&file, 2000);
    let whole = fs::read(&file).expect("it is there");
    // Every page but the first in turn would take long; some of each kind will do.
    for page in (1..whole.len() / 4096).step_by(23) {
        let mut broken = whole.clone();
        broken[page * 4096..(page + 1) * 4096].fill(0xa5);
        fs::write(&file, &broken).expect("room");
        let read = || {
            let reader = Reader::open(&file)?;
            reader.runs(0, u64::MAX)?;
            reader.named("", 10)
        };
        let write = || {
            let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY)?;
            let rows: Vec<_> = (0..500).map(|n| finding(n, TODAY + n, Severity::Info)).collect();
            writer.write(&rows, 0, TODAY, &mut Kept::default())
        };
        for said in [read().map(drop), write()].into_iter().filter_map(Result::err) {
            assert!(said.to_string().contains("is damaged ("), "{said}");
        }
    }
    // The list of tables itself.
    let mut broken = whole;
    broken[100..4096].fill(0xa5);
    fs::write(&file, &broken).expect("room");
    assert!(refused(&file).contains("is damaged ("));
}

#[test]
fn two_sensors_are_one_too_many_and_readers_are_none() {
    let (_folder, file) = file();
    let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
    let said = Writer::open(&file, Origin::Live("test".into()), TODAY).expect_err("it is in use").to_string();
    assert!(said.contains("is in use by another sensor"), "{said}");
    let reader = Reader::open(&file).expect("it opens");
    writer.write(&[finding(1, TODAY, Severity::Info)], 0, TODAY, &mut Kept::default()).expect("it writes");
    assert_eq!(reader.runs(0, u64::MAX).expect("it reads").len(), 1);
    drop(writer);
    assert!(Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it is free again").broken_off().is_some());
}

#[test]
fn what_is_not_there_is_named() {
    let (folder, file) = file();
    let said = Reader::open(&file).expect_err("none").to_string();
    assert!(said.contains("there is no database") && said.contains("--db"), "{said}");
    let said = Writer::open(&folder.path().join("none/s.db"), Origin::Live("test".into()), TODAY)
        .expect_err("none")
        .to_string();
    assert!(said.contains("in a folder that exists"), "{said}");
    let said = Writer::open(folder.path(), Origin::Live("test".into()), TODAY).expect_err("a folder").to_string();
    assert!(said.contains("is no database of this program"), "{said}");
}
