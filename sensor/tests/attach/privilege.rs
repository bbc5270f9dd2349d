//! Root is not needed; three capabilities are.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{WAN, child::Running, lab};

/// What attaching takes.
pub(crate) const THREE: &str = ",+bpf,+net_admin,+perfmon";

/// `sensor attach` as nobody, with these capabilities, from a place where nobody may read it.
pub(crate) fn as_nobody(capabilities: &str, arguments: &[&str]) -> (TempDir, Command) {
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = directory.path().join("sensor");
    fs::copy(env!("CARGO_BIN_EXE_sensor"), &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    command.arg(format!("--inh-caps=-all{capabilities}")).arg(format!("--ambient-caps=-all{capabilities}"));
    command.arg(binary).args(["attach", "-i", WAN]).args(arguments).stdout(Stdio::null());
    command.env("SENSOR_MODE", "native");
    // An object to test may lie where nobody cannot read it.
    command.env_remove("SENSOR_BPF_OBJECT");
    (directory, command)
}

#[test]
fn what_is_missing_is_named() {
    let Some(lab) = lab() else { return };
    let (_directory, command) = as_nobody("", &[]);
    let words = ["not enough privilege", "CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF", "run as root"];
    Running::start(lab.server().netns(), command).ended(2, &words);
    let all = ["bpf", "net_admin", "perfmon"];
    for missing in all {
        let others: String = all.iter().filter(|one| **one != missing).map(|one| format!(",+{one}")).collect();
        let (_directory, command) = as_nobody(&others, &[]);
        let words = format!("not enough privilege: CAP_{} missing; run as root", missing.to_uppercase());
        Running::start(lab.server().netns(), command).ended(2, &[&words]);
    }
}

#[test]
fn three_capabilities_are_enough() {
    let Some(lab) = lab() else { return };
    let (_directory, command) = as_nobody(THREE, &["--duration", "1"]);
    Running::start(lab.server().netns(), command).ended(0, &["watching wan0: ingress by native XDP, egress by tcx\n"]);
}

#[test]
fn capabilities_that_do_not_count_are_told_from_those_that_do() {
    let Some(lab) = lab() else { return };
    if !Command::new("unshare").args(["--user", "true"]).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: user namespaces are switched off here");
        return;
    }
    // Root of a user namespace has them all, and the kernel takes none of them.
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_sensor"), "attach", "-i", WAN]);
    let words = ["the kernel forbids BPF", "user namespace", "run on the host"];
    Running::start(lab.server().netns(), command).ended(2, &words);
}

#[test]
fn open_files_are_a_limit_with_a_name() {
    let Some(lab) = lab() else { return };
    let mut command = Command::new("prlimit");
    command.args(["--nofile=16", env!("CARGO_BIN_EXE_sensor"), "attach", "-i", WAN]);
    Running::start(lab.server().netns(), command).ended(2, &["too many open files", "ulimit -n"]);
}

#[test]
fn a_container_without_sys_is_told_what_it_lacks() {
    let Some(lab) = lab() else { return };
    let mut command = Command::new("unshare");
    let inside = "mount -t tmpfs none /sys && exec \"$0\" attach -i wan0";
    command.args(["--mount", "sh", "-c", inside, env!("CARGO_BIN_EXE_sensor")]);
    let words = ["cannot count the CPUs", "/sys/devices/system/cpu/possible", "mount /sys"];
    Running::start(lab.server().netns(), command).ended(2, &words);
}
