//! The `ip` command in batches: one process for many steps keeps a lab quick to build.

use std::{
    io::{ErrorKind, Write},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
};

use super::error::{LabError, Task};

/// Runs `script`, one `ip` command a line, in the caller's namespace or in the one named `netns`.
/// Stops at the first failure.
pub(crate) fn batch(netns: Option<&str>, script: &str) -> Result<(), LabError> {
    run(netns, &[], script)
}

/// As [`batch`], but goes on after a failure: for cleaning up.
pub(crate) fn batch_all(script: &str) -> Result<(), LabError> {
    run(None, &["-force"], script)
}

fn run(netns: Option<&str>, flags: &[&str], script: &str) -> Result<(), LabError> {
    let mut command = Command::new("ip");
    if let Some(netns) = netns {
        command.args(["-netns", netns]);
    }
    let mut child = command
        .args(flags)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A second Ctrl-C must not cut a clean-up short.
        .process_group(0)
        .spawn()
        .map_err(|source| match source.kind() {
            ErrorKind::NotFound => LabError::NoIproute2,
            _ => LabError::Io { task: "run `ip`".into(), source },
        })?;
    // Taking the pipe closes it, which ends the batch. A failed write shows in the exit status.
    if let Some(mut input) = child.stdin.take() {
        let _ = input.write_all(script.as_bytes());
    }
    let output = child.wait_with_output().task(|| "wait for `ip`".into())?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Ip(explain(script, &String::from_utf8_lossy(&output.stderr))))
}

/// Puts the failed line beside the complaint; `ip` gives its number only ("Command failed -:3").
fn explain(script: &str, stderr: &str) -> String {
    let failed = stderr
        .lines()
        .find_map(|line| line.strip_prefix("Command failed -:"))
        .and_then(|number| number.trim().parse::<usize>().ok())
        .and_then(|number| script.lines().nth(number.checked_sub(1)?));
    let complaint = stderr.trim().replace('\n', "; ");
    match failed {
        Some(line) => format!("{complaint} (ip {line})"),
        None => complaint,
    }
}

#[cfg(test)]
mod tests {
    use super::explain;

    #[test]
    fn a_failure_names_its_line() {
        let told = explain("first\nsecond\n", "Error: no.\nCommand failed -:2\n");
        assert!(told.contains("Error: no.") && told.ends_with("(ip second)"), "{told}");
        assert_eq!(explain("first", "odd\n"), "odd");
    }
}
