//! `sensor doctor`: troubles made for real, in a namespace of their own, and what is said of each.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

use sensor::lab::{Family, Netns};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    WAN,
    child::{Running, sensor},
    ip, lab,
};

mod foreign;

/// What was found, by class; its exit code says whether anything fails.
fn doctor(netns: &Netns, command: &mut Command) -> BTreeMap<String, Value> {
    let output = netns.enter(|| command.stdout(Stdio::piped()).output()).flatten().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let checks: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let fails = checks.iter().any(|check| check["state"] == "fail");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(i32::from(fails)), "{stdout}{stderr}");
    checks.into_iter().map(|check| (check["class"].as_str().unwrap().to_owned(), check)).collect()
}

pub(super) fn of(netns: &Netns, interface: &str) -> BTreeMap<String, Value> {
    doctor(netns, &mut sensor(&["doctor", "--json", "--iface", interface]))
}

/// A class is in this state, with these words in its text and its remedy.
#[track_caller]
pub(super) fn expect(checks: &BTreeMap<String, Value>, class: &str, state: &str, text: &str, remedy: &str) {
    let check = checks.get(class).unwrap_or_else(|| panic!("no {class}: {checks:?}"));
    assert_eq!(check["state"], state, "{check}");
    assert!(check["text"].as_str().is_some_and(|told| told.contains(text)), "{check}");
    assert!(check["remedy"].as_str().is_some_and(|told| told.contains(remedy)), "{check}");
}

/// The doctor behind `wrapper`, another program with its arguments.
fn wrapped(wrapper: &[&str]) -> Command {
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(env!("CARGO_BIN_EXE_sensor")).args(["doctor", "--json", "-i", WAN]);
    command
}

fn tool(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn interfaces_and_what_is_wrong_with_them() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();

    let well = of(netns, WAN);
    for class in ["state", "native-xdp", "mtu", "privileges", "bpf", "kernel"] {
        assert!(well.get(class).is_some_and(|check| check["state"] != "fail" && check["state"] != "warn"), "{well:?}");
    }
    expect(&of(netns, "wam0"), "interface", "fail", "there is no interface \"wam0\"", "sensor doctor -i wan0");

    ip(netns, &format!("link set {WAN} down"));
    expect(&of(netns, WAN), "state", "warn", "it is down", "ip link set dev wan0 up");
    ip(netns, &format!("link set {WAN} up"));
    ip(netns, "link add name spare0 type veth peer name other0");
    ip(netns, "link set spare0 up");
    let spare = of(netns, "spare0");
    expect(&spare, "state", "warn", "no carrier", "ip link show dev spare0");
    // The lab has switched these off on its own interfaces.
    expect(&spare, "vlan-offload", "note", "takes VLAN tags off", "ethtool -K spare0 rxvlan off");
    expect(&spare, "merged-out", "note", "before the card cuts it", "ethtool -K spare0 tso off");

    if well["native-xdp"]["text"].as_str().is_some_and(|told| told.contains("has native XDP")) {
        let lo = of(netns, "lo");
        expect(&lo, "native-xdp", "warn", "has no native XDP", "--mode tc");
        expect(&lo, "merged-in", "note", "are merged (GRO)", "ethtool -K lo gro off");
    } else {
        eprintln!("SKIPPED in part: this kernel does not tell who has native XDP");
    }

    if tool(Command::new("ip").args(["-n", netns.name(), "link", "add", "name", "br0", "type", "bridge"])) {
        ip(netns, "link set spare0 master br0");
        expect(&of(netns, "br0"), "bridge", "note", "between its ports is not seen", "sensor attach -i spare0");
    } else {
        eprintln!("SKIPPED in part: no bridges here");
    }
    if tool(Command::new("ip").args(["-n", netns.name(), "link", "add", "mac0", "link", WAN, "type", "macvlan"])) {
        expect(&of(netns, "mac0"), "upper", "note", "macvlan over wan0", "sensor attach -i wan0");
    } else {
        eprintln!("SKIPPED in part: no macvlan here");
    }
    if tool(Command::new("ip").args(["-n", netns.name(), "link", "add", "name", "bond0", "type", "bond"])) {
        ip(netns, "link set other0 master bond0");
        expect(&of(netns, "other0"), "bond-member", "warn", "belongs to the bond bond0", "sensor attach -i bond0");
    } else {
        eprintln!("SKIPPED in part: no bonds here");
    }
    if fs::exists("/dev/net/tun").unwrap() {
        ip(netns, "tuntap add dev tun0 mode tun");
        expect(&of(netns, "tun0"), "ethernet", "fail", "no Ethernet frames", "sensor attach -i ");
        ip(netns, "tuntap add dev tap0 mode tap");
        ip(netns, "link set tap0 mtu 9000");
        let tap = of(netns, "tap0");
        // Where the driver has native XDP with one buffer, as that of tap has had so far.
        if tap["native-xdp"]["state"] == "fine" {
            expect(&tap, "mtu", "warn", "MTU of 9000", "ip link set dev tap0 mtu 3498");
        }
    } else {
        eprintln!("SKIPPED in part: no tunnels here");
    }
}

#[test]
fn what_others_have_attached() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let tc = |arguments: &str| tool(Command::new("tc").args(["-n", netns.name()]).args(arguments.split(' ')));
    assert!(tc(&format!("qdisc add dev {WAN} clsact")), "iproute2 has tc");
    // Classic bytecode that takes everything: `ret #-1`.
    let filter =
        format!("filter add dev {WAN} ingress pref 7 bpf bytecode 1,6\u{a0}0\u{a0}0\u{a0}4294967295 flowid 1:1");
    let filter: Vec<_> = filter.split(' ').map(|word| word.replace('\u{a0}', " ")).collect();
    if tool(Command::new("tc").args(["-n", netns.name()]).args(&filter)) {
        let checks = of(netns, WAN);
        expect(&checks, "tc-filters", "warn", "bpf at ingress", "tc filter del dev wan0 ingress pref 7");
        // The command mends it.
        assert!(tc(&format!("filter del dev {WAN} ingress pref 7")));
        assert!(!of(netns, WAN).contains_key("tc-filters"));
    } else {
        eprintln!("SKIPPED in part: this kernel has no filters of BPF");
    }
    let other = netns.enter(|| foreign::attach(WAN)).unwrap();
    let checks = of(netns, WAN);
    let (text, remedy) = ("XDP is taken by program other_xdp (id ", "ip link set dev wan0 xdp off");
    expect(&checks, "xdp-taken", "warn", text, remedy);
    drop(other);
    let running = Running::attach(netns, &["-i", WAN]);
    let pid = running.pid().to_string();
    let checks = doctor(netns, &mut sensor(&["doctor", "--json", "-i", WAN, "--pid", &pid]));
    expect(&checks, "xdp-taken", "note", "a sensor is on it already: sensor_xdp (id ", "sensor flows");
    assert!(checks.contains_key("table-size") && checks.contains_key("ring"), "{checks:?}");
    // Its own filters are no trouble.
    assert!(checks.get("tc-filters").is_none_or(|check| !check["text"].as_str().unwrap().contains("sensor_")));
}

#[test]
fn a_table_that_is_too_small_is_told() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let running = Running::attach(netns, &["-i", WAN, "--flows", "64"]);
    // Established and alive, more than there is room for; a segment of data in each direction makes them so.
    let mut pairs: Vec<_> = (0..128).map(|_| lab.connect(Family::V4).unwrap()).collect();
    pairs.iter_mut().for_each(|pair| pair.exchange().unwrap());
    let more = lab.connect(Family::V4).unwrap();
    let pid = running.pid().to_string();
    let checks = doctor(netns, &mut sensor(&["doctor", "--json", "-i", WAN, "--pid", &pid]));
    expect(&checks, "table-size", "warn", "the table of 64 flows was full", "sensor attach --flows 256");
    drop((pairs, more));
    let nobody = doctor(netns, &mut sensor(&["doctor", "--json", "-i", WAN, "--pid", "1"]));
    expect(&nobody, "running", "warn", "no running sensor found", "sensor doctor");
}

#[test]
fn the_process_and_its_limits() {
    let Some(lab) = lab() else { return };
    let netns = lab.server().netns();
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+net_admin"];
    let (_directory, binary) = readable_copy();
    let mut command = Command::new(nobody[0]);
    command.args(&nobody[1..]).arg("--ambient-caps=-all,+net_admin").arg(&binary).args(["doctor", "--json", "-i", WAN]);
    expect(&doctor(netns, &mut command), "privileges", "fail", "CAP_PERFMON and CAP_BPF missing", "setcap cap_bpf");

    let limited = doctor(netns, &mut wrapped(&["prlimit", "--nofile=32"]));
    expect(&limited, "open-files", "fail", "only 32 files may be open", "ulimit -n 1024");
    let limited = doctor(netns, &mut wrapped(&["prlimit", "--nofile=128"]));
    expect(&limited, "open-files", "warn", "only 128 files", "LimitNOFILE=1024");

    if tool(Command::new("unshare").args(["--user", "true"])) {
        let inside = doctor(netns, &mut wrapped(&["unshare", "--user", "--map-root-user"]));
        expect(&inside, "user-namespace", "fail", "this is a user namespace", "--userns=host");
    } else {
        eprintln!("SKIPPED in part: user namespaces are switched off here");
    }
}

#[test]
fn a_bpf_call_that_is_forbidden_or_hidden_is_told() {
    let Some(lab) = lab() else { return };
    for (errno, text, remedy) in [
        (libc::EPERM, "a seccomp filter", "--security-opt seccomp="),
        (libc::ENOSYS, "has no bpf(2)", "CONFIG_BPF_SYSCALL"),
    ] {
        let mut command = sensor(&["doctor", "--json", "-i", WAN]);
        // SAFETY: between fork and exec it makes one system call, with what lies on its stack.
        unsafe { command.pre_exec(move || refuse(libc::SYS_bpf, errno)) };
        expect(&doctor(lab.server().netns(), &mut command), "bpf", "fail", text, remedy);
    }
}

/// From now on this process gets this error for that system call.
fn refuse(call: libc::c_long, errno: i32) -> io::Result<()> {
    // From linux/bpf_common.h: load the word at k, jump if equal to k, return k.
    let op = |code, jf, k| libc::sock_filter { code, jt: 0, jf, k };
    let mut filter = [
        op(0x20, 0, 0),
        op(0x15, 1, call as u32),
        op(0x06, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        op(0x06, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program and its instructions outlive the call.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[test]
fn whether_the_wall_clock_is_kept_right_is_as_the_kernel_says() {
    let Some(lab) = lab() else { return };
    // SAFETY: all zero asks and sets nothing, in a valid place to write to.
    let kept = unsafe { libc::adjtimex(&mut std::mem::zeroed()) } != libc::TIME_ERROR;
    let checks = of(lab.server().netns(), WAN);
    assert_eq!(checks["time"]["state"], if kept { "fine" } else { "note" }, "{}", checks["time"]);
    assert_eq!(checks["time"]["remedy"].is_null(), kept, "{}", checks["time"]);
}

/// The command where anybody may run it.
fn readable_copy() -> (TempDir, std::path::PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = directory.path().join("sensor");
    fs::copy(env!("CARGO_BIN_EXE_sensor"), &binary).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    (directory, binary)
}

/// The kernel's own answers, with some of them put aside in a mount namespace: nothing of the machine is changed.
fn pretending(files: &[(&str, &str)], more: &str) -> Option<BTreeMap<String, Value>> {
    let directory = TempDir::new().unwrap();
    let mut script = "set -e; mount --make-rprivate /; ".to_owned();
    for (i, (target, text)) in files.iter().enumerate() {
        if !fs::exists(target).unwrap_or_default() {
            eprintln!("SKIPPED in part: no {target} here");
            return None;
        }
        let file = directory.path().join(i.to_string());
        fs::write(&file, text).unwrap();
        script += &format!("mount --bind {} {target}; ", file.display());
    }
    script += &format!("{more} exec \"$0\" doctor --json -i lo");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, env!("CARGO_BIN_EXE_sensor")]);
    // In the machine's own network namespace: others do not show all of these.
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
    assert!(!stdout.is_empty(), "{stderr}");
    let checks = stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    Some(checks.map(|check| (check["class"].as_str().unwrap().to_owned(), check)).collect())
}

#[test]
fn the_kernel_and_its_settings() {
    // For the word on who may do this.
    let Some(_root) = lab() else { return };
    const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0";
    let (current, available) = (format!("{CLOCK}/current_clocksource"), format!("{CLOCK}/available_clocksource"));
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, [&'a str; 4]);
    let cases: &[Case<'_>] = &[
        (
            &[("/proc/sys/kernel/osrelease", "5.4.0-30-amd64\n")],
            "",
            ["kernel", "fail", "kernel 5.4.0-30-amd64 is too old", "apt-get install linux-image-amd64"],
        ),
        (&[("/proc/sys/kernel/osrelease", "6.1.0-40-amd64\n")], "", ["kernel", "note", "no tcx", "6.6"]),
        (
            &[("/proc/sys/net/core/bpf_jit_enable", "0\n")],
            "",
            ["jit", "warn", "interpreted", "sysctl -w net.core.bpf_jit_enable=1"],
        ),
        (
            &[("/proc/sys/net/core/bpf_jit_harden", "2\n")],
            "",
            ["jit-harden", "warn", "blinded", "sysctl -w net.core.bpf_jit_harden=1"],
        ),
        (
            &[("/proc/sys/kernel/bpf_stats_enabled", "1\n")],
            "",
            ["bpf-stats", "warn", "run time", "sysctl -w kernel.bpf_stats_enabled=0"],
        ),
        (
            &[(&current, "acpi_pm\n"), (&available, "acpi_pm tsc\n")],
            "",
            ["clock", "warn", "acpi_pm, which takes microseconds", "echo tsc > "],
        ),
        (&[], "mount -t tmpfs none /sys/kernel/btf;", ["btf", "note", "(BTF)", "CONFIG_DEBUG_INFO_BTF"]),
        (
            &[],
            "mount -t tmpfs none /sys/kernel/security; echo 'none [integrity] confidentiality' > /sys/kernel/security/lockdown;",
            ["lockdown", "note", "lockdown is on (integrity)", "none is needed"],
        ),
        (
            &[],
            "mount -t tmpfs none /sys/fs/cgroup; mkdir -p /sys/fs/cgroup/memory; echo 16777216 > /sys/fs/cgroup/memory.max; \
             echo 16777216 > /sys/fs/cgroup/memory/memory.limit_in_bytes;",
            ["memory", "fail", "the control group has 16.0 MiB", "--flows 64"],
        ),
        (
            &[],
            // All of them: the tests of pinned tables mount their own, at the same time.
            "umount --all --lazy --types bpf;",
            ["bpffs", "note", "no BPF file system", "mount -t bpf bpf /sys/fs/bpf"],
        ),
    ];
    for (files, script, [class, state, text, remedy]) in cases {
        if let Some(checks) = pretending(files, script) {
            expect(&checks, class, state, text, remedy);
        }
    }
}
