//! What the table takes: said beforehand, as the kernel says it afterwards; refused where it does not fit.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Stdio};

use sensor::memory::{Footprint, possible_cpus};

use super::{
    WAN,
    child::{Running, SOON},
    lab,
};

/// Bytes of each map that a process has open, as the kernel counts them, by the map's id.
fn maps(pid: u32) -> BTreeMap<u64, u64> {
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let infos = infos.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
    let field =
        |info: &str, name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    infos.filter_map(|info| Some((field(&info, "map_id:")?, field(&info, "memlock:")?))).collect()
}

#[test]
fn what_is_said_is_what_the_kernel_takes() {
    let Some(lab) = lab() else { return };
    for (asked, slots) in [(1000, "1,024 connections (1,000 rounded up)"), (131_072, "131,072 connections: ")] {
        let running = Running::attach(lab.server().netns(), &["-i", WAN, "--flows", &asked.to_string()]);
        let said = running.stderr.text();
        assert!(said.contains("memory: ") && said.contains(slots), "{said}");
        // That of the machine's own resets is of other maps, and a few small ones are not worth a word.
        const BESIDE: u64 = 256 << 10;
        let (told, taken) = (
            Footprint::attach(asked, 4 << 20, possible_cpus().unwrap()).maps(),
            maps(running.pid()).values().sum::<u64>(),
        );
        assert!(taken >= told - told / 33 && taken <= told + told / 33 + BESIDE, "{told} told, {taken} taken");
    }
}

/// A memory control group of its own; removed when dropped.
struct Group(PathBuf);

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl Group {
    /// With so many bytes; none, and a word, where none can be made.
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("sensor-test-{}-{}", std::process::id(), bytes >> 20);
        for (root, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let group = Self(PathBuf::from(root).join(&name));
            if fs::create_dir(&group.0).is_ok() && fs::write(group.0.join(limit), bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        eprintln!("SKIPPED in part: no memory control group can be made here");
        None
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_figure() {
    let Some(lab) = lab() else { return };
    let Some(group) = Group::new(192 << 20) else { return };
    let within = |arguments: &[&str]| {
        let mut command = std::process::Command::new("sh");
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
        command.args(["-c", &enter, env!("CARGO_BIN_EXE_sensor"), "attach", "-i", WAN]).args(arguments);
        command.env("SENSOR_SOCKET", "none").stdout(Stdio::null());
        Running::start(lab.server().netns(), command)
    };
    let mut refused = within(&["--flows", "4000000"]);
    assert_eq!(refused.end(SOON).code(), Some(2), "{}", refused.stderr.text());
    let said = refused.stderr.text();
    for words in [
        "not enough memory: ",
        "4,194,304 connections (4,000,000 rounded up)",
        " is left (/sys/fs/cgroup/",
        "--flows 2",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("watching") && !said.contains("panicked"), "{said}");
    // Left to itself it takes what the group can give: a quarter.
    let mut fits = within(&["--duration", "1"]);
    assert_eq!(fits.end(SOON).code(), Some(0), "{}", fits.stderr.text());
    let said = fits.stderr.text();
    assert!(said.contains(" for 65,536 connections") && said.contains("watching"), "{said}");
}

#[test]
fn a_replay_beyond_memory_is_refused() {
    let Some(_root) = lab() else { return };
    let Some(group) = Group::new(64 << 20) else { return };
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.0.display());
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &enter, env!("CARGO_BIN_EXE_sensor"), "replay", "--flows", "1000000", "/dev/null"]);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("not enough memory: ") && said.contains("1,048,576 connections"), "{said}");
}
