//! From a scenario to the incidents that the agent tells of it: findings, findings at rest and records, each at its time.

use sensor::{
    correlate::{Correlator, View},
    host::Host,
    report::{Finding, Place, WallClock, flow::Told},
    sweep::{Findings, Slots as _, Sweeper},
};
use sensor_common::{config::Config, engine::Seen, event::Event, record::Record, wire::Slice};

use crate::scenario::Scenario;

/// Between two sweeps, in nanoseconds.
const ROUND: u64 = 1_000_000_000;
/// Sweeps that follow the last frame: until all that is closed has been told.
const AFTER: u64 = 10;

/// The incidents of a scenario when all is over, the worst first.
pub fn diagnose(scenario: &Scenario) -> Vec<View> {
    let mut host = Host::new(Config::replay(1023));
    let mut sweeper = Sweeper::new(host.buckets(), host.cpu());
    let mut correlator = Correlator::default();
    let mut due = 0;
    let frames = scenario.frames();
    for frame in &frames {
        let Some(hook) = scenario.seated().hook(frame.from) else { continue };
        if frame.time >= due {
            sweep(&mut sweeper, &host, frame.time, &mut correlator);
            due = frame.time + ROUND;
        }
        host.observe(frame.time, &Slice::new(&frame.bytes, frame.bytes.len()), Seen { ifindex: 0, tag: 0, hook });
        let found: Vec<Event> = host.drain().collect();
        found.iter().for_each(|event| add(&mut correlator, event));
    }
    let last = frames.last().map_or(0, |frame| frame.time);
    (1..=AFTER).for_each(|round| sweep(&mut sweeper, &host, last + round * ROUND, &mut correlator));
    assert_eq!(correlator.unplaced(), 0);
    correlator.finish().iter().map(sensor::correlate::Incident::closed).collect()
}

fn add(correlator: &mut Correlator, event: &Event) {
    correlator.add(&Finding::new(event, WallClock::epoch(), Place::default()));
}

fn sweep(sweeper: &mut Sweeper, host: &Host, now: u64, correlator: &mut Correlator) {
    let (mut rest, mut ended): (_, Vec<Record>) = (Findings::default(), Vec::new());
    sweeper.sweep(host, now, &mut rest, &mut ended);
    rest.0.iter().for_each(|event| add(correlator, event));
    for record in &ended {
        correlator.record(&Told::new(record, Place::default(), WallClock::epoch()));
    }
}
