//! `sensor incidents show`: one incident, with its findings and their segments.

use std::{
    io::{self, BufWriter, Write},
    time::{Duration, UNIX_EPOCH},
};

use sensor_common::detect::Severity;
use serde_json::Value;

use super::{connections, database, entry, json, told, view};
use crate::{
    cli,
    config::nearest,
    correlate,
    failure::Failure,
    report::{Finding, Output, PacketFile, Paint, Place, Reporter, Style, WallClock, count, rfc3339},
    store::{Found, Reader, Segments},
};

/// Names among which the nearest is looked for.
const NAMES: usize = 10_000;

/// Findings of one incident that are read: 60 MB of them.
const FINDINGS: usize = 100_000;

pub(super) fn run(options: &cli::Show, from: &cli::From) -> Result<(), Failure> {
    let reader = Reader::open(&database(from))?;
    let found = named(&reader, &options.id)?;
    let findings = reader.findings(&found, FINDINGS)?;
    let view = view(&found);
    let connections = match view.as_ref().filter(|_| findings.is_empty()) {
        Some(view) => connections::of(&reader, &found, view, options.limit)?,
        None => Vec::new(),
    };
    drop(reader);
    let mut packets = options.write.as_deref().map(|file| PacketFile::create(file, None)).transpose()?;
    let paint = Paint { on: from.color.wanted() };
    let mut out = BufWriter::new(io::stdout().lock());
    match told(&found) {
        _ if from.json => json(&mut out, &found)?,
        Some(view) => correlate::write(&mut out, paint, &view)?,
        None => entry(&mut out, paint, &found)?,
    }
    let shown = &findings[..findings.len().min(options.limit)];
    // Those of an older version are older.
    for kept in shown.iter().filter(|kept| kept.event.is_none() && !from.json) {
        writeln!(out, "{}", summed_up(kept))?;
    }
    let output = if from.json { Output::Json } else { Output::Compact };
    let style = Style { output, min_severity: Severity::Info, color: paint.on, analysis: false, dedup: false };
    let mut reporter = Reporter::new(&mut out, style, WallClock::epoch());
    shown.iter().filter_map(finding).try_for_each(|finding| reporter.print(&finding))?;
    drop(reporter);
    if let Some(packets) = &mut packets {
        findings.iter().filter_map(finding).for_each(|finding| packets.finding(&finding));
    }
    for record in &connections {
        if from.json { object(&mut out, record)? } else { connections::line(&mut out, record)? }
    }
    if !from.json && findings.is_empty() {
        writeln!(out, "counted, and made of no findings; {}", count(connections.len() as u64, "connection"))?;
    } else if !from.json {
        writeln!(out, "{} of {}", shown.len(), count(findings.len() as u64, "finding"))?;
        packets.iter().flat_map(PacketFile::account).try_for_each(|line| writeln!(out, "{line}"))?;
    }
    Ok(out.flush()?)
}

/// A line.
fn object(out: &mut impl Write, value: &Value) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

/// The incident that is meant.
fn named(reader: &Reader, id: &str) -> Result<Found, Failure> {
    let mut found = reader.named(id, 3)?;
    let said = match found.len() {
        1 => return Ok(found.remove(0)),
        0 => {
            let names = reader.names(NAMES)?;
            match nearest(id, names.iter().map(String::as_str)) {
                "" => "there are none yet".to_owned(),
                near => format!("the nearest is {}, and `sensor incidents` lists them all", near.escape_default()),
            }
        }
        _ => {
            let names: Vec<_> = found.iter().map(|found| found.id.escape_default().to_string()).collect();
            format!("it may be {}: say more of it", names.join(" or "))
        }
    };
    let what = if found.is_empty() { "is no incident" } else { "is the beginning of several" };
    Err(Failure::Other(format!("{id:?} {what}: {said}").into()))
}

/// The finding as it was, in the words of today; none if another version kept it.
fn finding(kept: &Segments) -> Option<Finding<'_>> {
    let event = kept.event.as_deref()?;
    let clock = WallClock::matching(event.time, UNIX_EPOCH + Duration::from_nanos(kept.time));
    let place = Place { interface: kept.interface.as_deref(), frame: kept.frame, word: kept.beside.word() };
    Some(Finding::new(event, clock, place).of(kept.beside.who()))
}

/// What columns alone tell.
fn summed_up(kept: &Segments) -> String {
    let severity = Severity::from_u8(kept.severity).map_or("unknown", Severity::name).to_uppercase();
    let [src, dst] = kept.ends.each_ref().map(|end| end.escape_default());
    let kind = kept.kind.escape_default();
    format!("{} {severity:<6} {kind:<19} {src} > {dst}, kept by another version of the sensor", rfc3339(kept.time))
}
