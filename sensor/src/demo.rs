//! The demonstration: a lab network with a forger in it, and the sensor that catches it.

use std::{
    io::{self, Write},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

use crate::{
    agent::{Agent, Wanted},
    cli::Demo,
    failure::Failure,
    interrupt,
    kernel::{Mode, Options},
    lab::{
        Family, Lab, LabError, LabOptions,
        tamper::{AckField, answer_fin},
        traffic::{Outcome, Pace, Traffic},
    },
};

/// Ordinary connections beside the one that is killed.
const ORDINARY: usize = 40;

/// How long the last findings may take to arrive.
const SETTLE: Duration = Duration::from_millis(300);

impl From<LabError> for Failure {
    fn from(error: LabError) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Builds the lab, watches its server, has its firewall forge a reset among ordinary connections, and cleans up.
///
/// # Errors
///
/// What the machine does not allow.
pub fn run(options: &Demo) -> Result<(), Failure> {
    let packets = options.report.packets(None)?;
    // Before there is anything to clean up.
    let (runtime, mut signals) = interrupt::listen()?;
    let lab = Lab::build(LabOptions::default())?;
    // Those of a demonstration that was killed.
    Lab::remove_leftovers()?;
    say("client ── r1 ── r2 ── r3 ── firewall ── server     (network namespaces, real TCP stacks)");
    let server = lab.server();
    let agent = server.netns().enter(|| -> Result<Agent, Failure> {
        let mut agent = Agent::load(&Options { flows: 8192, ..Options::default() })?;
        let wanted = Wanted::new(&[server.interface().to_owned()])?;
        // By itself it takes tc on a veth, which the lab is made of.
        for attached in agent.attach(wanted, Mode::Native)? {
            say(&format!("watching the server's {attached}"));
        }
        Ok(agent)
    })??;

    let stop = AtomicBool::new(false);
    let (done, traffic_done) = oneshot::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            if let Err(outcome) = traffic(&lab, &stop) {
                say(&format!("the lab's traffic did not go as planned: {outcome:?}"));
            }
            thread::sleep(SETTLE);
            let _ = done.send(());
        });
        let watched = agent.watch(&runtime, options.report.style(), packets, async {
            tokio::select! {
                () = signals.wait() => say("interrupted: cleaning up"),
                _ = traffic_done => {}
            }
        });
        // Whether interrupted or not: stdout may be closed.
        stop.store(true, Ordering::Relaxed);
        watched
    })
}

/// Ordinary connections, and one whose firewall entry is gone when the server closes it: seed 1 of the mission. Ends early
/// when it is told to stop.
fn traffic(lab: &Lab, stop: &AtomicBool) -> Result<(), Outcome> {
    let stopped = || stop.load(Ordering::Relaxed);
    let traffic = Traffic::new(lab);
    // In twos, of which the client closes one and the server the other.
    let ordinary =
        |count| (0..count / 2).take_while(|_| !stopped()).for_each(|_| drop(traffic.ordinary(2, Family::V4)));
    say(&format!("{ORDINARY} ordinary connections come and go"));
    ordinary(ORDINARY / 2);
    let mut victim = lab.connect(Family::V4)?;
    let port = victim.client_port().map_err(|error| Outcome::Failed(error.kind()))?;
    lab.middlebox().add(answer_fin(port, AckField::Conforming));
    say(&format!(
        "one more, from port {port}: the firewall will answer the server's FIN itself, in the client's name\n"
    ));
    let Pace { exchanges, pause } = Pace::default();
    for _ in 0..exchanges {
        victim.exchange()?;
        thread::sleep(pause);
        if stopped() {
            return Ok(());
        }
    }
    let fate = traffic.victim(victim, Pace { exchanges: 0, pause });
    ordinary(ORDINARY - ORDINARY / 2);
    let fate = fate?;
    say(&format!("\nwhat the ends know: the server saw {:?}, the client {:?}", fate.server, fate.client));
    Ok(())
}

/// Tells what the lab does, beside the report on stdout.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
