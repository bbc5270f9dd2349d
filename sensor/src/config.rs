//! Settings from a file, from the environment and from the command line.
//!
//! There is no table of settings: each flag of `sensor attach` is a key of the file by its long name, and a variable
//! `SENSOR_NAME`. What a file or a variable says becomes the flag's default, so a flag that is given goes first, and what is
//! valid is decided in one place.

mod allow;
mod file;
mod layer;
mod problem;
mod verbs;

use std::{
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches, parser::ValueSource};

pub use allow::{Allow, AllowList, Today};
pub(crate) use problem::nearest;
pub use problem::{Problem, Problems};
pub use verbs::{changed, run};

use crate::{
    cli::{Attach, Cli, ConfigVerb, Verb},
    failure::Failure,
    report::lines_shown,
};
use file::ConfigFile;
use layer::Entry;

/// Read where there is one and no other is named.
pub const DEFAULT_FILE: &str = "/etc/sensor/sensor.toml";

/// Names the file, as `--config` does.
const FILE_VARIABLE: &str = "SENSOR_CONFIG";

/// The verb whose flags are settings.
const VERB: &str = "attach";

/// Where the settings of a verb came from, and what no flag can say.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Findings that are not told.
    pub allow: AllowList,
    /// What file and environment say, the environment last.
    entries: Vec<Entry>,
    /// The command line, to be read again with the file.
    arguments: Vec<OsString>,
}

impl Loaded {
    /// The folder of the file, in which it may be replaced by another.
    pub fn folder(&self) -> Option<PathBuf> {
        let file = self.file.as_deref()?;
        Some(file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned())
    }

    /// Reads everything again; nothing is changed.
    ///
    /// # Errors
    ///
    /// All that is wrong with the file.
    pub fn again(&self) -> Result<Attach, Problems> {
        let mut cli = resolve(&self.arguments, self.file.clone())?;
        attach_of(&mut cli.verb).cloned().ok_or_else(|| Problem::new(VERB, "is not what was started").into())
    }

    /// Every setting as it is, in the order of `sensor attach --help`.
    pub fn settings(&self) -> Vec<Setting> {
        let matches = command_with(&self.entries).try_get_matches_from(&self.arguments).unwrap_or_default();
        let mut matches = &matches;
        while let Some((_, deeper)) = matches.subcommand() {
            matches = deeper;
        }
        let setting = |(key, arg): (&str, &Arg)| {
            let id = arg.get_id().as_str();
            let raw = matches.get_raw(id).into_iter().flatten();
            let entry = self.entries.iter().rev().find(|entry| entry.key == key);
            let origin = match (matches.value_source(id), entry) {
                (Some(ValueSource::CommandLine), _) => "command line".to_owned(),
                (_, Some(entry)) => entry.place.clone(),
                _ => "default".to_owned(),
            };
            Setting { key: key.to_owned(), values: raw.map(|value| value.to_string_lossy().into()).collect(), origin }
        };
        layer::keys(&settings()).map(setting).collect()
    }
}

/// A setting as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The flag's long name.
    pub key: String,
    /// As they would be written; none where it is not set.
    pub values: Vec<String>,
    /// Who says so.
    pub origin: String,
}

/// The command line, with what file and environment add to it. Ends the process for `--help`, and where it is misused.
///
/// # Errors
///
/// What is wrong with the file or a variable.
pub fn parse(arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Result<Cli, Failure> {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let mut cli =
        read(command(), &arguments).unwrap_or_else(|error| misused(&error.format(&mut command()), &arguments));
    let Some(attach) = attach_of(&mut cli.verb) else { return Ok(cli) };
    let named = attach.config.clone().or_else(|| std::env::var_os(FILE_VARIABLE).map(PathBuf::from));
    let file = named.or_else(|| Path::new(DEFAULT_FILE).exists().then(|| DEFAULT_FILE.into()));
    Ok(resolve(&arguments, file)?)
}

/// The settings that `sensor attach` would have here without a flag.
///
/// # Errors
///
/// What is wrong with the file or a variable.
pub fn attach() -> Result<Attach, Failure> {
    let mut cli = parse(["sensor", VERB])?;
    attach_of(&mut cli.verb).cloned().ok_or_else(|| Problems::from(Problem::new(VERB, "has no settings")).into())
}

/// Says why the command line cannot be taken, or what was asked of it, and ends. What was written there may steer a terminal.
fn misused(error: &clap::Error, arguments: &[OsString]) -> ! {
    if !arguments.iter().any(|argument| argument.to_string_lossy().contains(char::is_control)) {
        error.exit();
    }
    // Nobody may be listening there.
    let _ = writeln!(io::stderr(), "{}", lines_shown(error.render().to_string().trim_end()));
    std::process::exit(error.exit_code())
}

/// The settings of the verbs that have any.
fn attach_of(verb: &mut Verb) -> Option<&mut Attach> {
    match verb {
        Verb::Attach(attach) => Some(&mut **attach),
        Verb::Config(config) => match &mut config.verb {
            ConfigVerb::Show(attach) => Some(&mut **attach),
            ConfigVerb::Check { .. } | ConfigVerb::Default => None,
        },
        _ => None,
    }
}

fn resolve(arguments: &[OsString], file: Option<PathBuf>) -> Result<Cli, Problems> {
    let attach = settings();
    let mut problems = Vec::new();
    let read_file = file.as_deref().map(|path| ConfigFile::read(path, &attach)).transpose()?.unwrap_or_default();
    problems.extend(read_file.problems);
    let mut entries = read_file.entries;
    entries.extend(layer::environment(&attach, &|name| std::env::var_os(name), &mut problems));
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    // Each value was checked, and a process that runs must not end for what was overlooked.
    let mut cli = read(command_with(&entries), arguments)
        .map_err(|error| Problem::new("settings", error.to_string().lines().next().unwrap_or_default()))?;
    if let Some(attach) = attach_of(&mut cli.verb) {
        attach.loaded = Loaded { file, allow: read_file.allow, entries, arguments: arguments.to_vec() };
    }
    Ok(cli)
}

fn read(command: Command, arguments: &[OsString]) -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&command.try_get_matches_from(arguments)?)
}

/// The command, in which a switch takes a value where one is given: what a file switches on, a flag must be able to switch off.
fn command() -> Command {
    let switches = |command: Command| {
        command.mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => arg
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_value("false")
                .default_missing_value("true")
                .hide_default_value(true)
                .hide_possible_values(true)
                .value_name("BOOL"),
            _ => arg,
        })
    };
    Cli::command().mut_subcommand(VERB, switches).mut_subcommand("config", |c| c.mut_subcommand("show", switches))
}

/// The command, with other defaults.
fn command_with(entries: &[Entry]) -> Command {
    let with = |command: Command| layer::apply(command, entries);
    command().mut_subcommand(VERB, with).mut_subcommand("config", |c| c.mut_subcommand("show", with))
}

/// The verb whose flags are settings.
fn settings() -> Command {
    command().find_subcommand(VERB).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    fn attach(file: &str, flags: &[&str]) -> Result<Attach, String> {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("t.toml");
        fs::write(&path, file).unwrap();
        let arguments = [&["sensor", "attach", "--config", path.to_str().unwrap()], flags].concat();
        match parse(arguments) {
            Ok(Cli { verb: Verb::Attach(attach) }) => Ok(*attach),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.to_string().replace(path.to_str().unwrap(), "FILE")),
        }
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_defaults() {
        let file = "interface = ['a*', 'b']\nflows = 4_096\nrecords = true\nmin-severity = 'warn'\n";
        let told = attach(file, &[]).unwrap();
        assert_eq!((told.interfaces.as_slice(), told.flows), (&["a*".to_owned(), "b".to_owned()][..], Some(4096)));
        assert!(told.records);
        assert_eq!(told.report.min_severity.map(|severity| severity.name()), Some("warn"));
        let told = attach(file, &["-i", "c", "--flows", "128", "--records=false"]).unwrap();
        assert_eq!((told.interfaces.as_slice(), told.flows, told.records), (&["c".to_owned()][..], Some(128), false));
        let told = attach("", &["--records"]).unwrap();
        assert_eq!((told.interfaces.len(), told.flows, told.records), (0, None, true));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_what_is_right() {
        for (file, words) in [
            ("\nmin_severity = 'warn'", r#"FILE:2:1: there is no key "min_severity"; the nearest is "min-severity""#),
            ("flows = 1", "FILE:1:9: flows cannot be \"1\": 1 is not in 64..=16777216"),
            ("mode = 'fast'", "FILE:1:8: mode cannot be \"fast\": it is one of auto, native, generic, tc"),
            ("mode = ['auto', 'tc']", "FILE:1:8: mode takes one value"),
            ("flows = 1.5", "FILE:1:9: flows is written as text in quotes, a whole number, true or false"),
            ("interface = ['eth[']", "FILE:1:14: interface cannot be \"eth[\""),
            ("config = 'other.toml'", "there is no key \"config\""),
            ("flows = 64\nflows = 65", "FILE:2:1: duplicate key"),
            ("flows = \n", "FILE:1:9:"),
            ("flows = 1\nrecord = true\n", "and 1 more"),
        ] {
            let told = attach(file, &[]).expect_err(file);
            assert!(told.contains(words), "{file}: {told}");
        }
        let missing = parse(["sensor", "attach", "--config", "/nonexistent/x.toml"]).expect_err("no file").to_string();
        assert!(missing.contains("/nonexistent/x.toml cannot be read") && missing.contains("check"), "{missing}");
    }
}
