//! The live figures as tables.

use std::fmt::Write as _;

use super::Live;
use super::events::{Events, Idle};
use super::forward::Received;
use super::replay::Replay;
use super::stream::Stream;

impl Live {
    /// All of them.
    pub(in crate::bench) fn tables(&self) -> String {
        let mut text = String::new();
        self.packets(&mut text);
        self.streams(&mut text);
        self.agent(&mut text);
        self.replay(&mut text);
        for reason in &self.left_out {
            let _ = writeln!(text, "\nLeft out in this run: {reason}.");
        }
        text
    }

    fn streams(&self, text: &mut String) {
        let Some(alone) = self.streams.first().map(|stream| stream.most) else { return };
        text.push_str(
            "\n| one TCP stream over a veth | of what it is alone | Gbit/s, best (median) |\n|---|---|---|\n",
        );
        for Stream { way, most, median } in &self.streams {
            let _ = writeln!(text, "| {way} | {:.2} | {most:.1} ({median:.1}) |", most / alone);
        }
    }

    fn agent(&self, text: &mut String) {
        if self.events.is_none() && self.idle.is_none() {
            return;
        }
        text.push_str("\n| agent | | goal |\n|---|---|---|\n");
        if let Some(Events { drained_a_second, drained, p50, p99, pace }) = &self.events {
            let _ = writeln!(
                text,
                "| events drained a second of CPU time ({drained} at once) | {drained_a_second:.0} | ≥ 500000 |"
            );
            let _ =
                writeln!(text, "| packet to line at {pace:.0} lines a second, half of them within | {p50:.2} ms | |");
            let _ = writeln!(text, "| the same, 99 of 100 within | {p99:.2} ms | ≤ 20 ms |");
        }
        if let Some(Idle { cpu, resident, anonymous }) = &self.idle {
            let _ = writeln!(text, "| idle, of one CPU | {cpu:.2} % | ≤ 1 % |");
            let _ = writeln!(
                text,
                "| idle, resident beside files and maps (all) | {anonymous:.1} MiB ({resident:.1}) | ≤ 32 MiB |"
            );
        }
    }

    fn replay(&self, text: &mut String) {
        if self.replay.is_empty() {
            return;
        }
        text.push_str(
            "\n| sensor replay | file | million packets a second of CPU time | by the clock | resident at the most |\n\
             |---|---|---|---|---|\n",
        );
        for Replay { flows, size, arguments, by_the_clock, of_cpu_time, memory } in &self.replay {
            let title = format!("{flows} {arguments}");
            let _ = writeln!(
                text,
                "| {} | {size:.0} MB | {of_cpu_time:.1} | {by_the_clock:.1} | {memory:.0} MB |",
                title.trim_end()
            );
        }
    }

    fn packets(&self, text: &mut String) {
        let of =
            |program: &str| self.packets.iter().find(|row| row.program == program).map_or(f64::NAN, |row| row.most);
        if self.packets.is_empty() {
            return;
        }
        text.push_str(
            "\n| received over a veth | of the null program's | of floor_lru's | million packets a second of CPU time, best (median) \
             | by the clock |\n|---|---|---|---|---|\n",
        );
        for Received { program, most, median, by_the_clock } in &self.packets {
            let (null, floor) = (most / of("null_xdp"), most / of("floor_lru"));
            let _ =
                writeln!(text, "| {program} | {null:.2} | {floor:.2} | {most:.2} ({median:.2}) | {by_the_clock:.2} |");
        }
    }
}
