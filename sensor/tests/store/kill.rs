//! SIGKILL at any moment.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use sensor::store::{Keeper, Manner, Origin, Writer};
use sensor_common::detect::Severity;

use super::{TODAY, ask, file, finding};

/// Where the child writes, which tells it that it is one.
const FILE: &str = "SENSOR_TEST_STORE";
/// Rows in each of the child's batches.
const BATCH: u64 = 40;
/// Batches that a child writes at the most: they bound the file, whatever the machine's speed. A limit of bytes would have it forget
/// old rows, which the test counts.
const BATCHES: usize = 50;
const ROUNDS: u64 = 100;

/// Writes until it is killed, and says after each batch how far it is.
fn write(file: &Path) -> ! {
    let writer = Writer::open(file, Origin::Live("child".into()), TODAY).expect("it opens again");
    let known: i64 = ask(file, "SELECT coalesce(max(frame), 0) FROM finding");
    let keeper = Keeper::start(writer, Manner::default()).expect("a thread");
    for batch in (known as u64..).step_by(BATCH as usize).take(BATCHES) {
        (batch + 1..=batch + BATCH).for_each(|n| keeper.keep(finding(n, TODAY + n, Severity::Info)));
        assert_eq!(keeper.settle().lost, 0);
        let mut out = std::io::stdout();
        // A line of its own, beside those of the test's own harness.
        writeln!(out, "\nwritten {}", batch + BATCH).and_then(|()| out.flush()).expect("somebody reads");
    }
    // Nobody did in time.
    std::process::abort();
}

#[test]
fn a_hundred_kills_lose_nothing_that_was_written_and_are_told() {
    // What is killed is this test's own program, started once more.
    if let Some(file) = env::var_os(FILE) {
        write(Path::new(&file));
    }
    let (_folder, file) = file();
    let (mut told, mut worked) = (0, 0);
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe().expect("this program"));
        child
            .args(["kill::a_hundred_kills_lose_nothing_that_was_written_and_are_told", "--exact", "--nocapture"])
            .env(FILE, &file);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let mut written =
            out.lines().map_while(Result::ok).filter_map(|line| line.strip_prefix("written ")?.parse().ok());
        // Some rounds from the start on, so that opening is hit too; others once it is at work.
        if round % 4 > 0 {
            told = written.next().unwrap_or(told);
        }
        // Any moment: the spread of the scheduler, and this.
        std::thread::sleep(Duration::from_micros(round * 7919 % 20_000));
        child.kill().expect("it runs");
        child.wait().expect("it ends");
        told = written.last().unwrap_or(told);
        if !file.exists() || std::fs::metadata(&file).expect("there").len() == 0 {
            continue;
        }
        worked += 1;
        assert_eq!(ask::<String>(&file, "PRAGMA integrity_check"), "ok");
        if ask::<i64>(&file, "SELECT count(*) FROM sqlite_schema") == 0 {
            continue;
        }
        let [kept, last] = ["count(*)", "coalesce(max(frame), 0)"]
            .map(|what| ask::<i64>(&file, &format!("SELECT {what} FROM finding")) as u64);
        assert_eq!(kept, last, "no gaps, in round {round}");
        assert!(kept >= told && kept <= told + BATCH && kept % BATCH == 0, "{kept} kept, {told} told in round {round}");
        told = kept;
    }
    assert!(worked >= ROUNDS / 2 && told > ROUNDS, "{worked} rounds, {told} rows");
    let writer = Writer::open(&file, Origin::Live("after".into()), TODAY).expect("it opens");
    assert!(writer.broken_off().is_some(), "the last one was killed");
    drop(writer);
    let writer = Writer::open(&file, Origin::Live("after".into()), TODAY).expect("it opens");
    writer.end(0, TODAY).expect("it ends");
    let writer = Writer::open(&file, Origin::Live("again".into()), TODAY).expect("it opens");
    assert_eq!(writer.broken_off(), None, "that one ended");
}
