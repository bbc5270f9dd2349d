//! What is known of an incident, gathered finding by finding.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use sensor_common::{
    detect::{RstClass, Severity},
    event::ServiceSnapshot,
    flow::{HeadBits, Side, TcpFlags},
    kind::Kind,
};

use super::{Example, Fixed, Habit, Trend, causes::SILENCES};
use crate::{
    enrich::Who,
    report::{Finding, Word, flow::Told, idle_timeouts, rfc3339},
};

/// Services, and peers, that are named; more are counted.
const NAMED: usize = 16;
/// Connections that are named.
const EXAMPLES: usize = 4;
/// What happens within this happens at once: 1 second in nanoseconds.
pub(super) const AT_ONCE: u64 = 1_000_000_000;
/// Beyond that, how many it were does not matter.
const MAX_AT_ONCE: usize = 1000;

/// Whether a value was always the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Constant<T> {
    /// Never seen.
    #[default]
    None,
    /// Always this one.
    One(T),
    /// Not always the same.
    Many,
}

impl<T: PartialEq + Copy> Constant<T> {
    fn see(&mut self, value: T) {
        *self = match *self {
            Self::None => Self::One(value),
            Self::One(before) if before == value => Self::One(value),
            _ => Self::Many,
        };
    }
}

/// All that is known of an incident.
#[derive(Debug)]
pub struct Facts {
    /// Nanoseconds since the epoch.
    pub first: u64,
    /// The same of the latest.
    pub last: u64,
    /// Findings, by kind.
    pub kinds: BTreeMap<Kind, u64>,
    /// All of them.
    pub findings: u64,
    /// The most severe.
    pub worst: Severity,
    /// The interface where the first was seen.
    pub interface: Option<String>,
    /// What to check, by the most severe.
    pub next: Vec<String>,
    /// Of each service its latest counts.
    pub services: BTreeMap<SocketAddr, ServiceSnapshot>,
    /// Peers of these services.
    pub peers: BTreeSet<IpAddr>,
    /// Pods, services and nodes at either end, the first ones.
    pub owners: BTreeSet<Who>,
    /// The first ones.
    pub examples: Vec<Example>,
    /// Suspects that were resets.
    pub resets: u64,
    /// Resets by their anatomy.
    pub classes: BTreeMap<&'static str, u64>,
    /// Resets whose window is 0.
    pub zero_windows: u64,
    /// Findings with each piece of evidence.
    pub evidence: BTreeMap<&'static str, u64>,
    /// Raw windows of the suspects.
    pub window: Constant<u16>,
    /// Their IP identifications.
    pub ipid: Constant<u16>,
    /// Shortest and longest time without a segment before resets of established connections.
    pub idle: Option<[Duration; 2]>,
    /// Other handshakes with ECN to the service: worked, of all.
    pub ecn: Option<[u32; 2]>,
    /// Shortest and longest silence that a finding is about.
    pub gaps: Option<[Duration; 2]>,
    /// Default timers that fit such a silence, in seconds: who has them, and how many findings fit.
    pub timeouts: BTreeMap<u64, (&'static str, u64)>,
    /// Resets of live connections that answer a segment.
    pub answers: u64,
    /// Of these, those where a reset went the other way too.
    pub told_both: u64,
    /// Whether the client closed the connection before first.
    pub client_first: Constant<bool>,
    /// Most connections that were hit within a second.
    pub most_at_once: u64,
    /// What the kernel says of resets that left: its reasons, by name.
    pub reasons: BTreeMap<String, u64>,
    /// Of these resets, those that its stack did not send.
    pub foreign: u64,
    /// The timer that its connections are closed by.
    pub timer: Option<Fixed>,
    /// Findings whose suspect left in this host's own name.
    pub outgoing: u64,
    /// What the service's connections usually do.
    pub habit: Option<Habit>,
    /// Findings by the minute.
    pub trend: Trend,
    /// When the last connections were hit.
    recent: VecDeque<u64>,
    flows: HashSet<u64>,
    /// Findings of connections that could not be told apart.
    untold: u64,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            worst: Severity::Info,
            interface: None,
            next: Vec::new(),
            first: 0,
            last: 0,
            kinds: BTreeMap::new(),
            findings: 0,
            services: BTreeMap::new(),
            peers: BTreeSet::new(),
            owners: BTreeSet::new(),
            examples: Vec::new(),
            resets: 0,
            classes: BTreeMap::new(),
            zero_windows: 0,
            evidence: BTreeMap::new(),
            window: Constant::None,
            ipid: Constant::None,
            idle: None,
            ecn: None,
            gaps: None,
            timeouts: BTreeMap::new(),
            answers: 0,
            told_both: 0,
            client_first: Constant::None,
            most_at_once: 0,
            reasons: BTreeMap::new(),
            foreign: 0,
            timer: None,
            outgoing: 0,
            habit: None,
            trend: Trend::default(),
            recent: VecDeque::new(),
            flows: HashSet::new(),
            untold: 0,
        }
    }
}

impl Facts {
    /// Adds a finding. `room` says whether one more connection may be told apart; whether that was needed is returned.
    pub(super) fn add(&mut self, finding: &Finding<'_>, room: bool) -> bool {
        let Finding { event, suspect, .. } = finding;
        if self.findings == 0 {
            self.first = finding.time;
            self.interface = finding.place.interface.map(str::to_owned);
        }
        if self.findings == 0 || finding.severity > self.worst {
            self.next = finding.next();
        }
        self.last = self.last.max(finding.time);
        self.trend.add(finding.time);
        self.findings += 1;
        *self.kinds.entry(finding.kind).or_default() += 1;
        self.worst = self.worst.max(finding.severity);
        let server = event.flow.head.server();
        if self.services.len() < NAMED || self.services.contains_key(&finding.cast.end(server)) {
            self.services.insert(finding.cast.end(server), event.service);
        }
        if self.peers.len() < NAMED {
            self.peers.insert(finding.cast.end(server.other()).ip());
        }
        for who in finding.who.both().into_iter().flatten() {
            if self.owners.len() < NAMED && !self.owners.contains(who) {
                self.owners.insert(who.clone());
            }
        }
        let reset = suspect.flags.any(TcpFlags::RST);
        self.resets += u64::from(reset);
        self.zero_windows += u64::from(reset && suspect.win == 0);
        if let Some(class) = event.rst_class().filter(|class| *class != RstClass::Unjudged) {
            *self.classes.entry(class.kind().id()).or_default() += 1;
        }
        for (id, _) in event.evidence.pieces() {
            *self.evidence.entry(id).or_default() += 1;
        }
        self.window.see(suspect.win);
        self.ipid.see(suspect.ipid);
        let established = event.flow.head.bits.any(HeadBits::ESTABLISHED);
        if let Some(idle) = finding.idle.filter(|_| reset && established) {
            let [least, most] = self.idle.unwrap_or([idle; 2]);
            self.idle = Some([least.min(idle), most.max(idle)]);
        }
        self.learn(finding);
        if matches!(finding.kind, Kind::SynBareAckThenRst | Kind::EcnSynRst | Kind::EcnSynDrop) {
            let [worked, all] = [event.detail[1] >> 16, event.detail[1] & 0xffff];
            // Later ones count the incident's own failures, which are what is to be explained.
            let better = self.ecn.is_none_or(|[w, a]| u64::from(worked) * u64::from(a) > u64::from(w) * u64::from(all));
            self.ecn = if better && all > 0 { Some([worked, all]) } else { self.ecn };
        }
        let known = self.flows.contains(&finding.flow_id());
        if !known && self.examples.len() < EXAMPLES {
            let (src, dst) = (finding.src(), finding.dst());
            self.examples.push(Example { src, dst, reference: finding.reference() });
        }
        if known {
            return false;
        }
        self.hit(finding.time);
        self.tell_apart(finding.flow_id(), room)
    }

    /// Adds a connection that ended as its service's timer has it.
    pub(super) fn add_record(&mut self, told: &Told<'_>, timer: Fixed, room: bool) -> bool {
        let (time, [peer, server]) = (told.last(), told.ends());
        if self.findings == 0 {
            self.first = time;
        }
        self.last = self.last.max(time);
        self.findings += 1;
        self.timer = Some(timer);
        self.trend.add(time);
        self.services.entry(server).or_default();
        if self.peers.len() < NAMED {
            self.peers.insert(peer.ip());
        }
        if self.examples.len() < EXAMPLES {
            self.examples.push(Example { src: peer, dst: server, reference: rfc3339(time) });
        }
        self.tell_apart(told.flow_id(), room)
    }

    /// Counts a connection, where it is not known and there is `room` to tell it apart; whether that was needed.
    fn tell_apart(&mut self, flow: u64, room: bool) -> bool {
        if self.flows.contains(&flow) {
            return false;
        }
        if room {
            self.flows.insert(flow);
        } else {
            self.untold += 1;
        }
        room
    }

    /// Notes when a connection was hit.
    fn hit(&mut self, time: u64) {
        while self.recent.len() >= MAX_AT_ONCE || self.recent.front().is_some_and(|then| then.abs_diff(time) > AT_ONCE)
        {
            self.recent.pop_front();
        }
        self.recent.push_back(time);
        self.most_at_once = self.most_at_once.max(self.recent.len() as u64);
    }

    /// What only some causes are weighed by.
    fn learn(&mut self, finding: &Finding<'_>) {
        let Finding { event, .. } = finding;
        if SILENCES.contains(&finding.kind) {
            let gap = Duration::from_millis(event.detail[0].into());
            let [least, most] = self.gaps.unwrap_or([gap; 2]);
            self.gaps = Some([least.min(gap), most.max(gap)]);
            for (seconds, who) in idle_timeouts(finding) {
                self.timeouts.entry(seconds).or_insert((who, 0)).1 += 1;
            }
        }
        let established = event.flow.head.bits.any(HeadBits::ESTABLISHED);
        if finding.trigger.is_some_and(|(_, sure)| sure) && established {
            self.answers += 1;
            self.told_both += u64::from(event.flow.tails[finding.side.other() as usize].reset.n > 0);
        }
        let (server, how) = (event.flow.head.server(), event.flow.head.how);
        let first = |side: Side| how >> (4 * side as u8) & 8 != 0;
        if first(server) != first(server.other()) {
            self.client_first.see(first(server.other()));
        }
        self.outgoing += u64::from(finding.cast.is_local(finding.side));
        match finding.place.word {
            Some(Word::Own(reason) | Word::Elsewhere(reason)) if self.reasons.len() < NAMED => {
                *self.reasons.entry(reason.to_owned()).or_default() += 1;
            }
            Some(Word::Foreign) => self.foreign += 1,
            _ => {}
        }
    }

    /// Connections that were hit, at least.
    pub fn flows(&self) -> u64 {
        self.flows.len() as u64 + u64::from(self.untold > 0)
    }

    /// Whether there are more than [`Facts::flows`] says.
    pub const fn more(&self) -> bool {
        self.untold > 1
    }

    pub(super) fn told_apart(&self) -> usize {
        self.flows.len()
    }

    /// Findings of a kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).copied().unwrap_or_default()
    }

    /// Findings with a piece of evidence, by its id.
    pub fn with(&self, id: &str) -> u64 {
        self.evidence.get(id).copied().unwrap_or_default()
    }

    /// Findings of all, in words: what so many of them did.
    pub(super) fn so_many(&self, n: u64, did: &str) -> String {
        if self.findings == 1 { format!("it {did}") } else { format!("{n} of {} {did}", self.findings) }
    }

    /// Whether all suspects left in this host's name, of whose resets some are known not to be its stack's.
    pub(super) fn left_here(&self) -> bool {
        self.outgoing == self.findings && self.habit.as_ref().is_some_and(|habit| habit.foreign > 0)
    }

    /// How long it has been going on.
    pub fn lasted(&self) -> Duration {
        Duration::from_nanos(self.last.saturating_sub(self.first))
    }
}
