//! The limits that can be set, from outside: what is held back, and how large things are.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::Stdio,
    time::Duration,
};

use sensor::lab::{Family, Lab};

use super::{
    WAN,
    child::{Running, SOON, sensor},
    lab,
};

/// Connections that are refused, each of which is a finding of the same kind.
const REFUSED: usize = 40;

/// What is told of the refused connections, and what is held back, with these flags.
fn told(lab: &Lab, flags: &[&str]) -> (usize, u64) {
    let netns = lab.server().netns();
    let mut command = sensor(&[&["attach", "-i", WAN, "--output", "json"], flags].concat());
    command.stdout(Stdio::piped());
    let mut running = Running::start(netns, command);
    running.stderr.wait_for("watching ");
    let nobody = SocketAddr::new(lab.server().address(Family::V4), 9);
    let connect = || TcpStream::connect_timeout(&nobody, Duration::from_secs(2)).is_err();
    lab.client().netns().enter(|| (0..REFUSED).for_each(|_| assert!(connect()))).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let stderr = running.stderr.text();
    let account = stderr.lines().find(|line| line.starts_with("matched ")).expect(&stderr).to_owned();
    let numbers: Vec<u64> = account.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [matched, submitted, full, held] = numbers[..] else { panic!("{account}") };
    assert_eq!(matched, submitted + full + held, "{account}");
    (running.stdout.text().matches("\"rst-refused\"").count(), held)
}

#[test]
fn cheap_findings_are_told_at_the_rate_that_is_asked_for() {
    let Some(lab) = lab() else { return };
    let (all, held) = told(&lab, &["--rate", "0"]);
    assert!(all >= REFUSED && held == 0, "{all} told, {held} held back");
    let (some, held) = told(&lab, &["--rate", "1"]);
    assert!(some > 0 && held > 0 && some < all, "{some} told, {held} held back");
}

#[test]
fn the_ring_is_as_large_as_asked_for() {
    let Some(lab) = lab() else { return };
    for (flags, bytes) in
        [(&["-i", WAN][..], 4 << 20), (&["-i", WAN, "--ring", "3"], 4 << 20), (&["-i", WAN, "--ring", "1"], 1 << 20)]
    {
        let running = Running::attach(lab.server().netns(), flags);
        let infos = fs::read_dir(format!("/proc/{}/fdinfo", running.pid())).unwrap();
        let infos: Vec<_> = infos.filter_map(|file| fs::read_to_string(file.ok()?.path()).ok()).collect();
        let field =
            |info: &str, name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        // BPF_MAP_TYPE_RINGBUF. That of the kernel's own resets has a size of its own.
        let rings = infos.iter().filter(|info| field(info, "map_type:") == Some(27));
        let sizes: Vec<_> = rings.filter_map(|info| field(info, "max_entries:")).collect();
        assert!(sizes.contains(&bytes), "{flags:?}: {sizes:?}");
    }
}
