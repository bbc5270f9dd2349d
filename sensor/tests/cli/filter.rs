//! Filters, and the formats of others, from outside.

use serde_json::Value;

use super::{failed, file, forged, replay, sensor, text};

#[test]
fn what_does_not_fit_is_no_part_of_the_report_and_counted() {
    let capture = forged(20);
    let output = replay(&capture, &["--from-port", "10003", "--from-port", "10004", "--fail-on", "alert"]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stdout.matches("ALERT  ttl-rst-mismatch").count(), 2, "{stdout}");
    assert!(stdout.contains("reset 2 connections"), "the incident is of these, too: {stdout}");
    assert!(stdout.contains("2 findings: 2 alert") && stdout.contains("filter: 18 findings and 0 records"));
    assert!(stdout.contains("matched 20 = submitted 20"), "the engine's account is whole");
    let output = replay(&capture, &["--not", "--to-ip", "2001:db8::/32", "--fail-on", "info", "--records"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("filter: 20 findings and 20 records"), "{output:?}");
}

#[test]
fn what_is_asked_for_is_told_however_mild() {
    let capture = forged(1);
    let told = |arguments: &[&str]| text(&replay(&capture, arguments).stdout).matches("#9\n").count();
    assert_eq!((told(&[]), told(&["--kind", "distance"]), told(&["--severity", "info"])), (1, 1, 1));
    assert_eq!((told(&["--kind", "ws-*"]), told(&["--min-severity", "alert", "--severity", "info"])), (0, 1));
}

#[test]
fn what_cannot_be_asked_for_is_pointed_at() {
    for (arguments, words) in [
        (&["--ip", "10.0.0.0/33"][..], "    10.0.0.0/33\n             ^^"),
        (&["--kind", "rst-seq-dta"], "the nearest is rst-seq-data"),
        (&["--not", "--not", "--port", "1"], "each --not turns round the one filter behind it"),
        (&["--port", "\u{1b}[2J"], "\\u{1b}[2J"),
    ] {
        let output = sensor(&[&["replay", "x"], arguments].concat()).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
    for (arguments, words) in
        [(&["--since", "12x"][..], "at character 3, is no unit"), (&["-f", "--until", "1m"], "cannot be used with")]
    {
        let output = sensor(&[&["tail"], arguments].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    let (_directory, path) = file(&[]);
    let socket = path.to_str().unwrap();
    failed(&sensor(&["tail", "--socket", socket]).output().unwrap(), &["no sensor listens at", "--socket PATH"]);
}

#[test]
fn many_alike_are_told_once_in_a_while_and_programs_get_all() {
    let capture = forged(120);
    let output = replay(&capture, &[]);
    let stdout = text(&output.stdout);
    assert_eq!(stdout.matches("ALERT  ttl-rst-mismatch").count(), 11, "{stdout}");
    assert!(stdout.contains("(89 more like it not told)") && stdout.contains("reset 100 connections"), "{stdout}");
    let sum = "repeats: findings 120 = told 11 + like those before 109 (109 ttl-rst-mismatch)";
    assert!(stdout.contains(sum) && stdout.contains("120 findings: 120 alert"), "{stdout}");
    let all = replay(&capture, &["--dedup", "never"]);
    assert_eq!(text(&all.stdout).matches("ALERT  ttl-rst-mismatch").count(), 120);
    let eve = |arguments: &[&str]| {
        let output = replay(&capture, &[&["-o", "json", "-o", "eve"], arguments].concat());
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let of = |objects: &[Value], event: &str| objects.iter().filter(|o| o["anomaly"]["event"] == event).count();
    assert_eq!(of(&eve(&[]), "stream.ttl-rst-mismatch"), 120, "the last of several outputs holds");
    assert_eq!(of(&eve(&["--dedup", "always"]), "stream.ttl-rst-mismatch"), 11);
    assert!(of(&eve(&[]), "stream.incident") >= 3, "begun, grown, over");
    let flows = eve(&["--records"]).iter().filter(|object| object["event_type"] == "flow").count();
    assert_eq!(flows, 120);
    let ecs = replay(&capture, &["-o", "ecs", "--records"]);
    let sets = text(&ecs.stdout).lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut sets: Vec<String> = sets.map(|object| object["event"]["dataset"].as_str().unwrap().to_owned()).collect();
    sets.sort();
    sets.dedup();
    assert_eq!(sets, ["sensor.finding", "sensor.flow", "sensor.incident"]);
}

#[test]
fn what_is_written_on_the_command_line_steers_no_terminal() {
    let name = "\u{1b}]0;x\u{7}";
    for arguments in [
        &["replay", name][..],
        &["replay", "x", "--port", name],
        &[name],
        &["explain", name],
        &["tail", "--socket", name],
    ] {
        let output = sensor(arguments).output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(!stderr.contains(['\u{1b}', '\u{7}']), "{stderr:?}");
    }
}
