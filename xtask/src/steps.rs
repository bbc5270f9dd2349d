//! A verb of several steps: each is timed, all are run, and the end says which failed.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How a step that did not fail went.
pub(crate) enum Passed {
    /// As it should.
    Well,
    /// With a word the reader should see again at the end.
    With(String),
}

struct Row {
    name: String,
    took: Duration,
    result: Result<Passed>,
}

/// The steps run so far.
#[derive(Default)]
pub(crate) struct Steps {
    rows: Vec<Row>,
}

impl Steps {
    /// Runs one step and says whether it passed. A failure does not stop the others: one run shows all that is wrong.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<Passed>) -> bool {
        eprintln!("\n==> {name}");
        let start = Instant::now();
        let result = step();
        if let Err(error) = &result {
            eprintln!("error: {error:#}");
        }
        let passed = result.is_ok();
        self.rows.push(Row { name: name.to_owned(), took: start.elapsed(), result });
        passed
    }

    /// Prints the table; an error if a step failed.
    pub(crate) fn finish(self) -> Result<()> {
        eprintln!("\n{}", self.table());
        let failed: Vec<&str> = self.rows.iter().filter(|row| row.result.is_err()).map(|row| &*row.name).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }

    fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        let mut table = String::new();
        for row in &self.rows {
            let verdict = match &row.result {
                Ok(Passed::Well) => "ok".to_owned(),
                Ok(Passed::With(word)) => format!("ok: {word}"),
                Err(_) => "FAILED".to_owned(),
            };
            table += &format!("{:width$}  {:>7.1} s  {verdict}\n", row.name, row.took.as_secs_f64());
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_does_not_stop_the_next_and_fails_the_whole() {
        let mut steps = Steps::default();
        assert!(!steps.run("first", || bail!("broken")));
        assert!(steps.run("second", || Ok(Passed::With("but late".to_owned()))));
        let table = steps.table();
        assert!(table.contains("first") && table.contains("FAILED") && table.contains("ok: but late"), "{table}");
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: first");
    }
}
