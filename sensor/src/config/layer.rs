//! What a file or the environment says of flags, checked by the flags themselves.

use std::{error::Error as _, ffi::OsString};

use clap::{
    Arg, ArgAction, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::Problem;

/// Before the name of each variable.
pub(super) const PREFIX: &str = "SENSOR_";

/// Flags that are no settings.
const NONE: [&str; 3] = ["config", "help", "version"];

/// A setting that is said somewhere else than on the command line.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) values: Vec<String>,
    pub(super) place: String,
}

/// The flags that are settings, by their keys.
pub(super) fn keys(attach: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    attach.get_arguments().filter_map(|arg| Some((arg.get_long()?, arg))).filter(|(key, _)| !NONE.contains(key))
}

/// The variable of a key.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('-', "_"))
}

/// What the environment says. Variables of no flag are not complained about: Kubernetes sets some for a service that has our
/// name.
pub(super) fn environment(
    attach: &Command,
    variables: &impl Fn(&str) -> Option<OsString>,
    problems: &mut Vec<Problem>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (key, arg) in keys(attach) {
        let place = variable(key);
        let Some(value) = variables(&place).filter(|value| !value.is_empty()) else { continue };
        let Ok(value) = value.into_string() else {
            problems.push(Problem::new(place, "is not UTF-8; write it anew"));
            continue;
        };
        let many = takes_many(arg);
        let values = if many { value.split(',').map(str::to_owned).collect() } else { vec![value] };
        let refused: Vec<_> = values.iter().filter_map(|value| refusal(attach, key, value)).collect();
        problems.extend(refused.into_iter().map(|why| Problem::new(&place, why)));
        entries.push(Entry { key: key.to_owned(), values, place });
    }
    entries
}

/// Whether a flag may be repeated.
pub(super) fn takes_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Whether a flag is on or off.
pub(super) fn is_switch(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|many| many.min_values() == 0)
}

/// Why a flag does not take a value, if it does not.
pub(super) fn refusal(attach: &Command, key: &str, value: &str) -> Option<String> {
    let error = attach.clone().try_get_matches_from(["attach".into(), format!("--{key}={value}")]).err()?;
    let why = match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) if !valid.is_empty() => {
            format!("it is one of {}", valid.join(", "))
        }
        _ => error.source().map(ToString::to_string).unwrap_or_else(|| error.kind().to_string()),
    };
    Some(format!("{key} cannot be {value:?}: {why}"))
}

/// Makes the entries the defaults of their flags, later ones before earlier ones.
pub(super) fn apply(attach: Command, entries: &[Entry]) -> Command {
    attach.mut_args(|arg| {
        let Some(key) = arg.get_long() else { return arg };
        match entries.iter().rev().find(|entry| entry.key == key) {
            Some(entry) => arg.default_values(entry.values.clone()),
            None => arg,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_settings_and_strangers_are_left() {
        let attach = super::super::settings();
        let of = |name: &str, value: &str| {
            let mut problems = Vec::new();
            let variables = |asked: &str| (asked == name).then(|| value.into());
            (environment(&attach, &variables, &mut problems), problems)
        };
        let (entries, problems) = of("SENSOR_INTERFACE", "veth*,eth0");
        assert_eq!((entries[0].values.len(), problems.len()), (2, 0));
        let (_, problems) = of("SENSOR_MIN_SEVERITY", "fatal");
        assert!(problems[0].to_string().starts_with("SENSOR_MIN_SEVERITY: min-severity cannot be"), "{problems:?}");
        for stranger in ["SENSOR_PORT", "SENSOR_BPF_OBJECT", "SENSOR_CONFIG", "FLOWS"] {
            assert!(of(stranger, "tcp://10.0.0.1:80").0.is_empty(), "{stranger}");
        }
    }
}
