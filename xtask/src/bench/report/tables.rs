//! The tables: ratios first, which hold where nanoseconds drift with the machine.

use std::fmt::Write as _;

use super::ratio::{RATIOS, only_flows};
use super::{Cell, Column, OnHost, Report};
use crate::bench::count::Count;
use crate::bench::duo::Duo;
use crate::bench::sensor::Loaded;

/// Columns that fit beside one another.
const WIDTH: usize = 6;

/// Frames of so many bytes, and how many million of them 100 Gbit/s are a second, with the 20 bytes between two frames.
const ON_PAPER: [(u32, f64); 3] = [(64, 148.8), (512, 23.5), (1518, 8.1)];

impl Report {
    /// All tables.
    pub(in crate::bench) fn tables(&self) -> String {
        let mut text = format!(
            "{}. Nanoseconds of CPU time a packet, minimum (median) of {} runs of at least {} packets each. The \
             kernel's loop and the feeder, which are all that the null programs cost, are in every figure.\n",
            self.machine.sentence(),
            self.runs,
            self.packets
        );
        self.ratios(&mut text);
        self.times(&mut text);
        self.two_cpus(&mut text);
        self.on_paper(&mut text);
        self.engine(&mut text);
        if let Some(live) = &self.live {
            text.push_str(&live.tables());
        }
        if !self.counts.is_empty() {
            text.push_str(&counts(&self.counts));
        }
        self.programs(&mut text);
        text
    }

    fn ratios(&self, text: &mut String) {
        for columns in self.columns.chunks(WIDTH) {
            head(text, "ratio of minima", columns);
            for ratio in RATIOS {
                row(text, ratio.name, columns, |column| {
                    let value = (ratio.of)(column);
                    match (ratio.goal)(&column.title) {
                        None => format!("{value:.2}"),
                        Some(goal) if value <= goal => format!("{value:.2} ≤ {goal}"),
                        Some(goal) => format!("**{value:.2}** > {goal}"),
                    }
                });
            }
        }
    }

    fn times(&self, text: &mut String) {
        for columns in self.columns.chunks(WIDTH) {
            head(text, "program", columns);
            for program in self.programs_measured() {
                row(text, program, columns, |column| {
                    let cell = column.cells.iter().find(|cell| cell.program == program);
                    cell.map_or_else(String::new, Cell::in_words)
                });
            }
        }
    }

    fn programs_measured(&self) -> impl Iterator<Item = &str> {
        self.columns.first().map_or(&[][..], |column| &column.cells).iter().map(|cell| &*cell.program)
    }

    fn two_cpus(&self, text: &mut String) {
        if self.duos.is_empty() {
            return;
        }
        text.push_str(
            "\n| two CPUs | flows a CPU | one alone | both, flows of their own | both, a direction each | ratio |\n\
             |---|---|---|---|---|---|\n",
        );
        for Duo { program, flows, one, apart, shared } in &self.duos {
            let ratios = format!("{:.2}, {:.2}", apart.min / one.min, shared.min / one.min);
            let (one, apart, shared) = (one.in_words(), apart.in_words(), shared.in_words());
            let _ = writeln!(text, "| {program} | {flows} | {one} | {apart} | {shared} | {ratios} |");
        }
    }

    /// What the measured cost comes to at a rate that was not measured.
    fn on_paper(&self, text: &mut String) {
        let columns = self.columns.iter().filter(|column| only_flows(&column.title));
        let rows: Vec<(&str, f64)> =
            columns.map(|column| (&*column.title, column.min("sensor_xdp") - column.min("null_xdp"))).collect();
        if rows.is_empty() {
            return;
        }
        let sizes = ON_PAPER.map(|(bytes, millions)| format!("{bytes} bytes, {millions} M packets/s"));
        let _ = writeln!(text, "\n| on paper: CPUs for 100 Gbit/s | {} |\n|---|---|---|---|", sizes.join(" | "));
        for (title, nanos) in rows {
            let cpus = ON_PAPER.map(|(_, millions)| format!("{:.1}", millions * nanos / 1_000.0));
            let _ = writeln!(text, "| {title}, {nanos:.0} ns | {} |", cpus.join(" | "));
        }
    }

    fn engine(&self, text: &mut String) {
        if self.engine.is_empty() {
            return;
        }
        text.push_str("\n| engine on the host | ns a packet | million packets a second | a sweep beside traffic, ms |");
        text.push_str(" when all have come to rest | at rest |\n|---|---|---|---|---|---|\n");
        for OnHost { flows, cell, sweeps } in &self.engine {
            let sweeps = sweeps.map_or("| |".into(), |sweeps| sweeps.map(|ms| format!("{ms:.1}")).join(" | "));
            let _ = writeln!(text, "| {flows} | {} | {:.1} | {sweeps} |", cell.in_words(), 1_000.0 / cell.min);
        }
    }

    fn programs(&self, text: &mut String) {
        if self.programs.is_empty() {
            return;
        }
        text.push_str(
            "\n| program | instructions verified | instructions loaded | bytes of machine code | bytes of stack |\n\
             |---|---|---|---|---|\n",
        );
        for Loaded { name, verified, translated, jitted, stack } in &self.programs {
            let _ = writeln!(text, "| {name} | {verified} | {translated} | {jitted} | {stack} |");
        }
        for beyond in self.programs.iter().filter_map(Loaded::beyond) {
            let _ = writeln!(text, "\n**Beyond the limit:** {beyond}.");
        }
    }

    /// What became of an earlier run's minima.
    pub(in crate::bench) fn change_since(&self, old: &Self) -> String {
        let mut text = String::from("Minima, before → now:\n");
        let before = |column: &Column, of: &dyn Fn(&Column) -> f64| {
            let old = old.columns.iter().find(|old| old.title == column.title).map(of);
            // What an older benchmark did not measure is no number.
            old.filter(|value| value.is_finite())
        };
        for columns in self.columns.chunks(WIDTH) {
            head(&mut text, "ratio of minima", columns);
            for ratio in RATIOS {
                row(&mut text, ratio.name, columns, |column| {
                    let now = (ratio.of)(column);
                    let before = before(column, &ratio.of);
                    before.map_or_else(|| format!("new: {now:.2}"), |before| format!("{before:.2} → {now:.2}"))
                });
            }
            head(&mut text, "program", columns);
            for program in self.programs_measured() {
                row(&mut text, program, columns, |column| {
                    let now = column.min(program);
                    match before(column, &|column| column.min(program)) {
                        Some(before) => format!("{before:.1} → {now:.1} ({:+.0} %)", (now / before - 1.0) * 100.0),
                        None => format!("new: {now:.1}"),
                    }
                });
            }
        }
        self.counts_since(old, &mut text);
        text
    }

    fn counts_since(&self, old: &Self, text: &mut String) {
        text.push_str("\n| path | instructions | cache lines |\n|---|---|---|\n");
        for count in &self.counts {
            let before = old.counts.iter().find(|old| old.path == count.path);
            let change = match before {
                Some(before) => format!("{} → {}", before.instructions, count.instructions),
                None => format!("new: {}", count.instructions),
            };
            let lines = match before {
                Some(before) if before.lines != count.lines => {
                    format!("{} → {}", before.lines_in_words(), count.lines_in_words())
                }
                _ => count.lines_in_words(),
            };
            let _ = writeln!(text, "| {} | {change} | {lines} |", count.path);
        }
    }
}

impl Cell {
    fn in_words(&self) -> String {
        format!("{:.1} ({:.1})", self.min, self.median)
    }
}

/// The table of counts.
pub(in crate::bench) fn counts(counts: &[Count]) -> String {
    let mut text =
        String::from("\n| path | instructions executed | helpers called | cache lines touched |\n|---|---|---|---|\n");
    for count in counts {
        let Count { path, instructions, helpers, .. } = count;
        let _ = writeln!(text, "| {path} | {instructions} | {helpers} | {} |", count.lines_in_words());
    }
    text
}

fn head(text: &mut String, first: &str, columns: &[Column]) {
    text.push('\n');
    row(text, first, columns, |column| column.title.clone());
    let _ = writeln!(text, "|---|{}", "---|".repeat(columns.len()));
}

fn row(text: &mut String, name: &str, columns: &[Column], cell: impl Fn(&Column) -> String) {
    let cells: Vec<String> = columns.iter().map(cell).collect();
    let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
}
