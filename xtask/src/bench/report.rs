//! The figures: as JSON to keep and compare, as tables to read.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::kernel::Loaded;
use super::machine::Machine;

/// What stands around the tables in the document.
const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

/// All figures of one run of the verb.
#[derive(Serialize, Deserialize)]
pub(super) struct Report {
    machine: Machine,
    packets: u32,
    runs: usize,
    /// Mixes of traffic.
    pub(super) columns: Vec<Column>,
    /// The engine on the host, one for each number of flows.
    pub(super) host: Vec<Cell>,
    /// What the kernel says of the sensor's programs.
    pub(super) programs: Vec<Loaded>,
}

/// One mix of traffic.
#[derive(Serialize, Deserialize)]
pub(super) struct Column {
    /// What is above it.
    pub(super) title: String,
    /// One for each program.
    pub(super) cells: Vec<Cell>,
}

/// One program in one mix, in nanoseconds a packet.
#[derive(Serialize, Deserialize)]
pub(super) struct Cell {
    program: String,
    min: f64,
    median: f64,
}

impl Cell {
    /// From all runs' times.
    pub(super) fn new(program: &str, mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let (min, median) = (times.first().copied(), times.get(times.len() / 2).copied());
        let hundredths = |time: Option<f64>| (time.unwrap_or(f64::NAN) * 100.0).round() / 100.0;
        Self { program: program.to_owned(), min: hundredths(min), median: hundredths(median) }
    }
}

impl Column {
    fn min(&self, program: &str) -> f64 {
        self.cells.iter().find(|cell| cell.program == program).map_or(f64::NAN, |cell| cell.min)
    }
}

/// A ratio, and what it should not exceed.
struct Ratio {
    name: &'static str,
    of: fn(&Column) -> f64,
    /// The goal in a column, if it has one there.
    goal: fn(&str) -> Option<f64>,
}

const RATIOS: &[Ratio] = &[
    Ratio {
        name: "sensor_xdp / floor_lru",
        of: |column| column.min("sensor_xdp") / column.min("floor_lru"),
        goal: |title| match title {
            "not TCP" => None,
            "SYN flood" => Some(0.7),
            _ => Some(1.0),
        },
    },
    Ratio {
        name: "(sensor_xdp − null_xdp) / (floor_lru − null_xdp)",
        of: |column| {
            (column.min("sensor_xdp") - column.min("null_xdp")) / (column.min("floor_lru") - column.min("null_xdp"))
        },
        goal: |_| None,
    },
    Ratio {
        name: "(sensor_egress − null_tc) / (sensor_xdp − null_xdp)",
        of: |column| {
            (column.min("sensor_egress") - column.min("null_tc")) / (column.min("sensor_xdp") - column.min("null_xdp"))
        },
        goal: |title| (title != "not TCP").then_some(1.1),
    },
    Ratio {
        name: "sensor_xdp − null_xdp, ns",
        of: |column| column.min("sensor_xdp") - column.min("null_xdp"),
        goal: |title| (title == "not TCP").then_some(10.0),
    },
];

impl Report {
    /// An empty one.
    pub(super) fn new(packets: u32, runs: usize) -> Self {
        let (columns, host, programs) = (Vec::new(), Vec::new(), Vec::new());
        Self { machine: Machine::this(), packets, runs, columns, host, programs }
    }

    /// An earlier one.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is not a benchmark's result", path.display()))
    }

    /// Stores it.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let write = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
            fs::write(path, serde_json::to_string_pretty(self)? + "\n")
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }

    /// All tables.
    pub(super) fn tables(&self) -> String {
        let mut text = format!(
            "{}. Nanoseconds of CPU time a packet, minimum (median) of {} runs of at least {} packets each. The \
             kernel's loop and the feeder, which are all that the null programs cost, are in every figure.\n\n",
            self.machine.sentence(),
            self.runs,
            self.packets
        );
        self.head(&mut text, "program");
        for row in self.columns.first().map_or(&[][..], |column| &column.cells) {
            self.row(&mut text, &row.program, |column| {
                let cell = column.cells.iter().find(|cell| cell.program == row.program);
                cell.map_or_else(String::new, |cell| format!("{:.1} ({:.1})", cell.min, cell.median))
            });
        }
        text.push('\n');
        self.head(&mut text, "ratio of minima");
        for ratio in RATIOS {
            self.row(&mut text, ratio.name, |column| {
                let value = (ratio.of)(column);
                match (ratio.goal)(&column.title) {
                    None => format!("{value:.2}"),
                    Some(goal) if value <= goal => format!("{value:.2} ≤ {goal}"),
                    Some(goal) => format!("**{value:.2}** > {goal}"),
                }
            });
        }
        text.push_str("\n| engine on the host | ns a packet | million packets a second |\n|---|---|---|\n");
        for (column, cell) in self.columns.iter().zip(&self.host) {
            let Cell { min, median, .. } = cell;
            let _ = writeln!(text, "| {} | {min:.1} ({median:.1}) | {:.1} |", column.title, 1_000.0 / min);
        }
        text.push_str(
            "\n| program | instructions verified | instructions loaded | bytes of machine code | bytes of stack |\n\
             |---|---|---|---|---|\n",
        );
        for Loaded { name, verified, translated, jitted, stack } in &self.programs {
            let _ = writeln!(text, "| {name} | {verified} | {translated} | {jitted} | {stack} |");
        }
        text
    }

    /// What became of an earlier run's minima.
    pub(super) fn change_since(&self, old: &Self) -> String {
        let mut text = String::from("Minima, before → now:\n\n");
        self.head(&mut text, "program");
        for row in self.columns.first().map_or(&[][..], |column| &column.cells) {
            self.row(&mut text, &row.program, |column| {
                let now = column.min(&row.program);
                let before = old.columns.iter().find(|old| old.title == column.title);
                match before.map(|before| before.min(&row.program)) {
                    Some(before) => format!("{before:.1} → {now:.1} ({:+.0} %)", (now / before - 1.0) * 100.0),
                    None => format!("new: {now:.1}"),
                }
            });
        }
        for ratio in RATIOS {
            self.row(&mut text, ratio.name, |column| {
                let now = (ratio.of)(column);
                let before = old.columns.iter().find(|old| old.title == column.title).map(ratio.of);
                before.map_or_else(|| format!("new: {now:.2}"), |before| format!("{before:.2} → {now:.2}"))
            });
        }
        text
    }

    fn head(&self, text: &mut String, first: &str) {
        self.row(text, first, |column| column.title.clone());
        let _ = writeln!(text, "|---|{}", "---|".repeat(self.columns.len()));
    }

    fn row(&self, text: &mut String, name: &str, cell: impl Fn(&Column) -> String) {
        let cells: Vec<String> = self.columns.iter().map(cell).collect();
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
}

/// Replaces the tables in a document; what is around them stays.
pub(super) fn into_document(path: &Path, tables: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(path, replaced(&text, tables)?).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(text: &str, tables: &str) -> Result<String> {
    let (begin, end) = text.find(BEGIN).zip(text.find(END)).context("the document has no place for the tables")?;
    ensure!(begin < end, "the document's place for the tables ends before it begins");
    Ok(format!("{}{BEGIN}\n\n{}\n{}", &text[..begin], tables.trim_start(), &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_keeps_what_is_around_the_tables() {
        let text = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nRest.\n");
        let text = replaced(&text, "| new |\n").unwrap();
        assert_eq!(text, format!("# Title\n\n{BEGIN}\n\n| new |\n\n{END}\n\nRest.\n"));
        assert_eq!(replaced(&text, "| new |\n").unwrap(), text, "twice is as once");
        assert!(replaced("# Title\n", "").is_err());
    }

    #[test]
    fn a_cell_is_the_least_and_the_middle() {
        let cell = Cell::new("x", vec![3.0, 1.004, 2.0]);
        assert_eq!((cell.min, cell.median), (1.0, 2.0));
    }
}
