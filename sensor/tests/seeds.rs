//! The three seeds, from capture to conclusion: what `sensor replay` makes of them reaches what experts found, and nothing that they
//! ruled out. README.md shows it; with `UPDATE_SEEDS=1` this writes it there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path, process::Command};

/// The incidents in the report of a seed, each a line and its block.
fn incidents(seed: u8) -> String {
    let capture = format!("../tests/golden/seed{seed}.pcap");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sensor"));
    let output = command.args(["replay", "--color", "never", &capture]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report = String::from_utf8(output.stdout).unwrap();
    let blocks = report.split_inclusive('\n').skip_while(|line| !line.contains(" incident "));
    blocks.take_while(|line| line.trim().is_empty() || line.starts_with("20") || line.starts_with("  ")).collect()
}

/// A text on one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Asserts that each of `said` is in the text, and none of `unsaid`.
fn check(seed: u8, said: &[&str], unsaid: &[&str]) {
    let text = flat(&incidents(seed));
    for words in said {
        assert!(text.contains(words), "seed {seed} does not say {words:?}:\n{text}");
    }
    for words in unsaid {
        assert!(!text.contains(words), "seed {seed} says {words:?}:\n{text}");
    }
}

#[test]
fn seed_1_is_the_gateway_and_no_idle_timeout() {
    let said = [
        "a device 0 hops from here (initial TTL 255) reset 1 connection",
        // Our correction: 255 says that nothing counted down, not that it was the nearest.
        "a gateway, or a box further on that does not count TTL down",
        "copied the window",
        "lost its entry for a live connection",
        "the other side may hang",
        "not An idle timeout: all connections had been active within 1.0 s before",
    ];
    check(1, &said, &["cause An idle timeout", "Overload", "An application that gives up", "blind"]);
}

#[test]
fn seed_2_is_a_half_open_entry_and_not_ecn() {
    let said = [
        "The server's answers to connection requests are lost on their way back",
        "half-open entry",
        "given up by a reset",
        "not Ports are used again too soon: the plain ACKs acknowledge these very requests",
        "ECN: 5 of 5 other handshakes with ECN to the service worked",
        "(2 of 5 connections)",
        "was the first SYN-ACK sent?",
    ];
    check(2, &said, &["cause ECN", "flood", "closed port", "a device"]);
}

#[test]
fn seed_3_is_port_reuse_and_a_timer_and_no_overload() {
    let said = [
        "Ports are used again too soon",
        "the final numbers of the connection before",
        // Our correction: the client closed first.
        "the server is not in TIME_WAIT",
        "the client's reset clears that",
        "not Overload: the answers are those of a host that still has state",
        "6 resets with a window of 0 came after the other side's FIN, where a window means nothing",
        "100 % of 6 closes come 10.0 s after the last byte, by the client: its idle timer",
        "the server waits for the end of the stream",
        "by a reset in place of the last ACK",
        "accepted in the end",
    ];
    check(3, &said, &["cause Overload", "An idle timeout", "device", "filter", "lost on their way"]);
}

#[test]
fn the_readme_shows_them() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- seeds: begin -->\n", "<!-- seeds: end -->");
    let begin = text.find(begin).expect("where it begins") + begin.len();
    let end = text.find(end).expect("where it ends");
    let asked = [
        "A reset with TTL 255 among 2605 connections (Ask Wireshark, question 21121). Is it the client?",
        "SYN, SYN, plain ACK, reset (question 17280). Is it ECN?",
        "Resets with window 0, and connections that fail at first (question 64076). Is it overload?",
    ];
    let shown: String = asked
        .iter()
        .zip(1..)
        .map(|(asked, seed)| format!("\n{asked}\n\n```\n{}\n```\n", incidents(seed).trim_end()))
        .collect();
    let shown = shown + "\n";
    if std::env::var_os("UPDATE_SEEDS").is_some() {
        fs::write(&file, [&text[..begin], &shown, &text[end..]].concat()).unwrap();
    } else {
        assert_eq!(&text[begin..end], shown, "README.md is out of date: run this test with UPDATE_SEEDS=1");
    }
}
