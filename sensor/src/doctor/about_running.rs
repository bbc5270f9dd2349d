//! What is wrong with a sensor that runs: what it loses says what is too small.

use sensor_common::counters::{Counter, Cpu};

use super::{Check, State};
use crate::kernel::Running;

/// Everything about the sensor of this process, else the one that was started last, if it may be looked at.
pub(super) fn checks(pid: Option<u32>) -> Vec<Check> {
    let running = match Running::find(pid) {
        Ok(running) => running,
        // Nobody has said that there is one.
        Err(_) if pid.is_none() => return Vec::new(),
        Err(error) => {
            return vec![Check::new("running", State::Warn, error.to_string()).mend("sensor doctor (as root)")];
        }
    };
    match running.counters() {
        Ok(counters) => judge(&counters, running.room()),
        Err(error) => vec![Check::new("running", State::Warn, error.to_string()).mend("sensor doctor (as root)")],
    }
}

/// Counters of a sensor with room for so many flows.
fn judge(cpu: &Cpu, room: u64) -> Vec<Check> {
    let get = |counter| cpu.get(counter);
    let [full, created] = [get(Counter::TableFull), get(Counter::FlowsCreated)];
    let (high, low) = (get(Counter::RingFullHigh), get(Counter::RingFullLow));
    let table = if full > 0 {
        let text = format!("the table of {room} flows was full: {full} connections of {created} were not followed");
        Check::new("table-size", State::Warn, text).mend(format!("sensor attach --flows {}", room.saturating_mul(4)))
    } else {
        Check::fine("table-size", format!("the table of {room} flows has turned nobody away"))
    };
    let ring = match (high, low) {
        (0, 0) => Check::fine("ring", "the ring has lost nothing"),
        (high, low) => {
            let state = if high > 0 { State::Warn } else { State::Note };
            let text = format!("the ring was full: {high} severe findings and {low} milder ones are lost");
            let remedy = "sensor attach --ring 16 (and more CPU, if the agent gets too little)";
            Check::new("ring", state, text).mend(remedy)
        }
    };
    vec![table, ring]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_say_what_is_too_small() {
        let with = |counter, n| {
            let mut cpu = Cpu::default();
            (0..n).for_each(|_| cpu.count(counter));
            judge(&cpu, 64)
        };
        assert!(judge(&Cpu::default(), 64).iter().all(|check| check.state == State::Fine));
        let table = &with(Counter::TableFull, 3)[0];
        assert_eq!((table.state, table.remedy.as_deref()), (State::Warn, Some("sensor attach --flows 256")));
        assert_eq!(with(Counter::RingFullHigh, 1)[1].state, State::Warn);
        assert_eq!(with(Counter::RingFullLow, 1)[1].state, State::Note);
    }
}
