//! Runs a scenario through the engine on the host.

use sensor::host::Host;
use sensor_common::{
    config::Config,
    detect::Severity,
    engine::Seen,
    event::{Event, Hook},
    wire::Slice,
};

use super::{Scenario, Sent, Who, expect::Line};

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

/// What became of a scenario.
pub struct Outcome {
    /// Findings, each with the index of the frame, in order of time, that led to it.
    pub findings: Vec<(usize, Event)>,
    /// The engine afterwards.
    pub host: Host,
}

impl Outcome {
    /// The findings in lines.
    pub fn lines(&self) -> Vec<String> {
        lines(&self.findings)
    }

    /// The greatest severity of what was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|(_, event)| event.severity()).max()
    }
}

/// Shows frames to an engine of their own.
fn observe(frames: &[Sent], seat: Seat) -> Outcome {
    let mut host = Host::new(Config::replay(255));
    let mut findings = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        let Some(hook) = seat.hook(frame.from) else { continue };
        let seen = Seen { ifindex: 0, tag: 0, hook };
        host.observe(frame.time, &Slice::new(&frame.bytes, frame.bytes.len()), seen);
        findings.extend(host.drain().map(|event| (index, event)));
    }
    Outcome { findings, host }
}

impl Scenario {
    /// What the engine finds.
    pub fn run(&self) -> Outcome {
        observe(&self.frames(), self.seat)
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
        self.compare(&outcome.findings)
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

fn lines(findings: &[(usize, Event)]) -> Vec<String> {
    findings.iter().map(|(index, event)| format!("frame {index}: {}", Line(event))).collect()
}
