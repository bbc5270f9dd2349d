//! `sensor config`: check a file, show what holds, print what there is.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};

use clap::Arg;

use super::{DEFAULT_FILE, Loaded, Problems, Setting, Today, allow, file::ConfigFile, layer, settings};
use crate::{
    cli::{Config, ConfigVerb},
    failure::Failure,
};

/// Behind the example of a key that has no default.
const UNSET: &str = "  # not set by default";

/// Columns of a comment.
const WIDTH: usize = 100;

/// Checks, shows or prints.
///
/// # Errors
///
/// What is wrong with the file; or the output cannot be written.
pub fn run(options: &Config) -> Result<(), Failure> {
    let out = &mut BufWriter::new(io::stdout().lock());
    match &options.verb {
        ConfigVerb::Check { file } => check(out, file)?,
        ConfigVerb::Show(attach) => show(out, &attach.loaded)?,
        ConfigVerb::Default => defaults(out)?,
    }
    Ok(out.flush()?)
}

/// All problems but the last go to stderr, which is where the last one goes as the error.
fn check(out: &mut impl Write, path: &Path) -> Result<(), Failure> {
    let file = ConfigFile::read(path, &settings())?;
    if let Some((last, others)) = file.problems.split_last() {
        for problem in others {
            // Nobody may be listening there.
            let _ = writeln!(io::stderr(), "sensor: {problem}");
        }
        return Err(Problems::from(last.clone()).into());
    }
    let (keys, list) = (file.entries.len(), &file.allow.0);
    let plural = |n: usize, one: &'static str, many: &'static str| if n == 1 { one } else { many };
    let (settings, entries) = (plural(keys, "setting", "settings"), plural(list.len(), "entry", "entries"));
    writeln!(out, "{}: fine, {keys} {settings} and {} {entries} of the allow-list", path.display(), list.len())?;
    let today = Today::now();
    for allow in list.iter().filter(|allow| !allow.holds(&today)) {
        writeln!(out, "{}: has expired: {allow}", allow.place)?;
    }
    Ok(())
}

fn show(out: &mut impl Write, loaded: &Loaded) -> io::Result<()> {
    match &loaded.file {
        Some(file) => writeln!(out, "# {}", file.display())?,
        None => writeln!(out, "# no file: none is named, and there is no {DEFAULT_FILE}")?,
    }
    for setting in loaded.settings() {
        match written(&setting.values) {
            Some(value) => writeln!(out, "{} = {value}  # {}", setting.key, setting.origin)?,
            None => writeln!(out, "# {} is not set", setting.key)?,
        }
    }
    let today = Today::now();
    for entry in &loaded.allow.0 {
        let holds = if entry.holds(&today) { "" } else { " (expired)" };
        writeln!(out, "# {}: {}{holds}: {entry}", entry.place, allow::KEY)?;
    }
    Ok(())
}

fn defaults(out: &mut impl Write) -> io::Result<()> {
    let text = format!(
        "Settings of `sensor attach`. Each key is the flag of that name and the variable {}NAME; variables go before \
         this file, flags before both. What is commented out is as it is by default. `sensor config check FILE` checks, \
         SIGHUP has a running sensor read its file again.",
        layer::PREFIX
    );
    comment(out, &text)?;
    for (key, arg) in layer::keys(&settings()) {
        writeln!(out)?;
        comment(out, &arg.get_help().map(ToString::to_string).unwrap_or_default())?;
        let choices: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
        if choices.len() > 1 && !layer::is_switch(arg) {
            comment(out, &format!("One of {}.", choices.join(", ")))?;
        }
        let unset = if arg.get_default_values().is_empty() { UNSET } else { "" };
        writeln!(out, "# {key} = {}{unset}", example(arg))?;
    }
    write!(
        out,
        "
# Findings that are known and not to be told, until a day. They are counted, and the totals name them.
# Of `kind` there may be a list; `address`, `port` and `interface` may be left out.
# [[{}]]
# kind = \"rst-refused\"
# address = \"10.0.0.0/8\"
# port = 443
# interface = \"veth*\"
# reason = \"the scanner of the security team\"
# until = {}
",
        allow::KEY,
        Today::now()
    )
}

/// A value that is valid: the default, or the first that is possible, or the name of what it is.
fn example(arg: &Arg) -> String {
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let first = || arg.get_possible_values().first().map(|value| value.get_name().to_owned());
    let name = || arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    written(&defaults).or_else(|| written(&[first().or_else(name)?])).unwrap_or_default()
}

fn comment(out: &mut impl Write, text: &str) -> io::Result<()> {
    let mut line = String::from("#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            writeln!(out, "{line}")?;
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(out, "{line}")
}

/// Values as TOML.
fn written(values: &[String]) -> Option<String> {
    let one = |value: &String| match value.as_str() {
        "true" | "false" => value.clone(),
        number if number.parse::<i64>().is_ok() => value.clone(),
        // A string of JSON is one of TOML.
        text => serde_json::Value::from(text).to_string(),
    };
    match values {
        [] => None,
        [value] => Some(one(value)),
        values => Some(format!("[{}]", values.iter().map(one).collect::<Vec<_>>().join(", "))),
    }
}

/// The settings that differ, by key.
pub fn changed(old: &[Setting], new: &[Setting]) -> Vec<String> {
    let differs = |(old, new): &(&Setting, &Setting)| old.values != new.values;
    old.iter().zip(new).filter(differs).map(|(old, _)| old.key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a text, its settings and the entries of its allow-list.
    fn read(text: &str) -> (Vec<super::super::Problem>, usize, usize) {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("t.toml");
        std::fs::write(&path, text).unwrap();
        let file = ConfigFile::read(&path, &settings()).unwrap();
        (file.problems, file.entries.len(), file.allow.0.len())
    }

    #[test]
    fn the_example_of_the_documentation_holds() {
        let page = include_str!("../../../docs/operations.md");
        let lines = page.lines().skip_while(|line| !line.starts_with("    interface = "));
        let block = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
        let text: String = block.map(|line| format!("{}\n", line.trim_start())).collect();
        assert_eq!(read(&text), (Vec::new(), 3, 1), "{text}");
    }

    #[test]
    fn the_printed_file_holds_commented_out_or_not() {
        let mut printed = Vec::new();
        defaults(&mut printed).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.lines().all(|line| line.is_empty() || line.starts_with('#')), "{printed}");
        assert!(printed.lines().all(|line| line.len() <= 120), "{printed}");
        // Comments are sentences, keys are not. What has no default is shown by the name of what it takes.
        let is_key = |line: &&str| line.contains(" = ") || line.starts_with("# [[");
        let (unset, set): (Vec<_>, Vec<_>) = printed.lines().filter(is_key).partition(|line| line.ends_with(UNSET));
        let active: String = set.into_iter().map(|line| format!("{}\n", &line[2..])).collect();
        let keys = layer::keys(&settings()).count();
        assert!(unset.len() < keys);
        assert_eq!(read(&active), (Vec::new(), keys - unset.len(), 1), "{active}");
    }
}
