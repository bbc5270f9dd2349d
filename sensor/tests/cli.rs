//! The command from outside: what it prints, where, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs::File,
    io::{Read, Write},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use sensor::{
    capture::write::PcapWriter,
    correlate::{Pattern, aggregate::Aggregate},
    lab::forge::TcpPacket,
};
use sensor_common::{detect::Evidence, flow::TcpFlags, kind::Kind, seq::SeqNumber};
use tempfile::TempDir;

#[path = "cli/fast.rs"]
mod fast;
#[path = "cli/filter.rs"]
mod filter;
#[path = "cli/incidents.rs"]
mod incidents;
#[path = "cli/write.rs"]
mod write;

const MS: u64 = 1_000_000;
const ACK: TcpFlags = TcpFlags::ACK;

/// A capture of `flows` connections, each reset by somebody one hop away.
fn forged(flows: u16) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for port in 0..flows {
        let request = TcpPacket {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            vlan: None,
            source: format!("[2001:db8::9]:{}", 10_000 + port).parse().unwrap(),
            destination: "[2001:db8::50]:80".parse().unwrap(),
            ttl: 50,
            id: 0,
            dont_fragment: true,
            flags: TcpFlags::SYN,
            seq: SeqNumber(1000),
            ack: SeqNumber(0),
            window: 4000,
            options: Vec::new(),
            payload: Vec::new(),
        };
        let accept =
            TcpPacket { ttl: 64, window: 7777, seq: SeqNumber(5), flags: TcpFlags::SYN.with(ACK), ..request.answer() };
        let first = accept.answer();
        let first = TcpPacket { ttl: 50, window: 4000, payload: vec![1; 10], flags: ACK, ..first };
        let mut packets = vec![request, accept, first];
        for _ in 0..4 {
            let next = TcpPacket { payload: vec![1; 10], ..packets[packets.len() - 1].follow() };
            packets.push(next);
        }
        let last = packets[packets.len() - 1].answer();
        packets.push(TcpPacket { ttl: 64, window: 7777, ..last });
        let reset = packets[packets.len() - 1].answer();
        packets.push(TcpPacket { ttl: 254, window: 7777, flags: TcpFlags::RST.with(ACK), ..reset });
        for (i, packet) in packets.iter().enumerate() {
            let frame = packet.build().0;
            let time = (1_369_060_825_000 + u64::from(port) + i as u64) * MS;
            writer.frame(time, &frame, frame.len() as u32).unwrap();
        }
    }
    writer.into_inner()
}

fn sensor(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensor"));
    command.args(arguments).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command
}

/// Replays `capture` from a file, with more arguments.
fn replay(capture: &[u8], arguments: &[&str]) -> Output {
    let (_directory, path) = file(capture);
    sensor(&[&["replay", path.to_str().unwrap()], arguments].concat()).output().unwrap()
}

fn file(capture: &[u8]) -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("test.pcap");
    std::fs::write(&path, capture).unwrap();
    (directory, path)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// It failed with exit code 2, one line on stderr with these words, and no backtrace.
fn failed(output: &Output, words: &[&str]) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("sensor: ") && stderr.lines().count() == 1, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word}: {stderr}");
    }
}

#[test]
fn a_forged_reset_is_explained_and_summed_up() {
    let output = replay(&forged(1), &[]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for words in [
        "ALERT  ttl-rst-mismatch    [2001:db8::9]:10000 > [2001:db8::50]:80  TTL 254, the client's 50 (1 hop, not 14)",
        "window 7777 is ours",
        "#9\n",
        "1 finding: 1 alert, 0 warn, 0 notice, 0 info",
        "matched 1 = submitted 1 + ring full 0 + held back 0",
        "this host: 2001:db8::50, guessed",
    ] {
        assert!(stdout.contains(words), "{words}\n{stdout}");
    }
    assert!(!stdout.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn json_is_an_object_a_line_and_nothing_else() {
    let output = replay(&forged(3), &["--output", "json"]);
    let objects = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap());
    let (objects, incidents): (Vec<serde_json::Value>, Vec<_>) =
        objects.partition(|object: &serde_json::Value| object["type"].is_null());
    assert_eq!((objects.len(), incidents.len()), (3, 2), "the incident has grown, and is over");
    assert_eq!(objects[2]["frame"], 27);
    assert_eq!(objects[2]["src_addr"], "2001:db8::9");
    assert!(text(&output.stderr).contains("matched 3 = submitted 3"));
}

#[test]
fn colour_is_had_on_demand() {
    assert!(text(&replay(&forged(1), &["--color", "always"]).stdout).contains("\u{1b}[1m\u{1b}[31mALERT"));
}

#[test]
fn local_networks_turn_the_words_around() {
    let output = replay(&forged(1), &["--local", "2001:db8::9/128"]);
    assert!(text(&output.stdout).contains("TTL 254, our 50"), "{}", text(&output.stdout));
    assert!(!text(&output.stdout).contains("guessed"));
}

#[test]
fn fail_on_decides_the_exit_code() {
    assert_eq!(replay(&forged(1), &["--fail-on", "warn"]).status.code(), Some(1));
    assert_eq!(replay(&forged(1), &["--fail-on", "alert"]).status.code(), Some(1));
    assert_eq!(replay(&forged(0), &["--fail-on", "info"]).status.code(), Some(0));
    assert_eq!(replay(&forged(1), &["--fail-on", "panic"]).status.code(), Some(2));
}

#[test]
fn what_is_no_capture_is_named() {
    failed(&replay(b"", &[]), &["empty", "capture anew"]);
    failed(&replay(b"GET / HTTP/1.1\r\n", &[]), &["not a capture file", "pcapng"]);
    let mut radio = forged(1);
    radio[20] = 127;
    failed(&replay(&radio, &[]), &["radiotap", "not supported"]);
    failed(&sensor(&["replay", "no-such-file.pcap"]).output().unwrap(), &["no-such-file.pcap", "check the path"]);
    failed(&sensor(&["replay", "."]).output().unwrap(), &["cannot be read"]);
}

#[test]
fn findings_before_the_damage_are_told() {
    let capture = forged(2);
    for arguments in [&[][..], &["--local", "2001:db8::50"]] {
        let output = replay(&capture[..capture.len() - 5], arguments);
        failed(&output, &["cut short after 17 frames"]);
        assert!(text(&output.stdout).contains("1 finding: 1 alert"), "{}", text(&output.stdout));
    }
}

#[test]
fn stdin_is_a_file_too() {
    let (_directory, path) = file(&forged(1));
    let output = sensor(&["replay", "-"]).stdin(File::open(path).unwrap()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("1 finding: 1 alert"));
}

#[test]
fn nobody_reading_is_no_error() {
    let (_directory, path) = file(&forged(2000));
    let mut child =
        sensor(&["replay", path.to_str().unwrap()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut some = [0; 100];
    // Closed after the first bytes, as `head` does.
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn every_id_is_listed_and_has_its_page() {
    let list = sensor(&["explain"]).output().unwrap();
    let list = text(&list.stdout);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "nobody's terminal is as wide as a pipe: {list}");
    let ids = Kind::ALL.iter().map(|kind| kind.id()).chain(Evidence::ALL.iter().map(|(_, id, _)| *id));
    for id in ids {
        assert!(list.contains(&format!("  {id} ")) || list.contains(&format!(" {id}:")), "{id}: {list}");
        let page = sensor(&["explain", id]).output().unwrap();
        assert_eq!(page.status.code(), Some(0), "{id}: {}", text(&page.stderr));
        assert!(text(&page.stdout).starts_with(id), "{id}");
    }
}

#[test]
fn a_kind_is_explained_at_length() {
    let page = sensor(&["explain", "ttl-rst-mismatch"]).output().unwrap();
    let page = text(&page.stdout);
    for words in
        ["notice to alert", "  meaning     The reset was made", "+3 points", "  causes", "  look-alikes", "  next"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains('`') && !page.contains('\u{1b}'), "{page}");
    let coloured = sensor(&["explain", "ttl-rst-mismatch", "--color", "always"]).output().unwrap();
    assert!(text(&coloured.stdout).contains("\u{1b}[1m\u{1b}[31mnotice to alert"), "{}", text(&coloured.stdout));
}

#[test]
fn explanations_for_programs_are_an_object_a_line() {
    let list = sensor(&["explain", "-o", "json"]).output().unwrap();
    let objects: Vec<serde_json::Value> =
        text(&list.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        objects.iter().filter(|object| object["kind"].is_object()).count(),
        Kind::ALL.len() + Aggregate::ALL.len() + Pattern::ALL.len()
    );
    assert_eq!(objects.iter().filter(|object| object["evidence"].is_object()).count(), Evidence::ALL.len());
    let one = sensor(&["explain", "rst-seq-data", "--output", "json"]).output().unwrap();
    let one: serde_json::Value = serde_json::from_slice(&one.stdout).unwrap();
    assert!(objects.contains(&one));
    assert_eq!(one["kind"]["severity"], serde_json::json!(["alert", "alert"]));
    assert_eq!(one["evidence"]["points"], 4.0);
}

#[test]
fn an_unknown_id_is_answered_with_the_nearest() {
    failed(&sensor(&["explain", "ttl-rts-mismatch"]).output().unwrap(), &["ttl-rst-mismatch", "`sensor explain`"]);
    failed(&sensor(&["explain", "x\u{1b}[2J\n"]).output().unwrap(), &["no kind", "\\u{1b}"]);
}

#[test]
fn a_full_disk_is_named() {
    let Ok(full) = File::create("/dev/full") else { return };
    let (_directory, path) = file(&forged(2000));
    let output = sensor(&["replay", path.to_str().unwrap()]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    failed(&output, &["report cannot be written", "No space left"]);
}

#[test]
fn findings_come_before_the_pipe_is_closed() {
    for workers in ["1", "2"] {
        let mut child = sensor(&["replay", "-", "--local", "2001:db8::50", "--workers", workers])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&forged(1)).unwrap();
        let mut some = [0; 500];
        child.stdout.as_mut().unwrap().read_exact(&mut some).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn frames_of_unknown_links_are_skipped_and_counted() {
    fn block(kind: u32, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32 + 12).to_le_bytes();
        [&kind.to_le_bytes()[..], &length, body, &length].concat()
    }
    let interface = |link: u8| block(1, &[link, 0, 0, 0, 0, 0, 0, 0]);
    let frame =
        |interface: u8| block(6, &[&[interface, 0, 0, 0][..], &[0; 8], &[4, 0, 0, 0], &[4, 0, 0, 0], &[9; 4]].concat());
    let section = block(0x0a0d_0d0a, &[&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat());
    let start = [section, interface(1), interface(127)].concat();

    let output = replay(&[&start[..], &frame(1), &frame(0), &frame(1)].concat(), &[]);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stderr.matches("such frames are skipped").count(), 1, "{stderr}");
    assert!(stdout.contains("skipped: 2 frames of link type 127"), "{stdout}");
    assert!(stdout.contains("not judged: 1 truncated"), "{stdout}");

    let output = replay(&[&start[..], &frame(1)].concat(), &[]);
    assert_eq!(output.status.code(), Some(2), "nothing was read at all");
}

#[test]
fn records_tell_of_each_connection() {
    let output = replay(&forged(2), &["--records"]);
    let records: Vec<_> = text(&output.stdout).lines().filter(|line| line.contains(" FLOW ")).collect();
    let expected = "2013-05-20T14:40:25.008000Z FLOW   rst                 [2001:db8::9]:10000 > [2001:db8::50]:80  \
                    RSTO ShDaR  8.4 ms  sent 7 / 50 B, answered 2 / 0 B  RTT 1.0 ms  findings 1 severe, 0 mild";
    assert_eq!(records.len(), 2, "{}", text(&output.stdout));
    assert_eq!(records[0], expected);
    assert!(!text(&replay(&forged(2), &[]).stdout).contains(" FLOW "), "only on demand");

    let output = replay(&forged(2), &["--records", "--output", "json"]);
    let flows: Vec<serde_json::Value> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|object| object["type"] == "flow")
        .collect();
    assert_eq!(flows.len(), 2);
    assert_eq!((&flows[1]["client_port"], &flows[1]["completeness"]), (&10_001.into(), &47.into()));
}
