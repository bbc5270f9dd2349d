//! `sensor incidents`: what happened last night.

mod connections;
mod show;

use std::{
    cell::Cell,
    io::{self, BufWriter, Write},
    path::PathBuf,
    str::FromStr,
    time::SystemTime,
};

use sensor_common::detect::Severity;
use serde_json::Value;

use crate::{
    cli::{self, IncidentsVerb},
    config,
    correlate::{About, State, View, line},
    failure::Failure,
    observe::nanos,
    report::{Paint, count, rfc3339},
    store::{DEFAULT_FILE, Ended, Found, Reader, Run, Which},
};

/// Incidents that are told, if nothing else is said.
const LIMIT: usize = 1000;

/// Runs of sensors that are told, the latest.
const RUNS: usize = 8;

/// A run that wrote nothing for so long, in nanoseconds, writes no more: it does each minute.
const SILENT: u64 = 150 * 1_000_000_000;

/// Tells of incidents, or of one.
///
/// # Errors
///
/// What is wrong with the database, or the question; or the output cannot be written.
pub fn run(options: &cli::Incidents) -> Result<(), Failure> {
    match &options.verb {
        Some(IncidentsVerb::Show(_)) if options.chooses() => {
            let what =
                "`sensor incidents show` tells of the one that is named: leave out what chooses among them, as --since";
            Err(Failure::Other(what.into()))
        }
        Some(IncidentsVerb::Show(one)) => show::run(one, &options.from),
        None => list(options),
    }
}

/// The database that is meant.
fn database(from: &cli::From) -> PathBuf {
    // A file that is wrong keeps nobody from reading what was kept.
    let configured = || config::attach().ok().and_then(|attach| attach.keep.db);
    from.db.clone().or_else(configured).unwrap_or_else(|| DEFAULT_FILE.into())
}

/// A device by its distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hops {
    hops: u8,
    /// What its TTLs begin with, where that matters.
    initial_ttl: Option<u8>,
}

impl FromStr for Hops {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |part: &str| part.parse().map_err(|_| format!("{part:?} is no number from 0 to 255; write 3, or 3/64"));
        let (hops, initial_ttl) = match text.split_once('/') {
            Some((hops, ttl)) => (number(hops)?, Some(number(ttl)?)),
            None => (number(text)?, None),
        };
        Ok(Self { hops, initial_ttl })
    }
}

impl Hops {
    fn are(self, about: &About) -> bool {
        let About::Device { hops, initial_ttl, .. } = about else { return false };
        *hops == Some(self.hops) && (self.initial_ttl.is_none() || *initial_ttl == self.initial_ttl)
    }
}

/// What was kept, as text that does a terminal no harm: a file may come from anywhere.
fn kept(found: &Found) -> Value {
    let mut kept = serde_json::from_str(&found.view).unwrap_or_default();
    clean(&mut kept);
    kept
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(char::is_control) => *text = text.escape_default().to_string(),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

/// The incident as it is known now; none if another version wrote it.
fn view(found: &Found) -> Option<View> {
    let view: View = serde_json::from_value(kept(found)).ok()?;
    Some(View { first: found.first, last: found.last.max(view.last), ..view })
}

/// What is asked for, beside time and severity.
fn wanted(options: &cli::Incidents, view: Option<&View>) -> bool {
    let pods = || options.pod.iter().chain(&options.namespace);
    let Some(view) = view else {
        return options.device.is_none() && options.service.is_none() && pods().next().is_none();
    };
    let named = pods().all(|pods| view.kubernetes.iter().any(|who| pods.fits(who)));
    let hit = |service| match &view.about {
        About::Service { server, .. } | About::Client { server, .. } if *server == service => true,
        _ => view.services.iter().any(|share| share.server == service),
    };
    named && options.device.is_none_or(|device| device.are(&view.about)) && options.service.is_none_or(hit)
}

fn list(options: &cli::Incidents) -> Result<(), Failure> {
    let file = database(&options.from);
    let since = options.since.map_or(0, |when| when.0);
    let until = options.until.map_or(u64::MAX, |when| when.0);
    if since > until {
        let [since, until] = [since, until].map(rfc3339);
        return Err(Failure::Other(format!("--since {since} is after --until {until}: exchange them").into()));
    }
    let which = Which { since, until, severity: options.severity.unwrap_or(Severity::Info) };
    // Read as a whole before anything is printed: a pager would keep the writer from tidying up.
    let reader = Reader::open(&file)?;
    let left_out = Cell::new(0);
    let mut found = reader.incidents(&which, options.limit.unwrap_or(LIMIT), |found| {
        let view = view(found);
        if !wanted(options, view.as_ref()) {
            return false;
        }
        // One mild thing that happened once is no incident to anybody but those who ask.
        let single =
            options.severity.is_none() && view.is_some_and(|v| v.severity < Severity::Warn && v.connections == 1);
        left_out.set(left_out.get() + u64::from(single));
        !single
    })?;
    found.sort_by_key(|found| found.first);
    let runs = reader.runs(since, until)?;
    drop(reader);
    let out = &mut BufWriter::new(io::stdout().lock());
    if options.from.json {
        found.iter().try_for_each(|found| json(out, found))?;
    } else {
        let paint = Paint { on: options.from.color.wanted() };
        found.iter().try_for_each(|found| entry(out, paint, found))?;
        write!(out, "{}", count(found.len() as u64, "incident"))?;
        match left_out.get() {
            0 => writeln!(out)?,
            n => writeln!(out, "; {n} below warn, of one connection each, are left out: --severity notice has them")?,
        }
        watched(out, &runs)?;
    }
    Ok(out.flush()?)
}

/// The same for people: what was told last is not all, unless that was the end.
fn told(found: &Found) -> Option<View> {
    let mut view = view(found)?;
    if view.state != State::Closed {
        view.what += &format!(", and went on until {}", rfc3339(view.last));
    }
    Some(view)
}

/// An incident in a line, as it began.
fn entry(out: &mut impl Write, paint: Paint, found: &Found) -> io::Result<()> {
    match told(found) {
        Some(view) => line(out, paint, found.first, &view),
        None => {
            let (kept, id) = (kept(found), found.id.escape_default());
            let what = kept["what"].as_str().unwrap_or("something");
            writeln!(out, "{} {what}, told by another version of the sensor  {id}", rfc3339(found.first))
        }
    }
}

/// The incident as an object; as it is where another version wrote it.
fn json(out: &mut impl Write, found: &Found) -> io::Result<()> {
    match view(found) {
        Some(view) => serde_json::to_writer(&mut *out, &view)?,
        None => serde_json::to_writer(&mut *out, &kept(found))?,
    }
    writeln!(out)
}

/// When there was a sensor to see anything at all.
fn watched(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    let now = nanos(SystemTime::now());
    let earlier = runs.len().saturating_sub(RUNS);
    if earlier > 0 {
        writeln!(out, "watched {earlier} times before")?;
    }
    for Run { source, started, last, ended, lost, .. } in runs.iter().skip(earlier) {
        let end = match ended {
            Ended::Not if last.saturating_add(SILENT) > now => "goes on".to_owned(),
            Ended::Well => format!("until {}", rfc3339(*last)),
            Ended::Not | Ended::BrokenOff => format!("broken off after {}", rfc3339(*last)),
        };
        let lost = if *lost > 0 { format!(", {lost} rows lost") } else { String::new() };
        writeln!(out, "watched {} from {}, {end}{lost}", source.escape_default(), rfc3339(*started))?;
    }
    Ok(())
}
