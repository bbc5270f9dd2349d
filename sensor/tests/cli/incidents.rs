//! `replay --db` and `sensor incidents`: what was found is told again later, with its segments.

use super::*;

/// A database of a capture in which one device resets so many connections.
fn kept(flows: u16) -> (TempDir, String) {
    let (directory, path) = file(&forged(flows));
    let db = directory.path().join("s.db").to_str().unwrap().to_owned();
    let output = sensor(&["replay", path.to_str().unwrap(), "--db", &db]).output().unwrap();
    let account = format!("db: {flows} findings, {flows} records, ");
    assert!(text(&output.stdout).contains(&account), "{}", text(&output.stdout));
    (directory, db)
}

fn incidents(db: &str, arguments: &[&str]) -> String {
    let output = sensor(&[&["incidents", "--db", db], arguments].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

fn ids(db: &str, arguments: &[&str]) -> Vec<String> {
    let lines = incidents(db, &[arguments, &["--json"]].concat());
    let object = |line| serde_json::from_str::<serde_json::Value>(line).unwrap();
    lines.lines().map(|line| object(line)["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_found_is_told_later() {
    let (directory, db) = kept(12);
    let listed = incidents(&db, &[]);
    assert!(listed.starts_with("2013-05-20T14:40:25.") && listed.ends_with("1 incident\n"), "{listed}");
    assert!(
        listed.contains("a device 1 hop from here (initial TTL 255") && listed.contains("12 connections"),
        "{listed}"
    );
    let [id] = &ids(&db, &[])[..] else { panic!("{listed}") };

    let packets = directory.path().join("x.pcapng").to_str().unwrap().to_owned();
    let show = ["incidents", "show", &id[..5], "--db", &db, "--limit", "1", "--write", &packets];
    let shown = sensor(&show).output().unwrap();
    let shown = text(&shown.stdout);
    for words in [
        "  cause     A device on the way",
        "  whom      [2001:db8::50]:80",
        "ALERT  ttl-rst-mismatch    [2001:db8::9]:10000 > [2001:db8::50]:80  TTL 254, the client's 50 (1 hop, not 14)",
        "  segments  ",
        "< the suspect",
        "1 of 12 findings\n",
        "write: 12 findings, ",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    // The very words of the report that was printed then.
    let (_directory, capture) = file(&forged(12));
    let then = sensor(&["replay", capture.to_str().unwrap()]).output().unwrap();
    let block = |text: &str| {
        let from = text.find(" ALERT  ttl-rst-mismatch").unwrap();
        text[from..].split("\n\n").next().unwrap().to_owned()
    };
    assert_eq!(block(shown), block(text(&then.stdout)));
    let replayed = sensor(&["replay", &packets]).output().unwrap();
    assert!(text(&replayed.stdout).contains("12 findings: 12 alert"), "{replayed:?}");

    // Read once more: the same incident, which is told once.
    let again = sensor(&["replay", capture.to_str().unwrap(), "--db", &db]).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
    assert_eq!(ids(&db, &[]), [id.as_str()]);
    let shown = sensor(&show).output().unwrap();
    assert!(text(&shown.stdout).contains("1 of 12 findings\n"), "of the last time: {}", text(&shown.stdout));
}

#[test]
fn incidents_are_asked_for_by_time_device_service_and_severity() {
    let (_directory, db) = kept(3);
    for (arguments, found) in [
        (&["--since", "2013-05-20"][..], 1),
        (&["--since", "2013-05-20T14:40:25.1", "--until", "2013-05-21"], 0),
        (&["--until", "2013-05-20T14:40"], 0),
        (&["--since", "12h"], 0),
        (&["--device", "1"], 1),
        (&["--device", "1/255"], 1),
        (&["--device", "1/64"], 0),
        (&["--device", "2"], 0),
        (&["--service", "[2001:db8::50]:80"], 1),
        (&["--service", "[2001:db8::50]:81"], 0),
        (&["--severity", "alert"], 1),
        (&["--limit", "0"], 0),
    ] {
        assert_eq!(ids(&db, arguments).len(), found, "{arguments:?}");
    }
    // The one that the agent is told to use.
    let configured = sensor(&["incidents"]).env("SENSOR_DB", &db).output().unwrap();
    assert!(text(&configured.stdout).ends_with("1 incident\n"), "{configured:?}");
}

#[test]
fn what_makes_no_sense_is_one_sentence() {
    let (directory, db) = kept(2);
    let id = &ids(&db, &[])[0];
    let ask = |arguments: &[&str]| sensor(&[&["incidents"], arguments].concat()).output().unwrap();
    let wrong = format!("{}zz", &id[..8]);
    failed(&ask(&["show", &wrong, "--db", &db]), &[&wrong, "is no incident: the nearest is ", id]);
    failed(&ask(&["--db", &db, "--since", "now", "--until", "2h"]), &["is after --until", "exchange them"]);
    let none = directory.path().join("none.db").to_str().unwrap().to_owned();
    failed(&ask(&["--db", &none]), &["there is no database", "sensor attach --db"]);
    failed(&ask(&["--db", directory.path().to_str().unwrap()]), &["is no database of this program"]);
    let (_directory, capture) = file(&forged(1));
    let capture = capture.to_str().unwrap();
    failed(&ask(&["--db", capture]), &["is no database of this program"]);
    failed(&sensor(&["replay", capture, "--db", capture]).output().unwrap(), &["is no database of this program"]);
    failed(&ask(&["--since", "1h", "show", id, "--db", &db]), &["leave out what chooses among them"]);
    failed(&ask(&["--db", &db, "show", id, "--write", "/none/x"]), &["/none/x cannot be written"]);
    // The command line's own complaints name the place.
    for (arguments, words) in [
        (["--since", "12x"], r#""x", at character 3, is no unit"#),
        (["--until", "2026-02-30"], "write 12h, 3d, 2026-11-21"),
        (["--device", "far"], "write 3, or 3/64"),
    ] {
        let output = ask(&arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
}

#[test]
fn what_others_kept_is_told_as_far_as_it_is_understood() {
    let (_directory, db) = kept(2);
    let connection = rusqlite::Connection::open(&db).unwrap();
    // From a sensor whose incidents and events look different, and from somebody who means harm.
    connection
        .execute("UPDATE incident SET view = '{\"what\":\"all \\u001b[2J\\u0007gone\"}', id = 'x\u{1b}[2Jx'", [])
        .unwrap();
    connection.execute("UPDATE finding SET incident = 'x\u{1b}[2Jx', event = x'00', kind = 'k\u{1b}[2J'", []).unwrap();
    drop(connection);
    let texts = [incidents(&db, &[]), incidents(&db, &["show", "x"]), incidents(&db, &["--json"])];
    for text in &texts {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
    assert!(texts[0].contains(r"all \u{1b}[2J\u{7}gone, told by another version of the sensor"), "{}", texts[0]);
    assert!(
        texts[1].contains("kept by another version of the sensor") && texts[1].contains("2 of 2 findings"),
        "{}",
        texts[1]
    );
}

/// A capture in which somebody asks so many ports, of which one answers.
fn scanned(ports: u16, open: u16) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new()).unwrap();
    for port in 1..=ports {
        let ask = TcpPacket {
            macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
            vlan: None,
            source: "198.51.100.7:40000".parse().unwrap(),
            destination: format!("203.0.113.9:{port}").parse().unwrap(),
            ttl: 50,
            id: 0,
            dont_fragment: true,
            flags: TcpFlags::SYN,
            seq: SeqNumber(1000),
            ack: SeqNumber(0),
            window: 1024,
            options: Vec::new(),
            payload: Vec::new(),
        };
        let accept =
            TcpPacket { ttl: 64, window: 7777, seq: SeqNumber(5), flags: TcpFlags::SYN.with(ACK), ..ask.answer() };
        for (i, packet) in [ask, accept].iter().enumerate().filter(|(i, _)| *i == 0 || port == open) {
            let frame = packet.build().0;
            let time = (1_369_060_825_000 + u64::from(port) * 10 + i as u64) * MS;
            writer.frame(time, &frame, frame.len() as u32).unwrap();
        }
    }
    writer.into_inner()
}

#[test]
fn what_is_of_many_connections_together_is_told_with_them() {
    let (directory, path) = file(&scanned(200, 22));
    let db = directory.path().join("s.db").to_str().unwrap().to_owned();
    let output = sensor(&["replay", path.to_str().unwrap(), "--local", "203.0.113.9", "--db", &db]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines = incidents(&db, &["--json"]);
    let scan = lines.lines().find(|line| line.contains(r#""of":"source""#)).unwrap_or_else(|| panic!("{lines}"));
    let scan: serde_json::Value = serde_json::from_str(scan).unwrap();
    let id = scan["id"].as_str().unwrap();
    let shown = incidents(&db, &["show", id, "--limit", "3"]);
    let flows: Vec<&str> = shown.lines().filter(|line| line.contains(" FLOW   ")).collect();
    assert_eq!(flows.len(), 3, "{shown}");
    assert!(flows[0].contains("198.51.100.7:40000 > 203.0.113.9:22  S1 Sh  sent 1 / 0 B, answered 1 / 0 B"), "{shown}");
    assert!(flows[1].contains("  S0 S  "), "{shown}");
    assert!(shown.ends_with("counted, and made of no findings; 3 connections\n"), "{shown}");
    let objects = incidents(&db, &["show", id, "--limit", "3", "--json"]);
    let types = objects.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].clone());
    assert_eq!(types.collect::<Vec<_>>(), ["incident", "flow", "flow", "flow"]);
}
