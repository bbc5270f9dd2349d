//! The allow-list: findings that are known, and not to be told until a day.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use glob::Pattern;
use sensor_common::{
    event::Event,
    flow::{Key, Side},
    kind::Kind,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Problem, file::Source, problem::nearest};
use crate::{
    correlate::aggregate::{About, Aggregate, Sign},
    replay::Net,
    report::rfc3339,
};

/// The key of the list.
pub(super) const KEY: &str = "allow";

/// The keys of an entry.
const KEYS: [&str; 6] = ["kind", "address", "port", "interface", "reason", "until"];

/// Entries of a list. Each finding is compared with all of them.
const MOST: usize = 1000;

/// What is silenced for longer is silenced for ever, and nobody remembers why.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A day, in UTC, as `YYYY-MM-DD`; days are compared as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Today(String);

impl Today {
    /// This one.
    pub fn now() -> Self {
        Self::at(SystemTime::now())
    }

    fn at(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut text = rfc3339(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
        text.truncate(10);
        Self(text)
    }
}

impl fmt::Display for Today {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Findings that are not told: of these kinds, and where given of this address, port and interface.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    kinds: Vec<Kind>,
    aggregates: Vec<Aggregate>,
    address: Option<Net>,
    port: Option<u16>,
    interface: Option<Pattern>,
    until: String,
    /// Why it is fine.
    pub reason: String,
    /// Where it is written.
    pub place: String,
}

impl Allow {
    /// Whether it still holds.
    pub fn holds(&self, today: &Today) -> bool {
        today.0 <= self.until
    }

    fn covers(&self, event: &Event, interface: Option<&str>) -> bool {
        let key = &event.flow.head.key;
        event.kind().is_some_and(|kind| self.kinds.contains(&kind))
            && self.address.is_none_or(|net| SIDES.iter().any(|side| net.contains(address(key, *side))))
            && self.port.is_none_or(|port| SIDES.iter().any(|side| key.port(*side) == port))
            && self.interface.as_ref().is_none_or(|pattern| interface.is_some_and(|name| pattern.matches(name)))
    }
}

impl Allow {
    /// Whether it covers what many connections show together: by its source, client or service. That is of no one interface.
    fn covers_aggregate(&self, sign: &Sign) -> bool {
        let (addresses, port) = match sign.about {
            About::Here => ([None; 2], None),
            About::Source(source) => ([Some(source), None], None),
            About::Service(server) => ([Some(server.ip()), None], Some(server.port())),
            About::Client(client, server) => ([Some(client), Some(server.ip())], Some(server.port())),
        };
        self.aggregates.contains(&sign.kind)
            && self.address.is_none_or(|net| addresses.into_iter().flatten().any(|address| net.contains(address)))
            && self.port.is_none_or(|wanted| port == Some(wanted))
            && self.interface.is_none()
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = self.kinds.iter().map(|kind| kind.id());
        let kinds: Vec<_> = kinds.chain(self.aggregates.iter().map(|aggregate| aggregate.id())).collect();
        write!(f, "{}", kinds.join(", "))?;
        if let Some(address) = self.address {
            write!(f, " of {address}")?;
        }
        if let Some(port) = self.port {
            write!(f, " port {port}")?;
        }
        if let Some(interface) = &self.interface {
            write!(f, " on {interface}")?;
        }
        // Whoever wrote the file may not write to the terminal.
        write!(f, " until {}: {:?}", self.until, self.reason)
    }
}

const SIDES: [Side; 2] = [Side::A, Side::B];

fn address(key: &Key, side: Side) -> IpAddr {
    let bits = key.addr(side).iter().fold(0, |bits: u128, word| bits << 32 | u128::from(*word));
    Ipv6Addr::from_bits(bits).to_canonical()
}

/// What is not told, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct AllowList(pub Vec<Allow>);

impl AllowList {
    /// The first entry that covers a finding today.
    pub fn covering(&self, event: &Event, interface: Option<&str>, today: &Today) -> Option<&Allow> {
        self.0.iter().find(|allow| allow.holds(today) && allow.covers(event, interface))
    }

    /// The first entry that covers an aggregate today.
    pub fn covering_aggregate(&self, sign: &Sign, today: &Today) -> Option<&Allow> {
        self.0.iter().find(|allow| allow.holds(today) && allow.covers_aggregate(sign))
    }
}

/// Reads the list; what is wrong is added to `problems`.
pub(super) fn read(source: &Source<'_>, value: &Spanned<DeValue<'_>>, problems: &mut Vec<Problem>) -> AllowList {
    let how = "is a list: begin each entry with [[allow]]";
    let DeValue::Array(entries) = value.get_ref() else {
        problems.push(source.problem(value.span().start, format!("{KEY} {how}")));
        return AllowList::default();
    };
    if entries.len() > MOST {
        let text =
            format!("{KEY} has {} entries, and {MOST} is the most: use networks and lists of kinds", entries.len());
        problems.push(source.problem(value.span().start, text));
        return AllowList::default();
    }
    let mut list = AllowList::default();
    for entry in entries.iter() {
        let at = entry.span().start;
        let DeValue::Table(table) = entry.get_ref() else {
            problems.push(source.problem(at, format!("{KEY} {how}")));
            continue;
        };
        let before = problems.len();
        let allow = read_entry(source, at, table, problems);
        if problems.len() == before {
            list.0.push(allow);
        }
    }
    list
}

fn read_entry(source: &Source<'_>, at: usize, table: &DeTable<'_>, problems: &mut Vec<Problem>) -> Allow {
    let latest = Today::at(SystemTime::now() + LONGEST).0;
    let mut allow = Allow { place: source.place(at), ..Allow::default() };
    for (key, value) in table.iter() {
        let name: &str = key.get_ref();
        let mut wrong = |value: &Spanned<DeValue<'_>>, text: String| {
            problems.push(source.problem(value.span().start, text));
        };
        match (name, value.get_ref()) {
            ("kind", DeValue::String(_)) => add_kind(value, &mut allow, wrong),
            ("kind", DeValue::Array(ids)) if !ids.is_empty() => {
                ids.iter().for_each(|id| add_kind(id, &mut allow, &mut wrong));
            }
            ("address", DeValue::String(text)) => match text.parse() {
                Ok(net) => allow.address = Some(net),
                Err(why) => wrong(value, format!("address cannot be {text:?}: {why}")),
            },
            ("port", DeValue::Integer(number)) => match number.to_string().parse() {
                Ok(port) => allow.port = Some(port),
                Err(_) => wrong(value, format!("port cannot be {number}: it is a number up to 65535")),
            },
            ("interface", DeValue::String(text)) => match Pattern::new(text) {
                Ok(pattern) => allow.interface = Some(pattern),
                Err(why) => wrong(value, format!("interface cannot be {text:?}: {}", why.msg)),
            },
            ("reason", DeValue::String(text)) if !text.trim().is_empty() => allow.reason = text.to_string(),
            ("until", DeValue::Datetime(day)) if day.time.is_none() && day.offset.is_none() => {
                allow.until = day.to_string();
                if allow.until > latest {
                    wrong(value, format!("until cannot be {day}: a year ahead, {latest}, is the most"));
                }
            }
            (known, _) if KEYS.contains(&known) => wrong(value, format!("{known} {}", form(known))),
            _ => problems.push(source.unknown(key, KEYS)),
        }
    }
    for missing in ["kind", "reason", "until"].into_iter().filter(|key| !table.iter().any(|(k, _)| k.get_ref() == key))
    {
        problems.push(source.problem(at, format!("{KEY} lacks {missing}, which {}", form(missing))));
    }
    allow
}

/// How the value of a key is written.
fn form(key: &str) -> &'static str {
    match key {
        "kind" => "is an id in quotes, or a list of them: \"rst-refused\" (sensor explain lists them)",
        "address" => "is an address or a network in quotes: \"10.0.0.0/8\"",
        "port" => "is a number: 443",
        "interface" => "is a name or a pattern in quotes: \"veth*\"",
        "until" => "is a day without quotes: 2026-12-31",
        _ => "says in quotes why it is fine",
    }
}

fn add_kind(value: &Spanned<DeValue<'_>>, allow: &mut Allow, mut wrong: impl FnMut(&Spanned<DeValue<'_>>, String)) {
    let DeValue::String(id) = value.get_ref() else {
        return wrong(value, format!("kind {}", form("kind")));
    };
    match (Kind::ALL.iter().find(|kind| kind.id() == id.as_ref()), Aggregate::of(id)) {
        (Some(kind), _) => allow.kinds.push(*kind),
        (None, Some(aggregate)) => allow.aggregates.push(aggregate),
        (None, None) => {
            let aggregates = Aggregate::ALL.iter().map(|aggregate| aggregate.id());
            let nearest = nearest(id, Kind::ALL.iter().map(|kind| kind.id()).chain(aggregates));
            wrong(
                value,
                format!("there is no kind {id:?}; the nearest is {nearest:?}, and `sensor explain` lists them all"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::detect::Severity;
    use zerocopy::FromZeros as _;

    use super::*;

    fn list(text: &str) -> (AllowList, Vec<String>) {
        let table = DeTable::parse(text).unwrap();
        let value = table.get_ref().get(KEY).unwrap();
        let mut problems = Vec::new();
        let list = read(&Source { name: "F", text }, value, &mut problems);
        (list, problems.iter().map(ToString::to_string).collect())
    }

    fn event(kind: Kind, ends: [&str; 2], port: u16) -> Event {
        let mut event = Event::new_zeroed();
        event.kind = kind as u8;
        let words = |end: &str| match end.parse().unwrap() {
            IpAddr::V4(end) => [0, 0, 0xffff, end.to_bits()],
            IpAddr::V6(end) => [96, 64, 32, 0].map(|shift| (end.to_bits() >> shift) as u32),
        };
        let key = &mut event.flow.head.key;
        (key.a, key.b, key.ports) = (words(ends[0]), words(ends[1]), 50_000 << 16 | u32::from(port));
        event
    }

    #[test]
    fn an_entry_covers_what_it_names_until_its_day() {
        let today = Today::now();
        let text = format!(
            "[[allow]]\nkind = ['rst-refused', 'rst-abort']\naddress = '10.0.0.0/8'\nport = 443\n\
             interface = 'veth*'\nreason = 'scan'\nuntil = {}\n",
            today.0
        );
        let (list, problems) = list(&text);
        assert_eq!(problems, [""; 0]);
        let covered = |event: &Event, on| list.covering(event, on, &today).is_some();
        let (near, far) = ("10.1.2.3", "192.0.2.1");
        let fits = event(Kind::RstAbort, [near, far], 443);
        assert!(covered(&fits, Some("veth7")));
        assert!(covered(&event(Kind::RstRefused, [far, near], 443), Some("veth7")));
        assert!(!covered(&fits, Some("eth0")) && !covered(&fits, None));
        assert!(!covered(&event(Kind::RstSynSent, [near, far], 443), Some("veth7")));
        assert!(!covered(&event(Kind::RstAbort, [far, far], 443), Some("veth7")));
        assert!(!covered(&event(Kind::RstAbort, ["2001:db8::1", far], 443), Some("veth7")));
        assert!(!covered(&event(Kind::RstAbort, [near, far], 80), Some("veth7")));
        let tomorrow = Today::at(SystemTime::now() + Duration::from_secs(24 * 3600));
        assert!(list.covering(&fits, Some("veth7"), &tomorrow).is_none());
        let shown = list.0[0].to_string();
        let start = "rst-refused, rst-abort of 10.0.0.0/8 port 443 on veth* until ";
        assert!(shown.starts_with(start) && shown.ends_with(": \"scan\""), "{shown}");
    }

    #[test]
    fn an_aggregate_is_covered_by_its_source_or_service() {
        let today = Today::now();
        let sign = |kind, about| Sign::new(kind, about, Severity::Warn, String::new());
        let covered = |more: &str, sign: &Sign| {
            let text = format!(
                "[[allow]]\nkind = ['scan-syn', 'ephemeral-exhaustion', 'syn-flood']\nreason = 'x'\nuntil = {}\n{more}",
                today.0
            );
            let (list, problems) = list(&text);
            assert_eq!(problems, [""; 0]);
            list.covering_aggregate(sign, &today).is_some()
        };
        let server = "192.0.2.1:443".parse().unwrap();
        let scan = sign(Aggregate::ScanSyn, About::Source("10.1.2.3".parse().unwrap()));
        assert!(covered("", &scan) && covered("address = '10.0.0.0/8'", &scan));
        assert!(!covered("address = '10.2.0.0/16'", &scan) && !covered("port = 443", &scan));
        assert!(!covered("interface = '*'", &scan), "it is of no one interface");
        assert!(!covered("", &sign(Aggregate::Sweep, scan.about)));
        let ports = sign(Aggregate::EphemeralExhaustion, About::Client("10.1.2.3".parse().unwrap(), server));
        assert!(covered("address = '192.0.2.1'\nport = 443", &ports) && covered("address = '10.1.2.3'", &ports));
        assert!(covered("port = 443", &sign(Aggregate::SynFlood, About::Service(server))));
    }

    #[test]
    fn what_is_wrong_with_an_entry_is_told() {
        let rest = "reason = 'x'\nuntil = 2026-01-01\n";
        let kind = "kind = 'rst-abort'\n";
        for (entry, words) in [
            (
                format!("kind = 'rst-refusd'\n{rest}"),
                "F:2:8: there is no kind \"rst-refusd\"; the nearest is \"rst-refused\"",
            ),
            (format!("kind = []\n{rest}"), "F:2:8: kind is an id in quotes, or a list of them"),
            (rest.to_owned(), "F:1:1: allow lacks kind"),
            (format!("{kind}until = 2026-01-01\n"), "allow lacks reason"),
            (format!("{kind}reason = 'x'\n"), "allow lacks until, which is a day without quotes"),
            (format!("{kind}reason = 'x'\nuntil = 2999-01-01\n"), "until cannot be 2999-01-01: a year ahead"),
            (format!("{kind}reason = 'x'\nuntil = '2026-01-01'\n"), "until is a day without quotes"),
            (format!("{kind}reason = ' '\nuntil = 2026-01-01\n"), "reason says in quotes why"),
            (format!("{kind}{rest}adress = '::1'\n"), "F:5:1: there is no key \"adress\"; the nearest is \"address\""),
            (format!("{kind}{rest}address = '10.0.0.0/33'\n"), "a prefix length is a number up to 32"),
            (format!("{kind}{rest}port = 70000\n"), "port cannot be 70000"),
            (format!("{kind}{rest}interface = 'a['\n"), "interface cannot be \"a[\""),
        ] {
            let (list, problems) = list(&format!("[[allow]]\n{entry}"));
            assert!(problems.iter().any(|problem| problem.contains(words)), "{entry}: {problems:?}");
            assert!(list.0.is_empty());
        }
        assert!(list("allow = 5").1[0].contains("begin each entry with [[allow]]"));
    }
}
