//! What an idle agent costs, and how soon a finding is told: figures, which depend on the machine. Run by hand, in release:
//! `cargo test --release -p sensor --test attach figures -- --ignored --nocapture`.

use std::{fs, thread, time::Duration};

use sensor::lab::Sniffer;
use sensor_common::flow::TcpFlags;

use super::{WAN, child::Running, forge, lab};

const IDLE: Duration = Duration::from_secs(10);

/// Ticks of CPU (100 a second) that a process has used, in user and kernel mode.
fn ticks(pid: u32) -> [u64; 2] {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The 14th and 15th field; the second may hold anything.
    let mut rest = stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).map(|field| field.parse().unwrap());
    [rest.next().unwrap(), rest.next().unwrap()]
}

/// A line of `/proc/PID/FILE` that begins so, or the sum of all: a number.
fn line(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let values =
        text.lines().filter_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
    values.sum()
}

#[test]
#[ignore = "figures, not a verdict"]
fn an_idle_agent() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN]);
    thread::sleep(Duration::from_secs(1));
    let pid = running.pid();
    let switches = || line(pid, "status", "voluntary_ctxt_switches:");
    let (before, woken) = (ticks(pid), switches());
    thread::sleep(IDLE);
    let after = ticks(pid);
    println!("idle for {IDLE:?}: {} + {} ms of CPU", (after[0] - before[0]) * 10, (after[1] - before[1]) * 10);
    println!("woken {} times", switches() - woken);
    for name in ["VmRSS:", "RssAnon:", "RssFile:", "RssShmem:"] {
        println!("{name} {} KiB", line(pid, "status", name));
    }
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap();
    let mut mapped = 0;
    let mut inside = false;
    for row in maps.lines() {
        if row.split(' ').next().is_some_and(|range| range.contains('-')) {
            inside = row.contains("bpf");
        } else if let Some(kib) = row.strip_prefix("Rss:").filter(|_| inside) {
            mapped += kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap();
        }
    }
    println!("of these, the ring: {mapped} KiB");
    let memlock: u64 = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .unwrap()
        .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
        .filter(|info| info.contains("map_type"))
        .filter_map(|info| info.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse::<u64>().ok()))
        .sum();
    println!("maps in the kernel: {} KiB", memlock / 1024);
}

#[test]
#[ignore = "figures, not a verdict"]
fn from_the_reset_to_the_line() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN, "--output", "json"]);
    for _ in 0..12 {
        let sniffer = Sniffer::start(lab.server().netns(), WAN).unwrap();
        let port = forge(&lab);
        let (told, _) = running.stdout.wait_for(&format!("\"src_port\":{port}"));
        let resets = sniffer.captured().into_iter();
        let reset = resets.filter(|c| !c.outgoing).find(|c| c.packet().is_some_and(|p| p.flags.any(TcpFlags::RST)));
        let seen = reset.expect("a reset").at;
        let late = seen.saturating_duration_since(told);
        println!("{:?} after the sniffer, {late:?} before it", told.saturating_duration_since(seen));
    }
}
