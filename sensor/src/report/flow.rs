//! Flow records: one line a flow that ended, for people or for programs.

use std::{
    fmt::Write as _,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use sensor_common::{
    flow::Side,
    record::{Ending, Record, Total},
};
use serde::Serialize;

use super::{Cast, Place, WallClock, evidence::ms, json::SCHEMA, rfc3339, shown, siem::community_id};
use crate::enrich::{Directory, Ends, Who};

/// A record in words. Who asked is named first, by guess where no SYN was seen.
pub struct Told<'a> {
    record: &'a Record,
    place: Place<'a>,
    cast: Cast,
    clock: WallClock,
    who: Ends,
}

#[derive(Serialize)]
struct Object<'a> {
    schema: u32,
    r#type: &'static str,
    time: String,
    start: String,
    /// Null while it lives.
    ended: Option<&'static str>,
    client_addr: String,
    client_port: u16,
    server_addr: String,
    server_port: u16,
    /// Whether the SYN was seen; else the roles are guessed from the ports.
    roles_known: bool,
    local: Option<String>,
    interface: Option<&'a str>,
    vlan: Vec<u16>,
    duration_us: u64,
    conn_state: &'static str,
    history: String,
    completeness: u8,
    client: Half,
    server: Half,
    findings: Findings,
    community_id: Option<String>,
    kubernetes: Option<Kubernetes<'a>>,
}

/// Whom the ends belonged to.
#[derive(Serialize)]
struct Kubernetes<'a> {
    client: Option<&'a Who>,
    server: Option<&'a Who>,
}

#[derive(Serialize)]
struct Half {
    segments: u32,
    data_segments: u16,
    /// Modulo 2^32.
    bytes: u32,
    repeated: u16,
    reordered: u16,
    /// Bytes.
    skipped: u32,
    unseen: u16,
    rtt_us: Option<u64>,
}

/// At least so many.
#[derive(Serialize)]
struct Findings {
    mild: u8,
    severe: u8,
}

impl From<Total> for Half {
    fn from(total: Total) -> Self {
        let Total { segments, data, bytes, repeated, reordered, skipped, unseen, rtt } = total;
        let rtt_us = (rtt > 0).then_some(rtt / 1000);
        Self { segments, data_segments: data, bytes, repeated, reordered, skipped, unseen, rtt_us }
    }
}

impl<'a> Told<'a> {
    /// A record, seen at a place; `clock` tells its times.
    pub fn new(record: &'a Record, place: Place<'a>, clock: WallClock) -> Self {
        Self {
            record,
            place,
            cast: Cast::of_key(&record.key, record.client, record.local),
            clock,
            who: Ends::default(),
        }
    }

    /// The same, with the names of both ends, as they were when the connection was last seen.
    pub fn named(self, names: &Directory) -> Self {
        let who = names.ends(self.ends(), self.clock.nanos(self.record.last));
        self.of(who)
    }

    /// The same, of these.
    pub fn of(self, who: Ends) -> Self {
        Self { who, ..self }
    }

    /// Whom client and server belonged to.
    pub fn who(&self) -> &Ends {
        &self.who
    }

    fn client(&self) -> Side {
        self.record.server.other()
    }

    /// The record itself.
    pub fn record(&self) -> &Record {
        self.record
    }

    /// Where it was seen.
    pub fn interface(&self) -> Option<&'a str> {
        self.place.interface
    }

    /// The first segment: nanoseconds since the epoch.
    pub fn first(&self) -> u64 {
        self.clock.nanos(self.record.first)
    }

    /// The same of the last.
    pub fn last(&self) -> u64 {
        self.clock.nanos(self.record.last)
    }

    /// The connection, as a number that hardly any other has.
    pub fn flow_id(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.ends(), self.record.first).hash(&mut hasher);
        hasher.finish()
    }

    /// Both ends, who asked first.
    pub fn ends(&self) -> [SocketAddr; 2] {
        [self.client(), self.record.server].map(|side| self.cast.end(side))
    }

    /// What both sides sent, who asked first.
    pub fn totals(&self) -> [Total; 2] {
        [self.client(), self.record.server].map(|side| self.record.totals[side as usize])
    }

    /// One line: when, why, who to whom, how it went, how much.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn line(&self, out: &mut impl Write) -> io::Result<()> {
        self.line_with(out, "")
    }

    /// The same with `more` at its end.
    pub(super) fn line_with(&self, out: &mut impl Write, more: &str) -> io::Result<()> {
        let record = self.record;
        let ([from, to], [asked, answered]) = (self.ends(), self.totals());
        let [client, server] = self.who.words();
        write!(out, "{} FLOW   {:<19}", rfc3339(self.last()), record.ending.id())?;
        write!(out, " {from}{client} > {to}{server}")?;
        write!(out, "  {} {}  {}", record.conn_state, record.history, span(record.duration()))?;
        write!(out, "  sent {} / {} B", asked.segments, asked.bytes)?;
        write!(out, ", answered {} / {} B", answered.segments, answered.bytes)?;
        let far = rtt(asked).into_iter().chain(rtt(answered)).fold(String::new(), |mut text, rtt| {
            let _ = write!(text, "{}{rtt}", if text.is_empty() { "  RTT " } else { " + " });
            text
        });
        write!(out, "{far}")?;
        for (what, [asked, answered]) in losses([asked, answered]) {
            if asked > 0 || answered > 0 {
                write!(out, "  {what} {asked} / {answered}")?;
            }
        }
        if record.findings != [0, 0] {
            let [mild, severe] = record.findings;
            write!(out, "  findings {severe} severe, {mild} mild")?;
        }
        if let Some(interface) = self.place.interface {
            write!(out, "  {}", shown(interface))?;
        }
        if !more.is_empty() {
            write!(out, "  {more}")?;
        }
        writeln!(out)
    }

    /// One JSON object and the end of its line.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let record = self.record;
        let ([from, to], [asked, answered]) = (self.ends(), self.totals());
        let (outer, inner) = record.key.link.vlans();
        let object = Object {
            schema: SCHEMA,
            r#type: "flow",
            time: rfc3339(self.last()),
            start: rfc3339(self.first()),
            ended: (record.ending != Ending::Live).then(|| record.ending.id()),
            client_addr: from.ip().to_string(),
            client_port: from.port(),
            server_addr: to.ip().to_string(),
            server_port: to.port(),
            roles_known: record.client.is_some(),
            local: record.local.map(|side| self.cast.end(side).to_string()),
            interface: self.place.interface,
            vlan: [outer, inner].into_iter().filter(|id| *id != 0).collect(),
            duration_us: record.duration() / 1000,
            conn_state: record.conn_state,
            history: record.history.to_string(),
            completeness: record.completeness,
            client: asked.into(),
            server: answered.into(),
            findings: Findings { mild: record.findings[0], severe: record.findings[1] },
            community_id: community_id([from, to]),
            kubernetes: self.who.known().then(|| {
                let [client, server] = self.who.both();
                Kubernetes { client, server }
            }),
        };
        serde_json::to_writer(&mut *out, &object)?;
        out.write_all(b"\n")
    }
}

/// What was lost or late, of both sides.
pub fn losses(totals: [Total; 2]) -> [(&'static str, [u32; 2]); 4] {
    [
        ("repeated", totals.map(|total| total.repeated.into())),
        ("reordered", totals.map(|total| total.reordered.into())),
        ("skipped", totals.map(|total| total.skipped)),
        ("unseen", totals.map(|total| total.unseen.into())),
    ]
}

/// A side's round trip, where it is known.
pub fn rtt(total: Total) -> Option<String> {
    (total.rtt > 0).then(|| ms(Duration::from_nanos(total.rtt)))
}

/// Nanoseconds in the unit that suits them.
pub fn span(nanos: u64) -> String {
    let duration = Duration::from_nanos(nanos);
    match duration.as_secs() {
        0 => format!("{:.1} ms", nanos as f64 / 1e6),
        1..100 => format!("{:.1} s", duration.as_secs_f64()),
        100..6_000 => format!("{} min", duration.as_secs() / 60),
        _ => format!("{} h", duration.as_secs() / 3600),
    }
}
