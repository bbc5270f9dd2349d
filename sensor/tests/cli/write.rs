//! `--write`: findings as packets, for other tools.

use super::*;

#[test]
fn the_file_tells_the_same_story() {
    let (_directory, path) = file(&vec![7; 100_000]);
    let path = path.to_str().unwrap();
    let output = replay(&forged(2), &["--write", path]);
    assert!(text(&output.stdout).contains(&format!("write: 2 findings, 14 segments in {path}")), "{output:?}");
    let again = sensor(&["replay", path]).output().unwrap();
    assert!(text(&again.stdout).contains("2 findings: 2 alert"), "{again:?}");
    assert!(text(&again.stdout).contains("14 frames, 14 TCP segments, 2 flows (2 established)"), "{again:?}");
}

#[test]
fn what_cannot_be_written_is_named_at_once() {
    let (directory, path) = file(&forged(1));
    let folder = directory.path().to_str().unwrap();
    let remedy = "name another file, in a folder that exists";
    failed(&replay(&forged(1), &["--write", folder]), &["Is a directory", remedy]);
    failed(&replay(&forged(1), &["--write", "/no-such-folder/x.pcapng"]), &["/no-such-folder/x.pcapng", remedy]);
    failed(&replay(&forged(1), &["--write", "-"]), &["stdout is for the report", remedy]);
    failed(&replay(&forged(1), &["--write", "/dev/full"]), &["No space left", remedy]);
    for verb in ["attach", "demo"] {
        failed(&sensor(&[verb, "--write", folder]).output().unwrap(), &["Is a directory", remedy]);
    }

    let path = path.to_str().unwrap();
    failed(&sensor(&["replay", path, "--write", path]).output().unwrap(), &["the capture to be read", remedy]);
    let piped = sensor(&["replay", "-", "--write", path]).stdin(File::open(path).unwrap()).output().unwrap();
    failed(&piped, &["the capture to be read"]);
    assert_eq!(std::fs::read(path).unwrap(), forged(1), "and is as it was");
}

#[test]
fn a_full_disk_costs_findings_and_nothing_else() {
    let (directory, path) = file(&forged(100));
    let packets = directory.path().join("findings.pcapng");
    // A limit on the size of files is as good as a full disk.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" replay \"$1\" --write \"$2\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_sensor")]).arg(path).arg(&packets);
    let output = shell.output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(stdout.contains("100 findings: 100 alert"), "{stdout}");
    assert!(stderr.lines().count() == 1 && stderr.contains("make room"), "{stderr}");
    let number = |words: &str| {
        let line = stdout.lines().find(|line| line.starts_with("write: ") && line.contains(words)).unwrap();
        line["write: ".len()..].split(' ').next().unwrap().parse::<u32>().unwrap()
    };
    let (written, lost) = (number("segments in"), number("findings lost"));
    assert!(written > 0 && lost > 0 && written + lost == 100, "{stdout}");
    let again = sensor(&["replay", packets.to_str().unwrap()]).output().unwrap();
    assert!(text(&again.stdout).contains(&format!("{written} findings: {written} alert")), "{again:?}");
}

#[test]
fn tshark_reads_the_comments() {
    let (directory, path) = file(&forged(3));
    let packets = directory.path().join("findings.pcapng");
    let packets = packets.to_str().unwrap();
    assert!(sensor(&["replay", path.to_str().unwrap(), "--write", packets]).status().unwrap().success());
    let tshark = |arguments: &[&str]| Command::new("tshark").args(["-r", packets]).args(arguments).output();
    let Ok(fields) = tshark(&["-T", "fields", "-e", "tcp.len", "-e", "frame.comment", "-e", "frame.interface_name"])
    else {
        eprintln!("SKIPPED: no tshark here");
        return;
    };
    assert!(fields.status.success(), "{fields:?}");
    let lines: Vec<Vec<&str>> = text(&fields.stdout).lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), 21);
    assert!(lines.iter().all(|line| line[2] == "interface 0"));
    assert_eq!(lines.iter().filter(|line| line[0] == "10").count(), 3 * 4, "payload by its length");
    let comments: Vec<&str> = lines.iter().map(|line| line[1]).filter(|comment| !comment.is_empty()).collect();
    assert_eq!(comments.len(), 3);
    for comment in comments {
        assert!(comment.starts_with("ttl-rst-mismatch alert, confidence "), "{comment}");
        assert!(comment.contains("TTL 254, the client's 50") && comment.contains("evidence "), "{comment}");
    }
    let wrong = tshark(&["-Y", "_ws.malformed || _ws.expert.severity == error"]).unwrap();
    assert_eq!((wrong.status.success(), text(&wrong.stdout)), (true, ""));
}
