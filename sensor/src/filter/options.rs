//! The options of a filter. Their order counts for `--not`, so they are read by hand.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, builder::ValueParser, error::ErrorKind};

use super::{
    Term,
    test::{Test, Which},
};

const NOT: &str = "not";

/// An option: name, name of its value, help, and how a value is read.
type Row = (&'static str, &'static str, &'static str, fn(&str) -> Result<Test, String>);

const ENDS: [Row; 6] = [
    ("ip", "CIDR", "Of this address or network, at either end; may be repeated, as all of these", |text| {
        Test::ip(Which::Either, text)
    }),
    ("from-ip", "CIDR", "From there: in whose name the segment came; of a connection, its client", |text| {
        Test::ip(Which::From, text)
    }),
    ("to-ip", "CIDR", "To there; of a connection, its server", |text| Test::ip(Which::To, text)),
    ("port", "PORT", "Of this port, at either end", |text| Test::port(Which::Either, text)),
    ("from-port", "PORT", "From this port", |text| Test::port(Which::From, text)),
    ("to-port", "PORT", "To this port", |text| Test::port(Which::To, text)),
];

const FINDINGS: [Row; 6] = [
    ("kind", "KIND", "Of this kind: an id, a pattern (`rst-*`) or a family (`distance`, `forged`, …)", Test::kind),
    ("severity", "SEVERITY", "At least so severe", Test::severity),
    ("iface", "IFACE", "Seen there: a name or a pattern (`veth*`)", Test::interface),
    ("flags", "FLAGS", "The segment has all of these flags: `SYN,ACK`", Test::flags),
    (
        "pod",
        "[NAMESPACE/]POD",
        "Of this pod at either end, as the cluster told: a name or a pattern (`shop/web-*`)",
        Test::pod,
    ),
    ("namespace", "NAMESPACE", "Of a pod or service of this namespace: a name or a pattern", Test::namespace),
];

/// What is asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub(super) terms: Vec<Term>,
}

/// What is asked for of connections: addresses and ports.
#[derive(Clone, Debug, Default)]
pub struct Ends(pub(super) Filter);

fn add(command: Command, rows: &[Row]) -> Command {
    let heading = "Filters";
    let row = |command: Command, (name, value, help, read): &Row| {
        let arg = Arg::new(*name).long(*name).value_name(*value).help(*help).help_heading(heading);
        command.arg(arg.action(ArgAction::Append).value_parser(ValueParser::new(*read)))
    };
    let not = Arg::new(NOT).long(NOT).help("Leave out what the option behind it describes").help_heading(heading);
    // A switch keeps the place of its last use only; this keeps them all.
    let not = not.action(ArgAction::Append).num_args(0).default_missing_value("true");
    rows.iter().fold(command, row).arg(not)
}

fn read<'a>(matches: &ArgMatches, rows: impl Iterator<Item = &'a Row>) -> Result<Filter, clap::Error> {
    let mut found = Vec::new();
    for (option, ..) in rows {
        let values = matches.get_many::<Test>(option).into_iter().flatten();
        let places = matches.indices_of(option).into_iter().flatten();
        found.extend(places.zip(values).map(|(at, test)| (at, *option, test.clone())));
    }
    found.sort_by_key(|(at, ..)| *at);
    let mut nots: Vec<usize> = matches.indices_of(NOT).into_iter().flatten().collect();
    let mut terms = Vec::new();
    let mut last = 0;
    for (at, option, test) in found {
        let before = nots.iter().filter(|not| (last..at).contains(not)).count();
        nots.retain(|not| *not > at);
        if before > 1 {
            return Err(misplaced());
        }
        terms.push(Term { option, not: before == 1, test });
        last = at;
    }
    if nots.is_empty() { Ok(Filter { terms }) } else { Err(misplaced()) }
}

fn misplaced() -> clap::Error {
    let text = "each --not turns round the one filter behind it: --not --ip 192.0.2.7\n";
    clap::Error::raw(ErrorKind::ValueValidation, text)
}

impl Args for Filter {
    fn augment_args(command: Command) -> Command {
        add(command, &[&ENDS[..], &FINDINGS[..]].concat())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Filter {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        read(matches, ENDS.iter().chain(&FINDINGS))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Ends {
    fn augment_args(command: Command) -> Command {
        add(command, &ENDS)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Ends {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        read(matches, ENDS.iter()).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
