//! What a service's connections usually do: what explains an incident, or is one only by its number.

use std::{collections::BTreeMap, net::SocketAddr};

use sensor_common::{kind::Kind, record::Record};

use super::{
    Facts, Subject,
    timers::{Closes, Fixed},
};
use crate::report::{Finding, Word, count, flow::Told};

/// Services whose habits are known. Beyond that those of the fewest connections are forgotten.
pub const MAX_SERVICES: usize = 1024;
/// Of so few connections nothing can be a habit.
const RARE: u64 = 3;

/// The habits of one service.
#[derive(Clone, Debug, Default)]
pub struct Habit {
    /// Connections that ended.
    pub connections: u64,
    /// Of these, those of which one direction was seen.
    pub one_way: u64,
    /// After which silence they were closed, and by whom.
    pub closes: Closes,
    /// Answers that came only after the client's FIN.
    pub late_answers: u64,
    /// Resets in place of the last ACK.
    pub last_acks: u64,
    /// Of these, those with a window of 0.
    pub empty_windows: u64,
    /// Ports that were used again, and accepted.
    pub accepted: u64,
    /// Resets that left in this host's name, not by its stack.
    pub foreign: u64,
}

/// The habits of all services, bounded.
#[derive(Debug, Default)]
pub struct Habits(BTreeMap<SocketAddr, Habit>);

impl Habits {
    /// Learns from a finding.
    pub(super) fn see(&mut self, finding: &Finding<'_>) {
        if finding.place.word == Some(Word::Foreign)
            && let Some(habit) = self.of_server(finding.server())
        {
            habit.foreign += 1;
        }
        let field: fn(&mut Habit) -> &mut u64 = match finding.kind {
            Kind::ResponseAfterFin => |habit| &mut habit.late_answers,
            Kind::RstInsteadOfLastAck => |habit| &mut habit.last_acks,
            Kind::TwReuseOk => |habit| &mut habit.accepted,
            _ => return,
        };
        let Some(habit) = self.of_server(finding.server()) else { return };
        *field(habit) += 1;
        habit.empty_windows += u64::from(finding.kind == Kind::RstInsteadOfLastAck && finding.suspect.win == 0);
    }

    /// Learns from a connection that ended. What it then knows of the service's timer, where this one kept to that.
    pub(super) fn record(&mut self, told: &Told<'_>) -> Option<Fixed> {
        let record: &Record = told.record();
        let [asked, answered] = told.totals();
        let one_way = (asked.data > 0 && answered.segments == 0) || (answered.data > 0 && asked.segments == 0);
        if !one_way && (asked.segments < 2 || answered.segments < 2) {
            return None;
        }
        let [_, server] = told.ends();
        let habit = self.of_server(server)?;
        habit.connections += 1;
        habit.one_way += u64::from(one_way);
        let close = record.close?;
        habit.closes.add(close.by != record.server, close.idle, told.last());
        habit.closes.fixed().filter(|fixed| fixed.fits(close.by != record.server, close.idle))
    }

    /// Adds what is known of an incident's service.
    pub(super) fn explain(&self, subject: &Subject, facts: &mut Facts) {
        if let Subject::Service(server, _) = subject {
            facts.habit = self.0.get(server).cloned();
        }
    }

    fn of_server(&mut self, server: SocketAddr) -> Option<&mut Habit> {
        if self.0.len() >= MAX_SERVICES && !self.0.contains_key(&server) {
            self.0.retain(|_, habit| habit.connections >= RARE);
            if self.0.len() >= MAX_SERVICES {
                return None;
            }
        }
        Some(self.0.entry(server).or_default())
    }
}

impl Habit {
    /// In sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut told = Vec::new();
        told.extend(self.closes.fixed().map(|fixed| fixed.sentence()));
        if self.late_answers > 0 {
            told.push(format!(
                "{} came only after the client's FIN: the server waits for the end of the stream.",
                count(self.late_answers, "answer")
            ));
        }
        if self.last_acks > 0 {
            told.push(format!(
                "{} of {} ended by a reset in place of the last ACK: the application avoids TIME_WAIT.",
                self.last_acks,
                count(self.connections.max(self.last_acks), "connection")
            ));
        }
        if self.accepted > 0 {
            told.push(format!("{} used again soon, and accepted in the end.", ports(self.accepted)));
        }
        told
    }
}

fn ports(n: u64) -> String {
    if n == 1 { "1 port was".to_owned() } else { format!("{n} ports were") }
}

#[cfg(test)]
mod tests {
    use sensor_common::{
        flow::{Extra, Flow},
        record::Ending,
    };

    use super::*;
    use crate::report::{Place, WallClock};

    /// A connection of a server that ended.
    fn ended(habits: &mut Habits, server: u32) {
        let mut flow = Flow::default();
        flow.head.key.a[3] = server;
        flow.ends.iter_mut().for_each(|end| end.segments = 5);
        let record = Record::of(&flow, &Extra::default(), Ending::Fin, 0, 1_000_000_000);
        habits.record(&Told::new(&record, Place::default(), WallClock::epoch()));
    }

    #[test]
    fn memory_is_bounded_and_the_busy_are_kept() {
        let mut habits = Habits::default();
        (0..10).for_each(|_| ended(&mut habits, 7));
        for server in 1_000..1_000 + 5 * MAX_SERVICES as u32 {
            ended(&mut habits, server);
            assert!(habits.0.len() <= MAX_SERVICES);
        }
        assert_eq!(habits.0.values().map(|habit| habit.connections).max(), Some(10));
    }
}
