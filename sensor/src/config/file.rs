//! The file: TOML, whose keys are flags, and the allow-list.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use clap::Command;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    AllowList, Problem, Problems,
    allow::{self, KEY},
    layer::{self, Entry},
    problem::{nearest, position},
};

/// A file larger than this is none of ours.
const MOST: u64 = 1 << 20;

/// The right of everybody to write.
const EVERYBODY: u32 = 0o002;

/// What a file says, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) entries: Vec<Entry>,
    pub(super) allow: AllowList,
    pub(super) problems: Vec<Problem>,
}

impl ConfigFile {
    /// Reads a file, whose keys are the flags of `attach`.
    ///
    /// # Errors
    ///
    /// If it cannot be read at all.
    pub(super) fn read(path: &Path, attach: &Command) -> Result<Self, Problems> {
        let mut text = String::new();
        let name = path.display().to_string();
        let refused = |cause: io::Error| {
            let remedy = "check the path, and that you may read it";
            Problem::new("configuration", format!("{name} cannot be read ({cause}): {remedy}"))
        };
        let file = File::open(path).map_err(refused)?;
        let exposed = file.metadata().is_ok_and(|metadata| metadata.mode() & EVERYBODY != 0);
        if exposed {
            let text = format!("everybody may write to it, and so silence the sensor: chmod o-w {name}");
            return Err(Problem::new(&name, text).into());
        }
        file.take(MOST + 1).read_to_string(&mut text).map_err(refused)?;
        if text.len() as u64 > MOST {
            return Err(Problem::new(name, "is larger than 1 MiB: name a configuration file").into());
        }
        Ok(Self::parse(&name, &text, attach))
    }

    fn parse(name: &str, text: &str, attach: &Command) -> Self {
        let mut reader = Reader { source: Source { name, text }, attach, file: Self::default() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let message = error.message().trim().replace('\n', ", ");
            reader.file.problems.push(reader.source.problem(at, message));
        }
        if reader.file.problems.is_empty() {
            // In the order of the file, not of the alphabet.
            let mut keys: Vec<_> = table.get_ref().iter().collect();
            keys.sort_by_key(|(key, _)| key.span().start);
            keys.into_iter().for_each(|(key, value)| reader.key(key, value));
        }
        reader.file
    }
}

/// A text with its name.
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The place of a byte, as editors take it.
    pub(super) fn place(&self, at: usize) -> String {
        let (line, column) = position(self.text, at);
        format!("{}:{line}:{column}", self.name)
    }

    pub(super) fn problem(&self, at: usize, text: impl Into<String>) -> Problem {
        Problem::new(self.place(at), text)
    }

    /// A key that is none of `keys`.
    pub(super) fn unknown<'k>(
        &self,
        key: &Spanned<impl AsRef<str>>,
        keys: impl IntoIterator<Item = &'k str>,
    ) -> Problem {
        let word = key.get_ref().as_ref();
        let remedy = format!("the nearest is {:?}, and `sensor config default` shows them all", nearest(word, keys));
        self.problem(key.span().start, format!("there is no key {word:?}; {remedy}"))
    }
}

struct Reader<'a> {
    source: Source<'a>,
    attach: &'a Command,
    file: ConfigFile,
}

impl Reader<'_> {
    fn key(&mut self, key: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) {
        let Self { source, attach, file } = self;
        let name = key.get_ref().as_ref();
        if name == KEY {
            file.allow = allow::read(source, value, &mut file.problems);
            return;
        }
        let Some((_, arg)) = layer::keys(attach).find(|(known, _)| *known == name) else {
            file.problems.push(source.unknown(key, layer::keys(attach).map(|(known, _)| known).chain([KEY])));
            return;
        };
        let listed = match value.get_ref() {
            DeValue::Array(values) if layer::takes_many(arg) => values.iter().collect(),
            DeValue::Array(_) => {
                let one = format!("{name} takes one value; write it without brackets");
                return file.problems.push(source.problem(value.span().start, one));
            }
            _ => vec![value],
        };
        let mut values = Vec::new();
        for value in listed {
            let at = value.span().start;
            let Some(text) = scalar(value.get_ref()) else {
                let how = format!("{name} is written as text in quotes, a whole number, true or false");
                file.problems.push(source.problem(at, how));
                continue;
            };
            file.problems.extend(layer::refusal(attach, name, &text).map(|why| source.problem(at, why)));
            values.push(text);
        }
        if !values.is_empty() {
            file.entries.push(Entry { key: name.to_owned(), values, place: source.place(key.span().start) });
        }
    }
}

/// A value as one would write it behind a flag.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(whether) => Some(whether.to_string()),
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_everybody_may_write_is_not_read() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("t.toml");
        let read = || ConfigFile::read(&path, &super::super::settings()).map_err(|problems| problems.to_string());
        fs::write(&path, "flows = 64\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let told = read().unwrap_err();
        assert!(told.contains("everybody may write to it") && told.contains("chmod o-w "), "{told}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(read().is_ok());
        fs::write(&path, vec![b'#'; MOST as usize + 1]).unwrap();
        assert!(read().unwrap_err().contains("larger than 1 MiB"));
        fs::write(&path, [0xff]).unwrap();
        assert!(read().unwrap_err().contains("cannot be read"));
    }

    /// Words of the language, in any order: more of it is reached than by chance.
    fn soup() -> impl Strategy<Value = String> {
        let words = [
            "allow",
            "kind",
            "'rst-abort'",
            "flows",
            "interface",
            "[[",
            "]]",
            "[",
            "]",
            "=",
            "\n",
            "{",
            "}",
            ",",
            "1e9",
            "2026-01-01",
            "until",
            "reason",
            "'x'",
            "0x_",
            "1_0",
            "\u{fc}",
            "\"",
            "#",
            ".",
            "true",
            "port",
            "mode",
            "-1",
        ];
        prop::collection::vec(prop::sample::select(words.to_vec()), 0..40).prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_at_a_place_in_it(text in prop_oneof![soup(), any::<String>()]) {
            let attach = super::super::settings();
            let file = ConfigFile::parse("F", &text, &attach);
            let lines = text.matches('\n').count() + 1;
            for problem in &file.problems {
                let told = problem.to_string();
                let line: usize = told.split(':').nth(1).unwrap().parse().unwrap();
                prop_assert!(told.starts_with("F:") && (1..=lines).contains(&line), "{}", told);
                prop_assert!(!told.contains(char::is_control), "{:?}", told);
            }
            // What was taken can be applied.
            if file.problems.is_empty() {
                let command = layer::apply(attach, &file.entries);
                prop_assert!(command.try_get_matches_from(["attach"]).is_ok());
            }
        }
    }
}
