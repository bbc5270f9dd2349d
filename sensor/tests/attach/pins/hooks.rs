//! Which hooks are pinned, and which of them a later sensor takes.

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use sensor::kernel::{Kernel, Mode, Options, Pins};

use super::{
    super::{WAN, child::SOON, ip, lab},
    BpfFs, attach, detach, end,
};

#[test]
fn interfaces_that_come_later_are_pinned_and_those_that_go_are_not() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let (pins, netns) = (bpf.pins(), lab.server().netns());
    let links = || -> BTreeSet<String> {
        let names = fs::read_dir(&pins).unwrap().flatten().map(|file| file.file_name().into_string().unwrap());
        names.filter(|name| name.contains('-')).collect()
    };
    let mut first = attach(&lab, &pins, &["-i", "spare*"]);
    let before = links();
    assert_eq!(before.len(), 2, "{before:?}");
    ip(netns, "link add name spare0 type veth peer name other0");
    first.stderr.wait_for("watching spare0: ingress by native XDP, egress by tcx");
    assert_eq!(links().len(), 4);
    end(&mut first);
    let mut second = attach(&lab, &pins, &["-i", "spare*"]);
    second.stderr.wait_for("watching spare0: ingress by native XDP, egress by tcx");
    ip(netns, "link delete spare0");
    second.stderr.wait_for("spare0 is gone");
    let end_of = Instant::now() + SOON;
    while links() != before && Instant::now() < end_of {
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(links(), before);
    ip(netns, "link add name spare1 type veth peer name other1");
    second.stderr.wait_for("watching spare1: ");
    end(&mut second);
    // What is no longer asked for is let go of, and what went meanwhile.
    ip(netns, "link delete spare1");
    let mut third = attach(&lab, &pins, &[]);
    assert_eq!(links(), before);
    end(&mut third);
    // A hook that was pinned stays, also where by itself it would take another.
    let mut third = attach(&lab, &pins, &["--mode", "auto"]);
    assert!(third.stderr.text().contains("ingress by native XDP, egress by tcx"), "{}", third.stderr.text());
    end(&mut third);
    // Another hook is another link.
    let mut fourth = attach(&lab, &pins, &["--mode", "tc"]);
    assert!(fourth.stderr.text().contains("ingress by tcx, egress by tcx"), "{}", fourth.stderr.text());
    end(&mut fourth);
    let fifth = attach(&lab, &pins, &["--mode", "auto"]);
    assert!(fifth.stderr.text().contains("ingress by tcx, egress by tcx"), "{}", fifth.stderr.text());
    drop(fifth);
    detach(&lab, &pins);
}

/// Where there are no tcx links. The filter stays by itself, and is told from those of others by its pin.
#[test]
fn a_clsact_filter_stays_until_it_is_detached() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let (pins, name) = (bpf.pins(), lab.server().netns().name());
    let filters = || {
        let output = Command::new("tc").args(["-n", name, "filter", "show", "dev", WAN, "egress"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().filter(|line| line.contains("sensor_egress")).count()
    };
    for _ in 0..2 {
        let run = || {
            let options = Options { flows: 64, ring_bytes: 1 << 16, clsact: true, ..Options::default() };
            let mut kernel = Kernel::load_pinned(&options, Some(Pins::open(&pins).unwrap())).unwrap();
            let attached = kernel.attach(WAN, Mode::Native).unwrap();
            assert!(attached.is_clsact() && attached.to_string().contains("clsact is no link"), "{attached}");
            kernel.settle().unwrap();
            kernel.detach();
        };
        lab.server().netns().enter(run).unwrap();
        assert_eq!(filters(), 1);
    }
    detach(&lab, &pins);
    assert_eq!(filters(), 0);
}
