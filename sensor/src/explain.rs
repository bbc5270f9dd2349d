//! `sensor explain`: what an id means, from the catalogue.

use std::{
    collections::BTreeMap,
    fmt::Display,
    io::{self, BufWriter, Write},
};

use sensor_common::{detect::Severity, kind::Kind};
use serde::Serialize;

use crate::{
    catalogue::{self, Entry, FAMILIES, GROUPS, PATTERNS, PATTERNS_TITLE, Piece, numbers::numbers, plain},
    cli::{Explain, Listing},
    failure::Failure,
    report::{Paint, WIDTH, wrapped},
};

/// Columns of a page's labels, of the longest range of severities, and of points.
const LABEL: usize = 12;
const RANGE: usize = 15;
const POINTS: usize = 5;

/// Explains one id, or lists all.
///
/// # Errors
///
/// Nothing has that id, or the output cannot be written.
pub fn run(options: &Explain) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let page = Page { paint: Paint { on: options.color.wanted() }, width: width() };
    match (&options.id, options.output) {
        (None, Listing::Compact) => page.list(&mut out)?,
        (None, Listing::Json) => {
            for id in ids() {
                object(&mut out, id)?;
            }
        }
        (Some(id), output) => {
            let Some(id) = ids().find(|known| known == id) else {
                return Err(Failure::UnknownId { id: id.clone(), nearest: catalogue::nearest(id) });
            };
            match output {
                Listing::Compact => page.one(&mut out, id)?,
                Listing::Json => object(&mut out, id)?,
            }
        }
    }
    Ok(out.flush()?)
}

/// Every id once: kinds, aggregates, then the evidence that is not named like one.
fn ids() -> impl Iterator<Item = &'static str> {
    let kinds = FAMILIES.iter().flat_map(|family| family.kinds).map(|kind| kind.id());
    let aggregates = GROUPS.iter().flat_map(|group| group.aggregates).map(|aggregate| aggregate.id());
    let patterns = PATTERNS.iter().map(|(id, _)| *id);
    let together = aggregates.chain(patterns);
    kinds.chain(together).chain(catalogue::pieces().map(|piece| piece.id).filter(|id| catalogue::kind(id).is_none()))
}

/// The terminal's width, within what reads well; 80 where it is no terminal.
fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| usize::from(width.0)).clamp(60, WIDTH)
}

/// How pages look.
struct Page {
    paint: Paint,
    width: usize,
}

impl Page {
    fn list(&self, out: &mut impl Write) -> io::Result<()> {
        let widest = Kind::ALL.iter().map(|kind| kind.id().len()).max().unwrap_or_default();
        let mut section = |title: &str, entries: &mut dyn Iterator<Item = (&str, &Entry)>| {
            writeln!(out, "{}", self.paint.bold(title))?;
            for (id, entry) in entries {
                let severity = format!("{:<RANGE$}", range(entry.severity));
                write!(out, "  {id:<widest$}  {}  ", self.paint.severity(entry.severity[1], severity))?;
                wrapped(out, entry.brief, widest + RANGE + 6, self.width)?;
            }
            writeln!(out)
        };
        for family in FAMILIES {
            section(family.title, &mut family.kinds.iter().map(|kind| (kind.id(), catalogue::entry(*kind))))?;
        }
        for group in GROUPS {
            section(group.title, &mut group.aggregates.iter().map(|a| (a.id(), catalogue::aggregate(*a))))?;
        }
        section(PATTERNS_TITLE, &mut PATTERNS.iter().copied())?;
        writeln!(out, "{}", self.paint.bold("Evidence"))?;
        for Piece { id, points, condition } in catalogue::pieces() {
            write!(out, "  {:<POINTS$}", signed(points))?;
            wrapped(out, &format!("{id}: {condition}"), POINTS + 2, self.width)?;
        }
        Ok(())
    }

    fn one(&self, out: &mut impl Write, id: &str) -> io::Result<()> {
        let kind = catalogue::find(id);
        if let Some(entry) = kind {
            let severity = range(entry.severity);
            writeln!(out, "{}  {}", self.paint.bold(id), self.paint.severity(entry.severity[1], severity))?;
            self.paragraph(out, "what", entry.brief)?;
            self.paragraph(out, "meaning", entry.meaning)?;
            self.paragraph(out, "evidence", entry.evidence)?;
            let numbers = catalogue::kind(id).map_or(&[][..], numbers);
            let numbers: Vec<_> = numbers.iter().map(|n| format!("{}: {}", n.name, n.meaning)).collect();
            self.items(out, "numbers", &numbers.iter().map(String::as_str).collect::<Vec<_>>())?;
        } else {
            writeln!(out, "{}  {}", self.paint.bold(id), self.paint.dim("evidence"))?;
        }
        if let Some(Piece { points, condition, .. }) = catalogue::piece(id) {
            let noun = if points.abs() == 1.0 { "point" } else { "points" };
            self.paragraph(out, "weighs", &format!("{} {noun} that the segment is not the peer's.", signed(points)))?;
            self.paragraph(out, "found", &format!("{condition}."))?;
        }
        let Some(entry) = kind else { return Ok(()) };
        self.items(out, "causes", entry.causes)?;
        self.items(out, "look-alikes", entry.benign)?;
        self.items(out, "next", entry.next)?;
        self.items(out, "sources", entry.sources)
    }

    fn label(&self, label: &str) -> impl Display {
        self.paint.bold(format!("{label:<LABEL$}"))
    }

    fn items(&self, out: &mut impl Write, label: &str, texts: &[&str]) -> io::Result<()> {
        for (i, text) in texts.iter().enumerate() {
            write!(out, "  {}- ", self.label(if i == 0 { label } else { "" }))?;
            wrapped(out, &plain(text), LABEL + 4, self.width)?;
        }
        Ok(())
    }

    fn paragraph(&self, out: &mut impl Write, label: &str, text: &str) -> io::Result<()> {
        write!(out, "  {}", self.label(label))?;
        wrapped(out, &plain(text), LABEL + 2, self.width)
    }
}

/// Points with their sign.
fn signed(points: f32) -> String {
    if points == 0.0 { "0".to_owned() } else { format!("{points:+}") }
}

/// A range of severities in words.
fn range([least, most]: [Severity; 2]) -> String {
    if least == most { least.name().to_owned() } else { format!("{} to {}", least.name(), most.name()) }
}

/// What a program reads of an id; what does not apply is null.
#[derive(Serialize)]
struct Object {
    id: &'static str,
    kind: Option<KindObject>,
    evidence: Option<PieceObject>,
}

#[derive(Serialize)]
struct KindObject {
    brief: &'static str,
    severity: [&'static str; 2],
    meaning: String,
    evidence: String,
    /// Of the JSON lines' `detail`, by name.
    detail: BTreeMap<&'static str, &'static str>,
    causes: Vec<String>,
    benign: Vec<String>,
    next: Vec<String>,
    sources: Vec<String>,
}

#[derive(Serialize)]
struct PieceObject {
    points: f32,
    condition: &'static str,
}

impl KindObject {
    fn new(id: &str) -> Option<Self> {
        let Entry { brief, severity, meaning, evidence, causes, benign, next, sources } = catalogue::find(id)?;
        let numbers = catalogue::kind(id).map_or(&[][..], numbers);
        let all = |texts: &[&str]| texts.iter().map(|text| plain(text)).collect();
        Some(Self {
            brief,
            severity: severity.map(Severity::name),
            meaning: plain(meaning),
            evidence: plain(evidence),
            detail: numbers.iter().map(|number| (number.name, number.meaning)).collect(),
            causes: all(causes),
            benign: all(benign),
            next: all(next),
            sources: all(sources),
        })
    }
}

/// Writes the object and ends the line.
fn object(out: &mut impl Write, id: &'static str) -> io::Result<()> {
    let kind = KindObject::new(id);
    let evidence = catalogue::piece(id).map(|Piece { points, condition, .. }| PieceObject { points, condition });
    serde_json::to_writer(&mut *out, &Object { id, kind, evidence })?;
    out.write_all(b"\n")
}
