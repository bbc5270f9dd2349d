//! Requests that do not become connections: SYN floods, slow and fast, half-open connections, repeated SYN-ACKs.
//!
//! A flash crowd has as many requests, and they become connections. A service that is down has requests without answers, but real
//! stacks repeat theirs after a second, which makers of floods do not. Both are silent here.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::SocketAddr,
};

use sensor_common::{
    counters::Counter,
    detect::Severity,
    service::{SERVICE_COUNTERS, ServiceCounter},
};

use super::{
    About, Aggregate, Alternative, Not, Sign,
    carpet::Carpet,
    crowd::{Crowd, Learned},
    meter::{Cusum, Meter},
    reading::{Counted, Reading, Span},
    sample::{Answer, Request},
};
use crate::report::count;

/// Services that are looked at.
pub const MAX_SERVICES: usize = 8192;
/// Requests a second from which on there may be a flood; and times what is usual.
const FLOOR: f64 = 200.0;
const FACTOR: f64 = 5.0;
/// Of a crowd's requests so many become connections, of a flood's fewer than half.
const CROWD: f64 = 0.8;
const FLOOD: f64 = 0.5;
/// Of a burst of requests next to none comes about.
const NEXT_TO_NONE: f64 = 0.1;
/// Half-open connections, as a share of what there is room for.
const HALF: [f64; 2] = [0.5, 0.9];
/// Seconds that a flood's half-open connections stay.
const AFTERMATH: f64 = 70.0;
/// Looks after which a service without requests is forgotten: longer than a meter remembers.
const IDLE: u32 = 120;
/// Seconds over which repeated SYN-ACKs are counted.
const MINUTE: f64 = 60.0;

/// What is known of a service.
#[derive(Debug)]
struct Known {
    requests: Meter,
    cusum: Cusum,
    /// Of the last three spans: requests, and connections that came about.
    window: [[f64; 2]; 3],
    /// Of this minute: seconds, SYN-ACKs, of these repeated.
    answers: [f64; 3],
    /// Spans without a request.
    idle: u32,
    /// Seconds since a flood, which leaves half-open connections behind.
    calm: f64,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            requests: Meter::new(FLOOR, FACTOR),
            cusum: Cusum::default(),
            window: [[0.0; 2]; 3],
            answers: [0.0; 3],
            idle: 0,
            calm: AFTERMATH,
        }
    }
}

/// Looks for floods of requests.
#[derive(Debug, Default)]
pub(super) struct Floods {
    services: BTreeMap<SocketAddr, Known>,
    carpet: Carpet,
    learned: Learned,
}

impl Floods {
    /// What goes on at `now`.
    pub(super) fn signs(&mut self, now: &Reading, before: &Reading, span: &Span) -> Vec<Sign> {
        self.learned.learn(&now.sample);
        // A service that was not there before has come since, and all that it counted with it.
        let last: HashMap<_, _> = before.services.iter().map(|(server, counters)| (*server, counters)).collect();
        let counted = now.services.iter().map(|(server, counters)| {
            let last = last.get(server).map_or([0; SERVICE_COUNTERS], |counters| **counters);
            (*server, Counted::since(counters, &last))
        });
        let mut services: BTreeMap<SocketAddr, Counted> = counted.collect();
        let answering: HashSet<SocketAddr> = services.keys().copied().collect();
        let unanswered = unanswered(now, span, &services);
        unanswered.keys().for_each(|server| {
            services.entry(*server).or_default();
        });
        let mut by_server: BTreeMap<SocketAddr, Vec<&Request>> = BTreeMap::new();
        for request in &now.sample.requests {
            by_server.entry(request.server).or_default().push(request);
        }
        let mut signs = Vec::new();
        for (server, counted) in &services {
            // Ports that somebody tries out must not crowd out services that answer.
            let room = if answering.contains(server) { MAX_SERVICES } else { MAX_SERVICES / 2 };
            if self.services.len() >= room && !self.services.contains_key(server) {
                continue;
            }
            let known = self.services.entry(*server).or_default();
            let sampled = by_server.get(server).map_or(&[][..], Vec::as_slice);
            let lost = unanswered.get(server).copied().unwrap_or_default();
            let service = Service { server: *server, counted, sampled, lost, seconds: span.seconds, now };
            signs.extend(service.judge(known, &self.learned));
        }
        self.services.retain(|server, known| {
            known.idle += u32::from(!services.contains_key(server));
            known.idle < IDLE
        });
        let together = self.carpet.sign(now, span, &self.learned);
        let alone = signs.iter().all(|sign| sign.kind != Aggregate::SynFlood);
        signs.extend(together.filter(|_| alone));
        signs
    }

    /// What is held of services.
    pub(super) fn len(&self) -> usize {
        self.services.len()
    }
}

/// Requests that no service has answered: how many there are is exact, whose they are by the sample.
fn unanswered(now: &Reading, span: &Span, services: &BTreeMap<SocketAddr, Counted>) -> BTreeMap<SocketAddr, f64> {
    let answered: u64 = services.values().map(|counted| counted.get(ServiceCounter::Syn)).sum();
    let lost = span.n(Counter::Syn).saturating_sub(answered) as f64;
    let mut share = BTreeMap::new();
    // Those that came in this span, or just before.
    let recent = |request: &&Request| request.answer != Answer::Granted && f64::from(request.age) <= span.seconds + 1.0;
    let mut sampled = 0.0;
    for request in now.sample.requests.iter().filter(recent) {
        sampled += 1.0;
        // Who is refused is told so, and holds nothing of the server.
        if request.answer == Answer::None {
            *share.entry(request.server).or_insert(0.0) += 1.0;
        }
    }
    share.values_mut().for_each(|n| *n *= lost / sampled);
    share
}

/// A service in a span.
struct Service<'a> {
    server: SocketAddr,
    counted: &'a Counted,
    sampled: &'a [&'a Request],
    /// Requests that it did not answer.
    lost: f64,
    seconds: f64,
    now: &'a Reading,
}

impl Service<'_> {
    fn judge(&self, known: &mut Known, learned: &Learned) -> Vec<Sign> {
        let get = |counter| self.counted.get(counter) as f64;
        let asked = get(ServiceCounter::Syn) - get(ServiceCounter::SynRetransmit).min(get(ServiceCounter::Syn));
        let requests = asked + self.lost;
        let done = get(ServiceCounter::Established);
        known.idle = if requests > 0.0 { 0 } else { known.idle + 1 };
        known.window.rotate_left(1);
        known.window[2] = [requests, done];
        let [all, came] = known.window.iter().fold([0.0; 2], |[a, c], [x, y]| [a + x, c + y]);
        // Where the answers take another way the sensor cannot see connections come about, but that their clients go on.
        let old = |request: &&&Request| request.age >= 1;
        let went_on = share(self.sampled.iter().filter(old), |request| request.went_on);
        let completion = if all > 0.0 { (came / all).max(went_on).min(1.0) } else { 1.0 };

        let fast = known.requests.add(requests, self.seconds);
        let ends = get(ServiceCounter::Fin) / 2.0 + get(ServiceCounter::Rst);
        let slow = known.cusum.add(requests, ends.max(done), self.seconds);
        let repeated = (get(ServiceCounter::SynAck) - asked).max(0.0);
        for (sum, n) in known.answers.iter_mut().zip([self.seconds, get(ServiceCounter::SynAck), repeated]) {
            *sum += n;
        }
        let minute = (known.answers[0] >= MINUTE).then(|| std::mem::take(&mut known.answers));
        if completion >= FLOOD || self.stacks_ask() {
            let quiet = completion < CROWD && !known.requests.is_above();
            return minute.filter(|_| quiet).and_then(|m| self.repeats(m)).into_iter().collect();
        }
        let half = self.half_open();
        let (amount, seconds) = known.requests.above();
        let burst = known.requests.is_burst() && completion < NEXT_TO_NONE;
        if fast.is_some() || burst {
            known.calm = 0.0;
            return vec![self.flood(known, [amount, seconds, completion], half, learned)];
        }
        known.calm += self.seconds;
        if known.requests.is_above() || known.calm < AFTERMATH {
            return Vec::new();
        }
        let mut signs = Vec::new();
        if slow == Some(true) {
            signs.push(self.slow_flood(completion, learned));
        }
        signs.extend(half);
        if signs.is_empty() {
            signs.extend(minute.and_then(|minute| self.repeats(minute)));
        }
        signs
    }

    /// Whether the requests are those of stacks: repeated after a second, where nothing came back.
    fn stacks_ask(&self) -> bool {
        let pending = |r: &&&Request| (2..30).contains(&r.age) && r.answer == Answer::None && !r.went_on;
        let pending: Vec<_> = self.sampled.iter().filter(pending).copied().collect();
        pending.len() >= 10 && share(pending.iter(), |request| request.repeated) > 0.5
    }

    fn flood(
        &self,
        known: &Known,
        [amount, seconds, completion]: [f64; 3],
        half: Option<Sign>,
        learned: &Learned,
    ) -> Sign {
        let how = if seconds < 1.5 {
            format!("{amount:.0} requests within {seconds:.1} s")
        } else {
            format!("{:.0} requests a second for {seconds:.0} s", amount / seconds)
        };
        let headline = format!("{}: SYN flood, {how}, {} came about", self.whom(), percent(completion));
        let mut sign = Sign::new(Aggregate::SynFlood, About::Service(self.server), Severity::Alert, headline);
        sign.amount = (self.counted.get(ServiceCounter::Syn) as f64 + self.lost) as u64;
        sign.reasons.push(format!("{:.0} requests a second were usual", known.requests.usual()));
        let answered = self.counted.get(ServiceCounter::SynAck) as f64 / self.seconds;
        sign.reasons.push(match (self.lost / self.seconds, answered) {
            (lost, answered) if answered < 1.0 => format!("none of them is answered: {lost:.0} a second"),
            (lost, answered) if lost < 1.0 => format!("all are answered: {answered:.0} SYN-ACKs a second"),
            (lost, answered) => format!("{answered:.0} SYN-ACKs a second; {lost:.0} requests a second get none"),
        });
        self.crowd(&mut sign, learned);
        if let Some(half) = half {
            sign.reasons.extend(half.reasons);
            sign.with.push(half.kind);
        }
        let crowd = format!("of its requests {} and more come about", percent(CROWD));
        sign.ruled_out.push(Not::a(Alternative::FlashCrowd, crowd));
        sign.ruled_out.push(Not::a(Alternative::ServiceDown, "real stacks would repeat their requests after a second"));
        sign
    }

    fn slow_flood(&self, completion: f64, learned: &Learned) -> Sign {
        let headline = format!(
            "{}: requests outrun what comes of them: {} came about, below {FLOOR:.0} a second",
            self.whom(),
            percent(completion)
        );
        let mut sign = Sign::new(Aggregate::SynFloodCusum, About::Service(self.server), Severity::Warn, headline);
        sign.amount = (self.counted.get(ServiceCounter::Syn) as f64 + self.lost) as u64;
        sign.reasons.push("the surplus has gathered over several steps of 20 s".to_owned());
        self.crowd(&mut sign, learned);
        sign
    }

    /// Who asks, as far as the sample tells.
    fn crowd(&self, sign: &mut Sign, learned: &Learned) {
        let crowd = Crowd::of(self.sampled.iter().copied());
        let (reasons, with) = crowd.words(learned);
        sign.reasons.extend(reasons);
        sign.with.extend(with);
        sign.peers = crowd.peers();
    }

    /// Half-open connections against what a listener has room for.
    fn half_open(&self) -> Option<Sign> {
        let open = |r: &&&Request| r.answer == Answer::Granted && !r.went_on && !r.outgoing;
        let n = self.sampled.iter().filter(open).count() as f64 / self.now.sample.share;
        let room = self.now.host.map_or(4096, |host| host.limits.somaxconn.max(1));
        let ratio = n / f64::from(room);
        if ratio < HALF[0] {
            return None;
        }
        let severity = if ratio >= HALF[1] { Severity::Alert } else { Severity::Notice };
        let about = if self.now.sample.share < 1.0 { "about " } else { "" };
        let headline = format!("{}: {about}{n:.0} half-open connections, room for {room} at most", self.server);
        let mut sign = Sign::new(Aggregate::HalfOpenRatio, About::Service(self.server), severity, headline);
        sign.amount = n as u64;
        sign.sum = true;
        sign.reasons.push(format!("{about}{n:.0} half-open connections; a listener has room for {room} at most"));
        Some(sign)
    }

    /// SYN-ACKs that were repeated, in a minute.
    fn repeats(&self, [_, answers, repeated]: [f64; 3]) -> Option<Sign> {
        if repeated < 20.0 || repeated < 0.2 * answers {
            return None;
        }
        let waiting = self.sampled.iter().filter(|r| r.answer == Answer::Granted);
        let crowd = Crowd::of(waiting.copied());
        let headline = format!("{}: {repeated:.0} of {answers:.0} SYN-ACKs in a minute are repetitions", self.server);
        let mut sign = Sign::new(Aggregate::SynAckRetrans, About::Service(self.server), Severity::Notice, headline);
        sign.amount = repeated as u64;
        sign.peers = crowd.peers();
        sign.reasons.push(match crowd.sources() {
            0 => "whom they are for was not sampled".to_owned(),
            1..5 => format!("for {} only: made up, or its way is lossy", count(crowd.sources() as u64, "client")),
            n => format!("for {n} clients: the way back, or a filter near them"),
        });
        Some(sign)
    }

    fn whom(&self) -> String {
        let outgoing = share(self.sampled.iter(), |request| request.outgoing) > 0.5;
        if outgoing { format!("{}, from this host", self.server) } else { self.server.to_string() }
    }
}

/// Which share of these is so; 0 of none.
fn share<'a>(requests: impl Iterator<Item = &'a &'a Request>, is: impl Fn(&Request) -> bool) -> f64 {
    let (n, hits) = requests.fold((0_u32, 0_u32), |(n, hits), request| (n + 1, hits + u32::from(is(request))));
    if n == 0 { 0.0 } else { f64::from(hits) / f64::from(n) }
}

/// A share for people.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
