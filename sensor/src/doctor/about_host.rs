//! What is wrong with the host.

use super::{Check, State, host::Host};
use crate::{
    kernel::{missing, too_old},
    memory::{AGENT, Footprint, Size},
};

/// Since when tc programs are links.
const TCX: (u32, u32) = (6, 6);

/// Files that a sensor has open, beside three for each interface; and a number that leaves room.
const FILES: u64 = 64;
const ROOM: u64 = 256;

/// Bytes of the usual ring.
const RING: u32 = 4 << 20;

/// Reading these takes microseconds, for each packet that is not routine.
const SLOW: [&str; 3] = ["hpet", "acpi_pm", "jiffies"];

/// Everything about the host.
pub(super) fn checks(host: &Host) -> Vec<Check> {
    [kernel(host), privileges(host), user_namespace(host), bpf(host), lockdown(host), files(host), memory(host)]
        .into_iter()
        .chain([jit(host), harden(host), stats(host), btf(host), bpffs(host), clock(host), time(host)])
        .flatten()
        .collect()
}

fn kernel(host: &Host) -> Option<Check> {
    let release = &host.release;
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    let running = (numbers.next()?, numbers.next()?);
    Some(match too_old(release) {
        Some(error) => Check::new("kernel", State::Fail, error.to_string())
            .mend("apt-get install linux-image-amd64 && systemctl reboot"),
        None if running < TCX => {
            let text = format!("Linux {release} has no tcx: a tc filter outlives a sensor that is killed");
            Check::new("kernel", State::Note, text).mend("boot Linux 6.6 or later")
        }
        None => Check::fine("kernel", format!("Linux {release}")),
    })
}

fn privileges(host: &Host) -> Option<Check> {
    let missing = missing(host.capabilities?);
    Some(if missing.is_empty() {
        Check::fine("privileges", "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are there")
    } else {
        let text = format!("{} missing: programs cannot be loaded", missing.join(" and "));
        Check::new("privileges", State::Fail, text)
            .mend(format!("sudo setcap cap_bpf,cap_net_admin,cap_perfmon+ep {}", host.program))
    })
}

fn user_namespace(host: &Host) -> Option<Check> {
    (!host.root_is_root?).then(|| {
        let text = "this is a user namespace: its capabilities are none for bpf(2)";
        Check::new("user-namespace", State::Fail, text)
            .mend("run it on the host (podman and docker: as root, with --userns=host)")
    })
}

fn bpf(host: &Host) -> Option<Check> {
    let privileged = host.capabilities.is_some_and(|effective| effective >> 39 & 1 != 0);
    match host.bpf? {
        libc::ENOSYS => Some(
            Check::new("bpf", State::Fail, "this kernel has no bpf(2), or a seccomp filter hides it")
                .mend("boot a kernel with CONFIG_BPF_SYSCALL=y, or allow bpf in the seccomp profile"),
        ),
        libc::EPERM | libc::EACCES if privileged && host.root_is_root == Some(true) => Some(
            Check::new("bpf", State::Fail, "bpf(2) is forbidden although the capabilities are there: a seccomp filter")
                .mend("allow bpf in the container's seccomp profile (docker: --security-opt seccomp=PROFILE)"),
        ),
        // Without the right there is nothing to be learnt.
        libc::EPERM | libc::EACCES => None,
        _ => Some(Check::fine("bpf", "bpf(2) answers")),
    }
}

fn lockdown(host: &Host) -> Option<Check> {
    let mode = host.lockdown.as_deref()?;
    (mode != "none").then(|| {
        let text = format!("lockdown is on ({mode}): programs for networks are loaded all the same");
        Check::new("lockdown", State::Note, text).mend("none is needed (cat /sys/kernel/security/lockdown)")
    })
}

fn files(host: &Host) -> Option<Check> {
    let files = host.files?;
    let state = match files {
        ..FILES => State::Fail,
        FILES..ROOM => State::Warn,
        _ => return Some(Check::fine("open-files", format!("{files} files may be open"))),
    };
    let text = format!("only {files} files may be open; the sensor has {FILES} and three for each interface");
    Some(Check::new("open-files", state, text).mend("ulimit -n 1024 (systemd: LimitNOFILE=1024)"))
}

fn memory(host: &Host) -> Option<Check> {
    let flows = host.memory.flows();
    let footprint = Footprint::attach(flows, RING, 1);
    let needs = footprint.total() + AGENT;
    let (limit, file) = match (&host.memory.limit, host.memory.total) {
        (Some((limit, file)), _) => (*limit, Some(file)),
        (None, Some(total)) => (total, None),
        (None, None) => return None,
    };
    let has = if file.is_some() { "the control group has" } else { "the machine has" };
    let text = format!("{has} {}, and the default table of {flows} connections needs {}", Size(limit), Size(needs));
    Some(match file {
        Some(file) if limit < needs => Check::new("memory", State::Fail, text)
            .mend(format!("echo {} > {file} (or sensor attach --flows 64 --ring 1)", needs.next_power_of_two())),
        _ => Check::fine("memory", text),
    })
}

fn jit(host: &Host) -> Option<Check> {
    Some(match host.jit? {
        0 => Check::new("jit", State::Warn, "BPF is interpreted, not compiled: each packet costs many times as much")
            .mend("sysctl -w net.core.bpf_jit_enable=1"),
        _ => Check::fine("jit", "BPF is compiled"),
    })
}

fn harden(host: &Host) -> Option<Check> {
    (host.harden? >= 2).then(|| {
        let text = "constants in BPF are blinded also for root: each packet costs more";
        Check::new("jit-harden", State::Warn, text).mend("sysctl -w net.core.bpf_jit_harden=1")
    })
}

fn stats(host: &Host) -> Option<Check> {
    (host.stats? > 0).then(|| {
        let text = "the kernel measures the run time of every BPF program, which costs some 20 ns a packet";
        Check::new("bpf-stats", State::Warn, text).mend("sysctl -w kernel.bpf_stats_enabled=0")
    })
}

fn btf(host: &Host) -> Option<Check> {
    (!host.btf).then(|| {
        let text = "the kernel does not describe its types (BTF); the sensor needs none of that, other tools do";
        Check::new("btf", State::Note, text).mend("boot a kernel with CONFIG_DEBUG_INFO_BTF=y")
    })
}

fn bpffs(host: &Host) -> Option<Check> {
    (!host.bpffs).then(|| {
        let text = "no BPF file system is mounted; the sensor pins nothing and needs none";
        Check::new("bpffs", State::Note, text).mend("mount -t bpf bpf /sys/fs/bpf")
    })
}

fn clock(host: &Host) -> Option<Check> {
    let clock = host.clock.as_deref()?;
    if !SLOW.contains(&clock) {
        return Some(Check::fine("clock", format!("the clock source is {clock}")));
    }
    let better = host.clocks.split_whitespace().find(|other| !SLOW.contains(other));
    let remedy = match better {
        Some(better) => format!("echo {better} > /sys/devices/system/clocksource/clocksource0/current_clocksource"),
        None => "boot with tsc=reliable, if the machine's clock is".into(),
    };
    let text = format!("the clock source is {clock}, which takes microseconds to read");
    Some(Check::new("clock", State::Warn, text).mend(remedy))
}

fn time(host: &Host) -> Option<Check> {
    Some(match host.synchronized? {
        true => Check::fine("time", "the wall clock is kept right"),
        false => {
            let text = "nobody keeps the wall clock right: times will not match those of other machines";
            Check::new("time", State::Note, text).mend("timedatectl set-ntp true")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Room;

    /// A host with nothing wrong.
    fn well() -> Host {
        Host {
            release: "6.12.1-amd64".into(),
            btf: true,
            capabilities: Some(1 << 12 | 1 << 38 | 1 << 39),
            root_is_root: Some(true),
            bpf: Some(libc::EINVAL),
            lockdown: Some("none".into()),
            files: Some(1024),
            memory: Room { limit: Some((1 << 30, "/sys/fs/cgroup/memory.max".into())), ..Room::default() },
            jit: Some(1),
            harden: Some(0),
            stats: Some(0),
            bpffs: true,
            clock: Some("tsc".into()),
            clocks: "tsc hpet".into(),
            synchronized: Some(true),
            program: "/usr/bin/sensor".into(),
        }
    }

    #[test]
    fn a_host_that_is_well_has_no_remedies() {
        for check in checks(&well()) {
            assert!(check.state == State::Fine && check.remedy.is_none(), "{check:?}");
        }
        // What cannot be read is no trouble.
        assert_eq!(checks(&Host::default()).iter().filter(|check| check.state > State::Note).count(), 0);
    }

    #[test]
    fn each_class_is_told_with_what_mends_it() {
        type Case = (&'static str, State, fn(&mut Host), &'static str);
        let cases: &[Case] = &[
            ("kernel", State::Fail, |h| h.release = "5.4.0-30-amd64".into(), "linux-image"),
            ("kernel", State::Note, |h| h.release = "6.1.0-40-amd64".into(), "6.6"),
            ("privileges", State::Fail, |h| h.capabilities = Some(1 << 12 | 1 << 39), "setcap"),
            ("user-namespace", State::Fail, |h| h.root_is_root = Some(false), "--userns=host"),
            ("bpf", State::Fail, |h| h.bpf = Some(libc::EPERM), "seccomp"),
            ("bpf", State::Fail, |h| h.bpf = Some(libc::ENOSYS), "CONFIG_BPF_SYSCALL"),
            ("open-files", State::Fail, |h| h.files = Some(32), "ulimit -n"),
            ("open-files", State::Warn, |h| h.files = Some(128), "LimitNOFILE"),
            (
                "memory",
                State::Fail,
                |h| h.memory.limit = Some((16 << 20, "/sys/x".into())),
                "> /sys/x (or sensor attach --flows 64 --ring 1)",
            ),
            ("jit", State::Warn, |h| h.jit = Some(0), "bpf_jit_enable=1"),
            ("jit-harden", State::Warn, |h| h.harden = Some(2), "bpf_jit_harden=1"),
            ("bpf-stats", State::Warn, |h| h.stats = Some(1), "bpf_stats_enabled=0"),
            ("btf", State::Note, |h| h.btf = false, "DEBUG_INFO_BTF"),
            ("bpffs", State::Note, |h| h.bpffs = false, "mount -t bpf"),
            ("clock", State::Warn, |h| h.clock = Some("hpet".into()), "echo tsc >"),
            ("time", State::Note, |h| h.synchronized = Some(false), "timedatectl"),
        ];
        for (class, state, spoil, remedy) in cases {
            let mut host = well();
            spoil(&mut host);
            let wrong: Vec<_> = checks(&host).into_iter().filter(|check| check.state > State::Fine).collect();
            let [check] = &wrong[..] else { panic!("{class}: {wrong:?}") };
            assert_eq!((check.class, check.state), (*class, *state));
            assert!(check.remedy.as_deref().is_some_and(|told| told.contains(remedy)), "{check:?}");
        }
        let locked = Host { lockdown: Some("confidentiality".into()), ..well() };
        assert!(checks(&locked).iter().any(|check| check.class == "lockdown" && check.state == State::Note));
    }
}
