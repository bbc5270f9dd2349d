//! What fits and what does not; what cannot be asked for.

use clap::{Args as _, Command, FromArgMatches as _};

use super::*;

fn parse(line: &str) -> Result<Filter, String> {
    let command = Filter::augment_args(Command::new("t").no_binary_name(true));
    let matches = command.clone().try_get_matches_from(line.split_whitespace()).map_err(|error| error.to_string())?;
    Filter::from_arg_matches(&matches).map_err(|error| error.format(&mut command.clone()).to_string())
}

fn seen(from: &str, to: &str) -> Traits<'static> {
    Traits {
        ends: vec![[from.parse().unwrap(), to.parse().unwrap()]],
        kinds: vec!["rst-seq-data"],
        severity: Some(Severity::Warn),
        interface: Some("veth7"),
        flags: Some(TcpFlags::RST.with(TcpFlags::ACK)),
        who: Vec::new(),
    }
}

#[test]
fn values_are_alternatives_and_options_must_all_hold() {
    let one = seen("192.0.2.9:40000", "10.1.2.3:443");
    for (line, fits) in [
        ("", true),
        ("--ip 10.0.0.0/8", true),
        ("--ip 10.1.2.3 --port 80", false),
        ("--port 80 --port 443", true),
        ("--from-ip 10.0.0.0/8", false),
        ("--to-ip 10.0.0.0/8 --from-ip 192.0.2.0/24", true),
        ("--to-ip 10.9.9.9/8", true),
        ("--ip ::/0", false),
        ("--from-port 40000 --to-port 443", true),
        ("--from-port 443", false),
        ("--kind rst-*", true),
        ("--kind forged", true),
        ("--kind distance", false),
        ("--kind distance --kind rst-seq-data", true),
        ("--kind aggregates", false),
        ("--not --kind syn-flood", true),
        ("--severity notice", true),
        ("--severity alert", false),
        ("--severity alert --severity info", true),
        ("--iface veth* --flags rst", true),
        ("--flags RST,ACK", true),
        ("--flags RST,FIN", false),
        ("--iface eth0", false),
        ("--not --ip 10.0.0.0/8", false),
        ("--not --ip 10.2.0.0/16", true),
        ("--not --kind rst-* --ip 10.0.0.0/8", false),
        ("--ip 10.0.0.0/8 --not --port 80", true),
        // Each `--not` leaves out by itself.
        ("--not --port 80 --not --port 443", false),
        ("--port 443 --not --from-ip 192.0.2.9", false),
        ("--port 443 --not --to-ip 192.0.2.9", true),
    ] {
        assert_eq!(parse(line).unwrap().fits(&one), fits, "{line}");
    }
}

#[test]
fn pods_are_asked_for_by_name_at_either_end() {
    let name = |text: &str| Some(text.to_owned());
    let pod = Who { namespace: name("shop"), pod: name("web-0"), ..Who::default() };
    let service = Who { namespace: name("shop"), services: vec!["db".into()], ..Who::default() };
    let node = Who { node: name("n1"), ..Who::default() };
    let one = |ends| Traits { who: vec![ends], ..seen("192.0.2.9:40000", "10.1.2.3:443") };
    for (line, fits) in [
        ("--pod web-0", [true, false, false]),
        ("--pod shop/web-*", [true, false, false]),
        ("--pod */web-0", [true, false, false]),
        ("--pod other/web-0", [false; 3]),
        ("--pod *", [true, false, false]),
        ("--namespace sh?p", [true, true, false]),
        ("--not --namespace shop", [false, false, true]),
        ("--not --pod web-1", [true; 3]),
        ("--namespace other --namespace shop --port 443", [true, true, false]),
    ] {
        for (who, fits) in [&pod, &service, &node].into_iter().zip(fits) {
            assert_eq!(parse(line).unwrap().fits(&one([None, Some(who)])), fits, "{line}: {who}");
            assert_eq!(parse(line).unwrap().fits(&one([Some(who), None])), fits, "{line}: {who}");
        }
        let unnamed = parse(line).unwrap().fits(&seen("192.0.2.9:40000", "10.1.2.3:443"));
        assert_eq!(unnamed, line.starts_with("--not"), "{line}");
    }
    assert!(parse("--pod web-0").unwrap().asks_a_cluster() && !parse("--port 1").unwrap().asks_a_cluster());
}

#[test]
fn what_is_unknown_fits_nothing_and_is_not_left_out() {
    let record = Traits { ends: seen("192.0.2.9:1", "10.1.2.3:443").ends, ..Traits::default() };
    for (line, fits) in [("--kind *", false), ("--severity info", false), ("--not --kind *", true), ("--ip ::1", false)]
    {
        assert_eq!(parse(line).unwrap().fits(&record), fits, "{line}");
    }
    let least = |line: &str| parse(line).unwrap().least();
    assert_eq!((least("--kind rst-refused"), least("--severity alert")), (Some(Severity::Info), Some(Severity::Alert)));
    assert_eq!(least("--port 1 --not --kind *"), None);
}

#[test]
fn of_many_only_what_all_of_them_are_is_left_out() {
    let mut many = seen("192.0.2.9:1", "10.1.2.3:443");
    many.ends.push(["192.0.2.77:1".parse().unwrap(), "10.1.2.3:443".parse().unwrap()]);
    for (line, fits) in
        [("--from-ip 192.0.2.9", true), ("--not --from-ip 192.0.2.9", true), ("--not --to-port 443", false)]
    {
        assert_eq!(parse(line).unwrap().fits(&many), fits, "{line}");
    }
}

#[test]
fn what_cannot_be_is_pointed_at() {
    for (line, words) in [
        ("--ip 10.0.300.1/8", "10.0.300.1/8\n         ^^^\n"),
        ("--ip 10.0.0.0/33", "a prefix length is 0 to 32\n\n    10.0.0.0/33\n             ^^\n"),
        ("--ip fe80::1/129", "a prefix length is 0 to 128\n\n    fe80::1/129\n            ^^^\n"),
        ("--ip 10.0.0.0/", "10.0.0.0/\n             ^\n"),
        ("--ip web", "    web\n    ^^^\n"),
        ("--port 0", "from 1 to 65535"),
        ("--port 99999", "    99999\n    ^^^^^\n"),
        ("--kind rst-seq-dta", "the nearest is rst-seq-data"),
        ("--kind rst-[", "    rst-[\n        ^\n"),
        ("--severity fatal", "one of info, notice, warn, alert"),
        ("--iface a***b", "    a***b\n"),
        ("--pod shop/", "a pod is named as web-0, shop/web-0"),
        ("--namespace a/b", "    a/b\n    ^^^\n"),
        ("--flags SYN,AKC", "    SYN,AKC\n        ^^^\n"),
        ("--not", "turns round the one filter behind it"),
        ("--not --not --port 1", "turns round the one filter behind it"),
        ("--port 1 --not", "turns round the one filter behind it"),
    ] {
        let error = parse(line).expect_err(line);
        assert!(error.contains(words), "{line}: {error}");
        assert!(error.len() < 600, "{error}");
    }
    let escaped = Test::ip(test::Which::Either, "\u{1b}[2J/8").unwrap_err();
    assert!(!escaped.contains('\u{1b}') && escaped.contains("    \\u{1b}[2J/8\n    ^^^^^^^^^"), "{escaped}");
}
