//! Floods of what belongs to no connection, and this host's own resets.
//!
//! How many there are the counters say exactly; from whom, the last 64 of each CPU and the table's lone segments.

use std::{collections::BTreeMap, net::IpAddr};

use sensor_common::{counters::Counter, detect::Severity, flow::TcpFlags};

use super::{
    About, Aggregate, Alternative, Not, Sign,
    meter::Meter,
    reading::{Reading, Span},
    shares::Shares,
};

/// Seconds after the sensor's start in which connections from before look like strays.
const SETTLING: f64 = 10.0;
/// Seconds that this host's resets must surge: a service that restarts is back sooner.
const RESTART: f64 = 10.0;
/// So many a second are an alert; told at once, if they are far more than usual.
const SEVERE: f64 = 10_000.0;
/// A flood's segments are alone; connections that move here are answered, and go on.
const ALONE: f64 = 0.95;

/// Looks for floods of strays.
#[derive(Debug)]
pub(super) struct Strays {
    rst_in: Meter,
    fin: Meter,
    ack: Meter,
    syn_ack: Meter,
    rst_out: Meter,
    /// Seconds since the start.
    age: f64,
}

impl Default for Strays {
    fn default() -> Self {
        Self {
            rst_in: Meter::new(100.0, 10.0),
            fin: Meter::new(200.0, 10.0),
            ack: Meter::new(1000.0, 10.0),
            syn_ack: Meter::new(200.0, 10.0),
            rst_out: Meter::new(100.0, 10.0),
            age: 0.0,
        }
    }
}

impl Strays {
    /// What goes on at `now`. `explained`: somebody floods or scans, which this host's resets answer.
    pub(super) fn signs(&mut self, now: &Reading, span: &Span, explained: bool) -> Vec<Sign> {
        self.age += span.seconds;
        let seconds = span.seconds;
        let settling = self.age < SETTLING;
        // A live connection that finds no place has each of its segments refused, and leaves a stray now and then.
        let beyond = |n: u64| n.saturating_sub(span.n(Counter::TableFull));
        let resets_in = beyond(span.n(Counter::StrayRst).saturating_sub(span.n(Counter::StrayRstOut)));
        let fins = beyond(span.n(Counter::StrayFin) + span.n(Counter::StrayFinNoAck));
        let midway = beyond(span.n(Counter::BegunMidway));
        let answers = beyond(span.n(Counter::BegunSynAck));
        let met = span.n(Counter::FlowsEstablished);
        let lone = now.sample.midway.len() as f64;
        let alone = lone > 0.0 && lone >= ALONE * (lone + now.sample.went_on as f64);

        let rst_in = told(&mut self.rst_in, resets_in, seconds, true);
        let fin = told(&mut self.fin, fins, seconds, true);
        let ack = told(&mut self.ack, midway, seconds, alone).filter(|_| met * 2 < midway);
        let syn_ack = told(&mut self.syn_ack, answers, seconds, alone).filter(|_| met * 2 < answers);
        let rst_out = self.rst_out.add(span.n(Counter::RstOut) as f64, seconds);
        let rst_out = rst_out.filter(|(_, lasted)| *lasted >= RESTART - 0.5 && !explained);

        let strays = |flag: TcpFlags| {
            let of = move |s: &&super::Astray| s.flags.any(flag) && !s.outgoing;
            now.strays.iter().filter(of).map(|stray| (stray.from.ip(), stray.to.to_string(), stray.stands_for))
        };
        let lone = |syn_ack| {
            let of = move |m: &&super::sample::Midway| m.syn_ack == syn_ack && !m.outgoing;
            now.sample.midway.iter().filter(of).map(|m| (m.from.ip(), m.to.to_string(), 1.0))
        };
        let mut signs = Vec::new();
        let mut tell = |kind,
                        what: &str,
                        found: Option<(f64, f64)>,
                        n: u64,
                        meter: &Meter,
                        who: Who,
                        not: &[(Alternative, &str)]| {
            let Some((rate, lasted)) = found.filter(|_| !settling) else { return };
            let severity = if kind == Aggregate::RstOutSurge { Severity::Warn } else { worth(rate) };
            let headline = format!("{rate:.0} {what} a second for {lasted:.0} s{}", who.to());
            let mut sign = Sign::new(kind, About::Here, severity, headline);
            sign.amount = n;
            sign.reasons.push(format!("{:.0} a second were usual", meter.usual()));
            sign.reasons.extend(who.sources.words("ones"));
            sign.ruled_out = not.iter().map(|(what, reason)| Not::a(*what, *reason)).collect();
            sign.peers = who.sources.peers();
            signs.push(sign);
        };
        let gone = (Alternative::FromBefore, "neither was just now");
        tell(
            Aggregate::RstFloodIn,
            "resets that belong to no connection",
            rst_in,
            resets_in,
            &self.rst_in,
            Who::of(strays(TcpFlags::RST)),
            &[gone, (Alternative::Restart, "a peer's resets belong to connections that the sensor knows")],
        );
        tell(
            Aggregate::FinFlood,
            "FINs that belong to no connection",
            fin,
            fins,
            &self.fin,
            Who::of(strays(TcpFlags::FIN)),
            &[gone],
        );
        tell(
            Aggregate::AckFlood,
            "acknowledgments that belong to no connection",
            ack,
            midway,
            &self.ack,
            Who::of(lone(false)),
            &[gone, (Alternative::Moved, "theirs go on in both directions")],
        );
        tell(
            Aggregate::SynAckFlood,
            "SYN-ACKs that nobody asked for",
            syn_ack,
            answers,
            &self.syn_ack,
            Who::of(lone(true)),
            &[(Alternative::OtherWay, "what they ask for would come about")],
        );
        let refused = now.sample.requests.iter().filter(|r| r.answer == super::sample::Answer::Refused && !r.outgoing);
        let refused = refused.map(|r| (r.client.ip(), r.server.to_string(), 1.0));
        tell(
            Aggregate::RstOutSurge,
            "resets that this host sends",
            rst_out,
            span.n(Counter::RstOut),
            &self.rst_out,
            Who::of(refused.chain(lone(false))),
            &[(Alternative::Provoked, "none is on"), (Alternative::Restart, "it would be over by now")],
        );
        signs
    }
}

/// Adds what `seconds` brought. Rate and seconds, if it has lasted, or is so much that it need not; `at_once` says whether that is
/// looked for.
fn told(meter: &mut Meter, n: u64, seconds: f64, at_once: bool) -> Option<(f64, f64)> {
    let lasting = meter.add(n as f64, seconds);
    let (amount, above) = meter.above();
    let burst = at_once && amount >= SEVERE && meter.is_burst();
    lasting.or_else(|| burst.then_some((amount / above, above)))
}

/// How much to care for so many a second.
fn worth(rate: f64) -> Severity {
    if rate >= SEVERE { Severity::Alert } else { Severity::Warn }
}

/// Who sends, to whom, as far as was sampled.
struct Who {
    sources: Shares,
    targets: BTreeMap<String, f64>,
}

impl Who {
    /// Of samples: whose each is, whom it is for, how many it stands for.
    fn of(samples: impl Iterator<Item = (IpAddr, String, f64)>) -> Self {
        let mut targets = BTreeMap::new();
        let samples = samples.map(|(source, target, n)| {
            *targets.entry(target).or_default() += n;
            (source, n)
        });
        Self { sources: Shares::of(samples), targets }
    }

    /// The one that has more than half.
    fn to(&self) -> String {
        let all: f64 = self.targets.values().sum();
        let most = self.targets.iter().max_by(|(_, a), (_, b)| a.total_cmp(b));
        most.filter(|(_, n)| **n * 2.0 > all).map_or_else(String::new, |(target, _)| format!(", at {target}"))
    }
}
