//! A finding as people and programs read it: all that follows from an event, derived once.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use sensor_common::{
    detect::{Confidence, Evidence, Severity, origin},
    event::Event,
    flow::{Segment, Side, TcpFlags, merged},
    kind::Kind,
    time::{Stamp, millis, stamp_nanos},
};

use super::{Cast, Place, WallClock};
use crate::{
    catalogue::numbers::Detail,
    enrich::{Directory, Ends},
};

/// Beyond this age a stamp may have wrapped since the last activity, so that idle time is unknown.
const STAMPS_HOLD: Duration = Duration::from_secs(2100);

/// No device forgets a connection that was active this recently.
pub(super) const SHORTEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A TTL and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Distance {
    /// As the packet arrived.
    pub ttl: u8,
    /// Routers passed, by the usual initial TTL.
    pub hops: u8,
}

impl Distance {
    fn of(ttl: u8) -> Self {
        Self { ttl, hops: origin::hops(ttl) }
    }

    /// The initial TTL that it is counted from.
    pub fn initial(self) -> u8 {
        origin::initial_ttl(self.ttl)
    }
}

/// A segment's part in a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// None.
    Plain,
    /// What probably called forth the suspect.
    Trigger,
    /// What the finding doubts.
    Suspect,
    /// What contradicts it.
    Proof,
}

/// A row of the recorder's table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Who claims to have sent it.
    pub side: Side,
    /// The segment.
    pub segment: Segment,
    /// Its part.
    pub mark: Mark,
}

impl Row {
    fn is_reset(&self) -> bool {
        self.segment.flags.any(TcpFlags::RST)
    }
}

/// An event with all that follows from it.
#[derive(Debug)]
pub struct Finding<'a> {
    /// The event.
    pub event: &'a Event,
    /// What was found.
    pub kind: Kind,
    /// How much to care.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Wall-clock time in nanoseconds since the epoch.
    pub time: u64,
    /// Where it was seen.
    pub place: Place<'a>,
    /// Who is who.
    pub cast: Cast,
    /// The side in whose name the suspect came.
    pub side: Side,
    /// The segment in doubt: for a confirmation the earlier reset, else the event's own.
    pub suspect: Segment,
    /// What the suspect answers, and whether its numbers say so.
    pub trigger: Option<(Segment, bool)>,
    /// Where the suspect was made.
    pub made: Distance,
    /// Where the side's own segments are made, if known.
    pub own: Option<Distance>,
    /// Between trigger and suspect, or suspect and proof.
    pub delay: Option<Duration>,
    /// Least round trip to the claimed sender.
    pub min_rtt: Option<Duration>,
    /// Since the flow's first segment.
    pub age: Duration,
    /// From the last activity before the trigger (or the suspect) to the suspect.
    pub idle: Option<Duration>,
    /// Whether the recorder's times are to be believed.
    pub steady: bool,
    /// The recorder and the event's own segment, oldest first.
    pub rows: Vec<Row>,
    /// Whom source and destination belonged to, where that is known.
    pub who: Ends,
    /// The id of its incident, where it has one.
    pub incident: Option<String>,
}

impl<'a> Finding<'a> {
    /// Derives it.
    pub fn new(event: &'a Event, clock: WallClock, place: Place<'a>) -> Self {
        let side = event.side();
        let kind = event.kind().unwrap_or(Kind::SpontaneousRst);
        let mut rows = rows(event);
        let last_reset =
            rows.iter().rev().find(|row| row.side == side && row.segment.flags.any(TcpFlags::RST)).map(|r| r.segment);
        let confirms = kind == Kind::RstSeqData;
        let reset = &event.flow.tails[side as usize].reset;
        // The recorder may have forgotten the reset, but never its TTL.
        let remembered = Segment { time: reset.at, seq: reset.seq, ack: reset.ack, ttl: reset.ttl, ..event.segment };
        let suspect = if confirms { last_reset.unwrap_or(remembered) } else { event.segment };
        // The engine gives a delay exactly where the reset can be nothing but an answer.
        let answer = event.delay != 0;
        let trigger = event.trigger().map(|trigger| (trigger, answer && answers(&suspect, &trigger)));
        for row in &mut rows {
            row.mark = match row.segment {
                segment if row.side == side && segment == suspect => Mark::Suspect,
                segment if confirms && row.side == side && segment == event.segment => Mark::Proof,
                segment if trigger == Some((segment, true)) => Mark::Trigger,
                _ => Mark::Plain,
            };
        }
        let steady = rows.last().is_some_and(|row| keeps_time(row.segment.time, event.time));
        let age = Duration::from_nanos(u64::from(millis(event.time).wrapping_sub(event.flow.head.first)) << 20);
        let active = |cause: Stamp| rows.iter().rfind(|row| cause.after(row.segment.time) && !row.is_reset());
        let cause = trigger.filter(|(_, sure)| *sure).map_or(suspect, |(trigger, _)| trigger);
        // Whether or not the numbers say so, the reset may answer what came after a silence.
        let asked = active(cause.time).filter(|row| row.side != side);
        let silent = asked.and_then(|asked| Some((active(asked.segment.time)?, asked.segment.time)));
        let silent = silent.filter(|(before, asked)| between(before.segment.time, *asked) >= SHORTEST_TIMEOUT);
        let active = silent.map(|(before, _)| before).or_else(|| active(cause.time)).map(|row| row.segment);
        Self {
            event,
            kind,
            severity: event.severity(),
            confidence: event.confidence(),
            time: clock.nanos(event.time),
            place,
            cast: Cast::of(&event.flow.head),
            side,
            suspect,
            trigger,
            made: Distance::of(suspect.ttl),
            own: (event.expected_ttl != 0).then(|| Distance::of(event.expected_ttl)),
            delay: units(event.delay).filter(|_| steady),
            min_rtt: units(event.min_rtt),
            age,
            idle: active.filter(|_| steady && age < STAMPS_HOLD).map(|active| between(active.time, suspect.time)),
            steady,
            rows,
            who: Ends::default(),
            incident: None,
        }
    }

    /// The same, with the names of both ends.
    pub fn named(self, names: &Directory) -> Self {
        let who = names.ends([self.src(), self.dst()], self.time);
        self.of(who)
    }

    /// The same, of these.
    pub fn of(self, who: Ends) -> Self {
        Self { who, ..self }
    }

    /// What speaks for it, as in the compact line.
    pub fn words(&self) -> String {
        super::story::line(self).0
    }

    /// What to check next, most useful first.
    pub fn next(&self) -> Vec<String> {
        super::explain::next(self)
    }

    /// The claimed sender.
    pub fn src(&self) -> SocketAddr {
        self.cast.end(self.side)
    }

    /// Whom the suspect is addressed to.
    pub fn dst(&self) -> SocketAddr {
        self.cast.end(self.side.other())
    }

    /// The service that it is about: where its connection was opened to, as far as the event has that.
    pub fn service(&self) -> SocketAddr {
        let [address, second] = self.event.detail;
        if self.kind == Kind::UnNatedLeak && self.event.flow.head.key.link.ip_version() == 4 {
            return (Ipv4Addr::from(address), (second >> 16) as u16).into();
        }
        self.server()
    }

    /// Address and port of the end that answers requests.
    pub fn server(&self) -> SocketAddr {
        self.cast.end(self.event.flow.head.server())
    }

    /// The flow within this run, as a name.
    pub fn flow_id(&self) -> u64 {
        u64::from(self.event.flow_index) << 32 | u64::from(self.event.flow.head.first)
    }

    /// The numbers beside it.
    pub fn numbers(&self) -> Detail {
        Detail { kind: self.kind, detail: self.event.detail }
    }

    /// Whether the evidence has any of `bits`.
    pub fn has(&self, bits: Evidence) -> bool {
        self.event.evidence.any(bits)
    }

    /// Whether the suspect was made at another distance than its claimed sender's segments.
    pub fn elsewhere(&self) -> bool {
        self.has(Evidence(Evidence::TTL.0 | Evidence::TTL_WEAK.0))
            || (self.confirms() && self.own.is_some_and(|own| own.hops.abs_diff(self.made.hops) > 1))
    }

    /// Whether the suspect's hops are believable: no more than to its claimed sender, nor than the Internet is wide.
    pub fn plausible(&self) -> bool {
        self.made.hops <= self.own.map_or(32, |own| own.hops.saturating_add(2)).min(32)
    }

    /// Whether it contradicts, after the fact, what came before.
    pub fn confirms(&self) -> bool {
        matches!(self.kind, Kind::RstSeqData | Kind::DataAfterFin)
    }

    /// Whether a person should be told at length.
    pub fn matters(&self) -> bool {
        let sure = self.confidence >= Confidence::Likely && self.severity >= Severity::Warn;
        self.severity == Severity::Alert || sure
    }

    /// Whether a flag was set by either side before the event, resets excluded.
    pub fn seen(&self, flag: TcpFlags) -> bool {
        self.event.flow.ends.iter().any(|end| end.flags.any(flag))
    }

    /// Points, from half points.
    pub fn score(&self) -> f32 {
        f32::from(self.event.score) / 2.0
    }

    /// How a reference names it: by frame, else by time.
    pub fn reference(&self) -> String {
        match self.place.frame {
            Some(frame) => format!("frame {frame}"),
            None => super::rfc3339(self.time),
        }
    }
}

fn rows(event: &Event) -> Vec<Row> {
    let own = (event.side(), event.segment);
    let mut segments: Vec<_> = merged(&event.flow).into_iter().flatten().collect();
    if !segments.contains(&own) {
        let at = segments.partition_point(|(_, segment)| event.segment.time.after(segment.time));
        segments.insert(at, own);
    }
    segments.into_iter().map(|(side, segment)| Row { side, segment, mark: Mark::Plain }).collect()
}

/// Whether a reset's numbers say that it answers `trigger`.
fn answers(reset: &Segment, trigger: &Segment) -> bool {
    if reset.flags.any(TcpFlags::ACK) { reset.ack == trigger.end() } else { reset.seq == trigger.ack }
}

/// Whether a flow's stamps keep time: they stand still where a capture's clock jumps back, and then say nothing of durations.
fn keeps_time(stamp: Stamp, now: u64) -> bool {
    const SLACK: i32 = 1 << 21;
    (Stamp::of(now).0.wrapping_sub(stamp.0) as i32).abs() < SLACK
}

fn between(earlier: Stamp, later: Stamp) -> Duration {
    Duration::from_nanos(stamp_nanos(later.since(earlier)))
}

fn units(units: u32) -> Option<Duration> {
    (units != 0).then(|| Duration::from_nanos(stamp_nanos(units)))
}
