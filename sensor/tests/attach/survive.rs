//! What an agent lives through, and that its account adds up afterwards: it stands still, nobody reads it, the disk is full, memory is
//! short, interfaces change and come and go, the clock jumps.

use std::{
    fs,
    net::SocketAddr,
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sensor::{
    kernel,
    lab::{Family, Lab},
};
use sensor_common::counters::Counter;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    WAN,
    aggregates::{raw, spoof},
    child::{Running, SOON, batch, sensor},
    doctor, forge, ip, lab,
    soak::{settled, status},
};

/// Requests in others' names to a closed port, each refused and so a mild finding, until `enough`.
fn refused(lab: &Lab, most: u32, mut enough: impl FnMut() -> bool) {
    let (socket, nobody) = (raw(lab.client().netns()), SocketAddr::new(lab.server().address(Family::V4), 9));
    let mut n = 0;
    while !enough() {
        assert!(n < most, "never enough");
        for _ in 0..500 {
            n += 1;
            spoof(&socket, n, nobody);
            if n % 20 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Waits for what does not come at once.
fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The sums of the closing account.
fn adds_up(account: &str) {
    for start in ["matched ", "events: submitted "] {
        let line = account.lines().find(|line| line.starts_with(start)).expect(account);
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let parts = if start == "matched " { &numbers[1..] } else { &numbers[2..] };
        assert_eq!(numbers[0], parts.iter().sum::<u64>(), "{line}");
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn stopped_it_loses_what_finds_no_room_and_counts_it_and_nothing_severe() {
    let Some(lab) = lab() else { return };
    let arguments = ["-i", WAN, "--ring", "1", "--rate", "0", "--min-severity", "alert"];
    let mut running = Running::attach(lab.server().netns(), &arguments);
    running.signal(libc::SIGSTOP);
    let counters = || kernel::Running::find(Some(running.pid())).unwrap().counters().unwrap();
    refused(&lab, 100_000, || counters().get(Counter::RingFullLow) > 0);
    // What is left of the ring is for these.
    forge(&lab);
    assert_eq!(counters().get(Counter::RingFullHigh), 0);
    running.signal(libc::SIGCONT);
    running.stdout.wait_for("ttl-rst-mismatch");
    let status = settled(&lab);
    assert!(
        number(&status["counters"]["ring_full_low"]) > 0 && number(&status["events"]["dropped"]) == 0,
        "{status:#}"
    );
    let checks = doctor::of(lab.server().netns(), WAN);
    doctor::expect(&checks, "ring", "note", "the ring was full: 0 severe findings and ", "sensor attach --ring 16");
    // And goes on.
    lab.middlebox().clear();
    forge(&lab);
    soon("a second one", || running.stdout.text().matches("ALERT  ttl-rst-mismatch").count() == 2);
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    adds_up(&running.stdout.text());
}

#[test]
fn unread_it_drops_what_finds_no_room_and_counts_it_and_answers_all_the_while() {
    let Some(lab) = lab() else { return };
    let (reader, writer) = std::io::pipe().unwrap();
    // SAFETY: no memory is passed; the descriptor is open.
    assert!(unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, 4096) } >= 0);
    let mut command = sensor(&["attach", "-i", WAN, "--rate", "0", "-o", "json"]);
    command.stdout(writer);
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    refused(&lab, 200_000, || {
        let status = status(&lab);
        assert_eq!(status["alive"], true, "{status:#}");
        number(&status["events"]["dropped"]) > 0
    });
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(2));
    let told = running.stderr.text();
    assert!(told.contains("has stopped reading") && told.contains("events were dropped because stdout"), "{told}");
    let line = told.lines().find(|line| line.starts_with("events: submitted ")).unwrap();
    let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
    assert_eq!((numbers[0], numbers[1]), (numbers[1], numbers[2..].iter().sum()), "{line}");
    drop(reader);
}

#[test]
fn a_disk_that_is_full_costs_packets_and_rows_which_are_counted_and_nothing_else() {
    let Some(lab) = lab() else { return };
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // A disk that the sensor alone sees.
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$@\""]).arg(folder.path());
    command.args([env!("CARGO_BIN_EXE_sensor"), "attach", "-i", WAN, "--rate", "0", "--min-severity", "info"]);
    command.args(["-o", "json", "--write", &path("x.pcapng"), "--db", &path("s.db")]);
    command.env("SENSOR_SOCKET", "none").stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    refused(&lab, 100_000, || {
        let status = status(&lab);
        assert_eq!(status["alive"], true, "{status:#}");
        let lost = |of: &str| status[of]["lost"].as_u64().unwrap_or_default();
        lost("written") > 0 && lost("kept") > 0
    });
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let status = settled(&lab);
    let told: u64 = status["findings"].as_array().unwrap().iter().map(|one| number(&one["count"])).sum();
    let written = &status["written"];
    assert_eq!(number(&written["findings"]) + number(&written["lost"]), told, "{status:#}");
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    adds_up(&running.stderr.text());
}

/// Interfaces of one round, and rounds.
const CROWD: usize = 50;
const ROUNDS: usize = 20;

#[test]
fn a_thousand_interfaces_come_and_go_and_leave_nothing() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let mut running = Running::attach(netns, &["-i", WAN, "-i", "spare*"]);
    let open = |running: &Running| {
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", running.pid())).unwrap();
        let infos: Vec<_> = infos.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).collect();
        let with = |field: &str| infos.iter().filter(|info| info.contains(field)).count();
        (running.descriptors(), ["link_id:", "prog_id:", "map_id:"].map(with))
    };
    let heap = |running: &Running| -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    let mut after = Vec::new();
    for round in 1..=ROUNDS {
        let said = |word: &str| running.stderr.text().matches(word).count();
        let add = |n| format!("link add name spare{n} group 7 type veth peer name other{n}\n");
        batch(netns, &(0..CROWD).map(add).collect::<String>());
        soon("all are watched", || said("watching spare") >= round * CROWD);
        ip(netns, "link delete group 7");
        soon("all are let go", || said("is gone and no longer watched") >= round * CROWD);
        after.push((open(&running), heap(&running)));
    }
    let (first, last) = (&after[0], &after[ROUNDS - 1]);
    assert_eq!(first.0, last.0);
    let half = after[ROUNDS / 2].1;
    assert!(last.1 < half + 1024, "{} KiB after half of them, {} after all", half, last.1);
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    adds_up(&running.stdout.text());
}

/// Native XDP takes frames in several buffers, so that a veth lets its MTU be changed; a connection goes on, and is followed.
#[test]
fn an_mtu_that_changes_is_no_gap() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let mut running = Running::attach(netns, &["-i", WAN]);
    running.stderr.wait_for("ingress by native XDP, egress by tcx\n");
    let mut pair = lab.connect(Family::V4).unwrap();
    pair.exchange().unwrap();
    for mtu in [9000, 1280, 65_535, 1500] {
        ip(netns, &format!("link set {WAN} mtu {mtu}"));
        pair.exchange().unwrap();
        assert!(ip(netns, &format!("link show {WAN}")).contains("xdp"), "{mtu}");
    }
    let status = settled(&lab);
    assert_eq!(number(&status["flows"]["established"]), 1, "{status:#}");
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    assert!(!running.stderr.text().contains("gone"), "{}", running.stderr.text());
    adds_up(&running.stdout.text());
}

/// A control group for memory, of either version; removed when dropped.
struct Group(std::path::PathBuf);

impl Group {
    fn limited(bytes: u64) -> Option<Self> {
        let name = format!("sensor-test-{}", std::process::id());
        for (root, file) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let folder = Path::new(root).join(&name);
            // Without the controller the file is not there.
            if fs::create_dir(&folder).is_ok() {
                let group = Self(folder);
                if group.0.join(file).exists() && fs::write(group.0.join(file), bytes.to_string()).is_ok() {
                    return Some(group);
                }
            }
        }
        eprintln!("SKIPPED: no control group can be given a limit of memory here");
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Emptied a moment after its last process has ended.
        let end = Instant::now() + SOON;
        while fs::remove_dir(&self.0).is_err() && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn too_little_memory_is_a_refusal_in_one_sentence() {
    let Some(lab) = lab() else { return };
    if let Some(group) = Group::limited(64 << 20) {
        let mut command = sensor(&["attach", "-i", WAN, "--flows", "131072"]);
        let members = group.0.join("cgroup.procs");
        // SAFETY: writes a file, which is safe between fork and exec of a test that does not hold the allocator then.
        unsafe { command.pre_exec(move || fs::write(&members, "0")) };
        Running::start(lab.server().netns(), command).ended(2, &["not enough memory", "--flows"]);
        // What is asked for there is had.
        let mut command = sensor(&["attach", "-i", WAN, "--flows", "1024", "--ring", "1", "--duration", "0"]);
        let members = group.0.join("cgroup.procs");
        // SAFETY: as above.
        unsafe { command.pre_exec(move || fs::write(&members, "0")) };
        Running::start(lab.server().netns(), command).ended(0, &["watching wan0"]);
    }
    // The table is mapped, too.
    let mut command = Command::new("prlimit");
    command.args(["--as=100000000", env!("CARGO_BIN_EXE_sensor"), "attach", "-i", WAN]).stdout(Stdio::null());
    let words = ["not enough memory for the flow table; use fewer flows (--flows), or raise the memory limit"];
    Running::start(lab.server().netns(), command).ended(2, &words);
}

/// Where Debian puts what makes a process see another time.
fn fake_time() -> Option<String> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    let library = found.find(|path| path.exists()).and_then(|path| path.to_str().map(str::to_owned));
    if library.is_none() {
        eprintln!("SKIPPED: no libfaketime here");
    }
    library
}

/// The wall clock jumps, for this process; the kernel's monotonic clock, by which all is judged, does not.
#[test]
fn a_clock_that_jumps_changes_what_is_written_and_nothing_else() {
    let (Some(lab), Some(library)) = (lab(), fake_time()) else { return };
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let set = |time: &str| {
        fs::write(path("new"), time).unwrap();
        // It is read at any moment.
        fs::rename(path("new"), path("time")).unwrap();
    };
    set("+0");
    fs::write(path("s.toml"), "").unwrap();
    let mut command = sensor(&["attach", "-i", WAN, "--config", &path("s.toml"), "-o", "json", "--records"]);
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", path("time"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    let found = || -> Vec<Value> {
        let text = running.stdout.text();
        let objects = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        objects.filter(|object| object["kind"] == "ttl-rst-mismatch" && object["evidence"].is_array()).collect()
    };
    for (n, jump) in ["+0", "+400d", "-400d", "+3s"].into_iter().enumerate() {
        set(jump);
        lab.middlebox().clear();
        forge(&lab);
        soon(jump, || found().len() == n + 1);
    }
    let status = settled(&lab);
    assert_eq!((&status["alive"], status["trouble"].as_array().unwrap().len()), (&true.into(), 0), "{status:#}");
    let found = found();
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    adds_up(&running.stderr.text());
    let days: Vec<i64> = found.iter().map(|object| day(object["time"].as_str().unwrap())).collect();
    assert_eq!(days[1] - days[0], 400, "{found:#?}");
    assert_eq!(days[2] - days[0], -400, "{found:#?}");
    // Distances in time are the kernel's.
    for one in &found {
        assert_eq!((&one["ttl"], &one["expected_ttl"]), (&255.into(), &125.into()), "{one:#}");
    }
}

/// The day of a time as it is told, counted from some day.
fn day(time: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| time[range].parse::<i64>().unwrap();
    let (year, month, day) = (part(0..4), part(5..7), part(8..10));
    // Years begin in March, so that the odd month is last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day
}
