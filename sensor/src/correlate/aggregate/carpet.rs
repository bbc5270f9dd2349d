//! A flood that is spread over many services, so that none of them has enough of it to be told by itself.
//!
//! Of all services together, an outage, a scan by many hosts and a busy proxy have as many requests that come to nothing. So it is
//! told only where the sources are made up: hardly two requests have the same, and nearly all of them came the same way.

use std::collections::BTreeMap;

use sensor_common::{counters::Counter, detect::Severity};

use super::{
    About, Aggregate, Alternative, Not, Sign,
    crowd::{Crowd, Learned},
    flood::percent,
    meter::Meter,
    reading::{Reading, Span},
    sample::{Answer, Request},
};

/// Requests a second of all services together from which on there may be a flood; and times what is usual.
const FLOOR: f64 = 1000.0;
const FACTOR: f64 = 5.0;
/// Of its requests so few become connections.
const COME_ABOUT: f64 = 0.1;
/// Services among the sampled requests; and of these requests none has more than one in so many.
const SERVICES: usize = 32;
const SHARE: usize = 4;
/// Stacks ask again after a second: of requests that are older than that, so many speak for or against them.
const OLD: usize = 10;

/// Looks at all requests together.
#[derive(Debug)]
pub(super) struct Carpet {
    requests: Meter,
    /// Of the last three spans: requests, and connections that came about.
    window: [[f64; 2]; 3],
}

impl Default for Carpet {
    fn default() -> Self {
        Self { requests: Meter::new(FLOOR, FACTOR), window: [[0.0; 2]; 3] }
    }
}

impl Carpet {
    /// What goes on at `now`, if no service has a flood of its own.
    pub(super) fn sign(&mut self, now: &Reading, span: &Span, learned: &Learned) -> Option<Sign> {
        let [requests, done] = [Counter::Syn, Counter::FlowsEstablished].map(|counter| span.n(counter) as f64);
        self.window.rotate_left(1);
        self.window[2] = [requests, done];
        let (rate, seconds) = self.requests.add(requests, span.seconds)?;
        let [all, came] = self.window.iter().fold([0.0; 2], |[a, c], [x, y]| [a + x, c + y]);
        if came > COME_ABOUT * all {
            return None;
        }
        let pending = |request: &&Request| !request.went_on && !request.outgoing;
        let sampled: Vec<&Request> = now.sample.requests.iter().filter(pending).collect();
        // Who was answered waits.
        let old: Vec<_> = sampled.iter().filter(|r| r.age >= 2 && r.answer == Answer::None).collect();
        if old.len() >= OLD && old.iter().filter(|request| request.repeated).count() * 2 > old.len() {
            return None;
        }
        let mut services = BTreeMap::new();
        for request in &sampled {
            *services.entry(request.server).or_insert(0_usize) += 1;
        }
        let most = services.values().max().copied().unwrap_or_default();
        if services.len() < SERVICES || most * SHARE > sampled.len() {
            return None;
        }
        let crowd = Crowd::of(sampled.iter().copied());
        let (reasons, with) = crowd.words(learned);
        if !with.contains(&Aggregate::SpoofedSources) {
            return None;
        }
        let (n, how) = (services.len(), percent(came / all));
        let headline =
            format!("SYN flood over many services, {rate:.0} requests a second for {seconds:.0} s, {how} came about");
        let mut sign = Sign::new(Aggregate::SynFlood, About::Here, Severity::Alert, headline);
        sign.amount = requests as u64;
        sign.reasons.push(format!("{:.0} requests a second were usual", self.requests.usual()));
        sign.reasons.push(format!(
            "{} sampled requests ask for {n} services, for none of them more than {most}",
            sampled.len()
        ));
        sign.reasons.extend(reasons);
        sign.with = with;
        sign.peers = crowd.peers();
        sign.ruled_out.push(Not::a(Alternative::FlashCrowd, "next to none of its requests come about"));
        sign.ruled_out.push(Not::a(Alternative::ServiceDown, "clients would ask from their own places, and again"));
        Some(sign)
    }
}
