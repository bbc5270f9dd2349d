//! Runs a scenario through the engine on the host.

use sensor::{
    host::Host,
    leaks::Leaks,
    sweep::{AtRest as _, Findings},
};
use sensor_common::{
    config::Config,
    detect::Severity,
    engine::Seen,
    event::{Event, Hook},
    wire::Slice,
};

use super::{
    Scenario, Sent, Who,
    expect::{Expected, Line},
};

/// Where the sensor sits, and what it sees from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// On the server.
    Server,
    /// On the server, but only what comes in.
    ServerIngress,
    /// On the client.
    Client,
    /// On a mirror port between them.
    Mirror,
}

impl Seat {
    /// Every seat.
    pub const ALL: [Self; 4] = [Self::Server, Self::ServerIngress, Self::Client, Self::Mirror];

    /// The hook that sees what `from` sends; none where it is not seen.
    pub const fn hook(self, from: Who) -> Option<Hook> {
        match (self, from) {
            (Self::Server | Self::ServerIngress, Who::Client) | (Self::Client, Who::Server) => Some(Hook::Ingress),
            (Self::Server, Who::Server) | (Self::Client, Who::Client) => Some(Hook::Egress),
            (Self::ServerIngress, Who::Server) => None,
            (Self::Mirror, _) => Some(Hook::Observer),
        }
    }
}

/// After this, a connection is at rest: 4 s.
const REST: u64 = 4_000_000_000;

/// What became of a scenario.
pub struct Outcome {
    /// Findings, each with the index of the frame, in order of time, that led to it.
    pub findings: Vec<(usize, Event)>,
    /// The engine afterwards.
    pub host: Host,
    /// When the last frame passed, in nanoseconds.
    last: u64,
}

impl Outcome {
    /// The findings in lines.
    pub fn lines(&self) -> Vec<String> {
        lines(&self.findings)
    }

    /// What the connections come to, once all is quiet.
    pub fn at_rest(&self) -> Vec<Event> {
        let (mut rest, now) = ((Findings::default(), Leaks::default()), self.last + REST);
        for (index, (flow, extra)) in self.host.flows().iter().zip(self.host.extras()).enumerate() {
            rest.judge(index, flow, extra, now);
        }
        let (Findings(mut found), mut leaks) = rest;
        leaks.look(&self.host, now, &mut found);
        found
    }

    /// The greatest severity of what was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|(_, event)| event.severity()).max()
    }
}

/// Shows frames to an engine of their own.
fn observe(frames: &[Sent], seat: Seat, config: Config) -> Outcome {
    let mut host = Host::new(config);
    let mut findings = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let Some(hook) = seat.hook(frame.from) else { continue };
        let seen = Seen { ifindex: 0, tag: 0, hook };
        host.observe(frame.time, &Slice::new(&frame.bytes, frame.bytes.len()), seen);
        findings.extend(host.drain().map(|event| (index, event)));
    }
    let last = frames.last().map_or(0, |frame| frame.time);
    Outcome { findings, host, last }
}

impl Scenario {
    /// What the engine finds.
    pub fn run(&self) -> Outcome {
        let config = Config { gtsm_ports: [self.guarded, 0, 0, 0], ..Config::replay(255) };
        observe(&self.frames(), self.seat, config)
    }

    /// Runs it and compares: all that is expected is found where it is expected, and nothing else from notice up.
    ///
    /// # Panics
    ///
    /// If it is not so.
    pub fn check(&self) {
        if let Err(complaint) = self.verdict() {
            panic!("{complaint}");
        }
    }

    /// What [`Scenario::check`] has to complain about.
    ///
    /// # Errors
    ///
    /// The complaint, with all that was found.
    pub fn verdict(&self) -> Result<(), String> {
        let outcome = self.run();
        let cpu = outcome.host.cpu();
        if cpu.matched_total() != cpu.accounted_total() {
            return Err("findings are unaccounted for".into());
        }
        self.compare(&outcome.findings)?;
        self.compare_rest(&outcome.at_rest())
    }

    /// Compares findings, of whichever engine, with what is expected: each with the index of its frame in [`Scenario::frames`].
    ///
    /// # Errors
    ///
    /// What is missing or uncalled for, with all that was found.
    pub fn compare(&self, findings: &[(usize, Event)]) -> Result<(), String> {
        let order = self.order();
        let mut left: Vec<_> = findings.iter().collect();
        let mut complaints = Vec::new();
        for (sent, expected) in &self.expected {
            let found =
                left.iter().position(|(index, event)| order[*index] == *sent && expected.matches(event, self.is_v6()));
            match found {
                Some(position) => drop(left.remove(position)),
                None => complaints.push(format!("missing: {expected:?}")),
            }
        }
        for (_, event) in left.iter().filter(|(_, event)| event.severity() >= Severity::Notice) {
            complaints.push(format!("uncalled for: {}", Line(event)));
        }
        if complaints.is_empty() {
            return Ok(());
        }
        Err(format!("{}\nfound:\n  {}", complaints.join("\n"), lines(findings).join("\n  ")))
    }
}

impl Scenario {
    /// The same for what the connections come to.
    fn compare_rest(&self, found: &[Event]) -> Result<(), String> {
        let is = |expected: &Expected, event: &Event| expected.matches(event, self.is_v6());
        if let Some(missing) = self.rests.iter().find(|expected| !found.iter().any(|event| is(expected, event))) {
            return Err(format!("missing at rest: {missing:?}\nfound:\n  {}", at_rest(found).join("\n  ")));
        }
        let called_for = |event: &Event| self.rests.iter().any(|expected| is(expected, event));
        // Where somebody is to look already, the summary may be loud too.
        let most = if self.expectations().any(Expected::is_loud) { Severity::Alert } else { Severity::Info };
        let quiet = |event: &Event| event.severity() <= most && !self.unruffled;
        match found.iter().find(|event| !quiet(event) && !called_for(event)) {
            Some(event) => Err(format!("uncalled for at rest: {}", Line(event))),
            None => Ok(()),
        }
    }
}

/// Findings at rest in lines.
pub fn at_rest(found: &[Event]) -> Vec<String> {
    found.iter().map(|event| format!("at rest: {}", Line(event))).collect()
}

fn lines(findings: &[(usize, Event)]) -> Vec<String> {
    findings.iter().map(|(index, event)| format!("frame {index}: {}", Line(event))).collect()
}
