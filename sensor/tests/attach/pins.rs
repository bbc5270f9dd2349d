//! What outlives the agent: connections are followed over a restart, and no segment is unseen; what does not fit begins anew, and
//! what is to end leaves nothing.

mod unfit;

use std::{
    collections::BTreeSet,
    ffi::CString,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    ptr, thread,
    time::{Duration, Instant},
};

use aya::maps::{MapData, loaded_maps};
use sensor::{
    kernel::{Kernel, Mode, Options, Pins},
    lab::{
        Family, Lab,
        tamper::{self, AckField},
        traffic::{Pace, Pair, Traffic},
    },
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    WAN,
    child::{Running, SOON, sensor, unloaded},
    forge, ip, lab,
    own::objects,
    privilege::{THREE, as_nobody},
};

/// A BPF file system of its own, gone with the test.
pub(crate) struct BpfFs(TempDir);

impl BpfFs {
    pub(crate) fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let to = CString::new(folder.path().to_str().unwrap()).unwrap();
        // SAFETY: names that live for the call.
        let mounted = unsafe { libc::mount(c"bpf".as_ptr(), to.as_ptr(), c"bpf".as_ptr(), 0, ptr::null()) };
        if mounted != 0 {
            eprintln!("SKIPPED: no BPF file system can be mounted here");
            return None;
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self(folder))
    }

    /// A folder that is not there yet.
    pub(crate) fn pins(&self) -> PathBuf {
        self.0.path().join("sensor")
    }
}

impl Drop for BpfFs {
    fn drop(&mut self) {
        let at = CString::new(self.0.path().to_str().unwrap()).unwrap();
        // SAFETY: a name that lives for the call.
        unsafe { libc::umount2(at.as_ptr(), libc::MNT_DETACH) };
    }
}

fn flag(pins: &Path) -> String {
    format!("--pin={}", pins.display())
}

/// `sensor attach --pin`, once it watches and has said what it found.
fn attach(lab: &Lab, pins: &Path, more: &[&str]) -> Running {
    started(lab, command(pins, more), pins)
}

fn command(pins: &Path, more: &[&str]) -> Command {
    let mut command = sensor(&[&["attach", "-i", WAN, &flag(pins)], more].concat());
    command.stdout(Stdio::piped());
    command
}

fn started(lab: &Lab, command: Command, pins: &Path) -> Running {
    let running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    // After the name of the folder comes what became of it.
    running.stderr.wait_for(pins.to_str().unwrap());
    running
}

/// Ends it, as an operator does.
fn end(running: &mut Running) {
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
}

/// `sensor detach`, which must end well.
fn detach(lab: &Lab, pins: &Path) -> String {
    let mut command = sensor(&["detach", pins.to_str().unwrap()]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    running.stdout.text()
}

/// A conversation of which the sensor has learnt both ends' distances.
fn conversing(lab: &Lab) -> Pair {
    let mut pair = lab.connect(Family::V4).unwrap();
    for _ in 0..4 {
        pair.exchange().unwrap();
        thread::sleep(Duration::from_millis(10));
    }
    pair
}

/// The firewall answers the server's FIN in the client's name: what tells it from the client is known from before alone.
fn forge_in(lab: &Lab, pair: Pair) {
    lab.middlebox().add(tamper::answer_fin(pair.client_port().unwrap(), AckField::Conforming));
    Traffic::new(lab).victim(pair, Pace { exchanges: 0, pause: Duration::ZERO }).unwrap();
}

fn told(running: &Running, port: u16) {
    let (_, line) = running.stdout.wait_for("ttl-rst-mismatch");
    assert!(line.contains(&format!("198.51.100.10:{port} > 203.0.113.10:8080")), "{line}");
    assert!(line.contains("TTL 255, the client's 125"), "{line}");
}

/// Frames that the interface and the sensor's counters tell, and whether the account adds up.
fn counted(lab: &Lab) -> (u64, u64) {
    let link: Value = serde_json::from_str(&ip(lab.server().netns(), &format!("-s -j link show {WAN}"))).unwrap();
    let of = |way: &str| link[0]["stats64"][way]["packets"].as_u64().unwrap();
    let mut command = sensor(&["status", "-o", "json"]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let status: Value = serde_json::from_str(&running.stdout.text()).unwrap();
    for sum in status["identities"].as_array().unwrap() {
        assert_eq!(sum["difference"], 0, "{sum}");
    }
    assert_eq!(status["counters"]["stage_missing"], 0);
    (of("rx") + of("tx"), status["counters"]["packets"].as_u64().unwrap())
}

/// The same once nothing is on its way any more.
fn settled(lab: &Lab, expected: impl Fn((u64, u64)) -> bool) -> (u64, u64) {
    let end = Instant::now() + SOON;
    loop {
        thread::sleep(Duration::from_millis(200));
        let now = counted(lab);
        if expected(now) || Instant::now() > end {
            return now;
        }
    }
}

#[test]
fn connections_are_followed_over_an_end_and_over_a_kill_and_no_segment_is_unseen() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    // What asks for neighbours and routers goes past both counters or neither, at its own time.
    ip(lab.server().netns(), &format!("link set {WAN} addrgenmode none"));
    let pins = bpf.pins();
    let mut first = attach(&lab, &pins, &[]);
    first.stderr.wait_for("what watches goes on when this sensor ends");
    let (terminated, killed, talking) = (conversing(&lab), conversing(&lab), conversing(&lab));
    let (wire, seen) = settled(&lab, |_| true);

    // Somebody talks all the time.
    let stop = std::sync::atomic::AtomicBool::new(false);
    let ports = thread::scope(|scope| {
        let talker = scope.spawn(|| {
            let mut pair = talking;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                pair.exchange().unwrap();
                thread::sleep(Duration::from_millis(1));
            }
            pair
        });
        end(&mut first);
        assert!(first.stderr.text().contains("watches on; sensor attach --pin="), "{}", first.stderr.text());
        assert!(ip(lab.server().netns(), &format!("link show {WAN}")).contains("xdp"));
        // While nobody listens.
        let port = terminated.client_port().unwrap();
        forge_in(&lab, terminated);
        let second = attach(&lab, &pins, &[]);
        second.stderr.wait_for("took over from ");
        told(&second, port);

        let mut second = second;
        second.signal(libc::SIGKILL);
        assert_eq!(second.end(SOON).code(), None);
        let other = killed.client_port().unwrap();
        forge_in(&lab, killed);
        let third = attach(&lab, &pins, &[]);
        told(&third, other);
        // Now and then under load.
        let mut fourth = third;
        for _ in 0..3 {
            end(&mut fourth);
            fourth = attach(&lab, &pins, &[]);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        drop(talker.join().unwrap());
        let (after_wire, after_seen) = settled(&lab, |(w, s)| w - wire == s - seen);
        assert_eq!(after_wire - wire, after_seen - seen, "frames unseen");
        assert!(after_seen - seen > 100, "{after_seen}");
        end(&mut fourth);
        let account = fourth.stdout.text();
        assert!(account.contains("events: submitted ") && account.contains("taken before "), "{account}");
        [port, other]
    });
    assert_ne!(ports[0], ports[1]);
    let said = detach(&lab, &pins);
    assert!(
        said.contains("detached from ") && said.contains("wan0 (xdp-native)") && said.contains("wan0 (tcx-egress)"),
        "{said}"
    );
    // The kernel lets go of a link a moment after its last pin.
    let end = Instant::now() + SOON;
    while ip(lab.server().netns(), &format!("link show {WAN}")).contains("xdp") {
        assert!(Instant::now() < end, "still attached");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!pins.exists());
    assert!(detach(&lab, &pins).starts_with("nothing is pinned in "));
}

#[test]
fn what_was_told_is_not_told_again() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let pins = bpf.pins();
    let json = ["-o", "json", "--records"];
    let mut first = attach(&lab, &pins, &json);
    let port = forge(&lab);
    let lasting = conversing(&lab);
    first.stdout.wait_for("\"type\":\"flow\"");
    end(&mut first);
    let second = attach(&lab, &pins, &json);
    // Longer than a closed connection is waited for.
    thread::sleep(Duration::from_secs(8));
    let still = lasting.client_port().unwrap();
    drop(lasting);
    second.stdout.wait_for("\"type\":\"flow\"");
    let again = objects(second);
    let of = |port: u16| again.iter().filter(|object| object.to_string().contains(&format!(":{port}"))).count();
    assert_eq!(of(port), 0, "{again:#?}");
    assert!(of(still) > 0, "{again:#?}");
}

/// The committed object, in which something is another.
fn object(folder: &Path, name: &str, from: &[u8], to: &[u8]) -> PathBuf {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sensor-ebpf/object").join(name);
    let mut object = fs::read(committed).unwrap();
    if !from.is_empty() {
        let at = object.windows(from.len()).position(|window| window == from).unwrap();
        object[at..at + to.len()].copy_from_slice(to);
    }
    let path = folder.join(name);
    fs::write(&path, object).unwrap();
    path
}

#[test]
fn another_program_goes_on_with_the_same_layout() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let (pins, folder) = (bpf.pins(), TempDir::new().unwrap());
    let mut first = attach(&lab, &pins, &[]);
    let pair = conversing(&lab);
    let port = pair.client_port().unwrap();
    let old = first.programs();
    end(&mut first);
    // Other code, other maps beside.
    let mut upgraded = command(&pins, &[]);
    upgraded.env("SENSOR_BPF_OBJECT", object(folder.path(), "sensor-trace.bpf.o", b"", b""));
    let mut second = started(&lab, upgraded, &pins);
    second.stderr.wait_for("took over from ");
    // All of the old one is gone.
    unloaded(&old);
    forge_in(&lab, pair);
    told(&second, port);
    end(&mut second);
    detach(&lab, &pins);
}

#[test]
fn nobody_takes_over_from_nobody_and_keeps_nothing() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let pins = bpf.pins();
    fs::create_dir(&pins).unwrap();
    chown(&pins, Some(65534), Some(65534)).unwrap();
    let start = || {
        let (directory, mut command) = as_nobody(THREE, &[&flag(&pins)]);
        command.stdout(Stdio::piped());
        (directory, started(&lab, command, &pins))
    };
    let (_first, mut first) = start();
    let pair = conversing(&lab);
    let port = pair.client_port().unwrap();
    end(&mut first);
    forge_in(&lab, pair);
    let (_second, second) = start();
    told(&second, port);
    let status = fs::read_to_string(format!("/proc/{}/status", second.pid())).unwrap();
    assert!(status.contains("Seccomp:\t2") && status.contains("CapEff:\t0000000000000000"), "{status}");
    drop(second);
    detach(&lab, &pins);
}

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
            let attached = kernel.attach(WAN, Mode::Auto).unwrap();
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

/// Whatever a sensor made for itself is gone when the next has taken over, and the state is the same.
#[test]
fn nothing_piles_up() {
    let (Some(lab), Some(bpf)) = (lab(), BpfFs::mount()) else { return };
    let pins = bpf.pins();
    let take_over = || {
        let options = Options { flows: 64, ring_bytes: 1 << 16, ..Options::default() };
        let mut kernel = Kernel::load_pinned(&options, Some(Pins::open(&pins).unwrap())).unwrap();
        kernel.attach(WAN, Mode::Auto).unwrap();
        kernel.settle().unwrap();
        let programs = kernel.ebpf().programs().filter_map(|(_, program)| Some(program.info().ok()?.id()));
        let programs: BTreeSet<u32> = programs.collect();
        kernel.detach();
        drop(kernel);
        let id = |name: &str| MapData::from_pin(pins.join(name)).unwrap().info().unwrap().id();
        let state: Vec<u32> = ["FLOWS", "CPUS", "EVENTS", "AGENT"].map(id).into();
        let names: Vec<_> = fs::read_dir(&pins).unwrap().map(|file| file.unwrap().file_name()).collect();
        let stages = names.iter().filter_map(|name| name.to_str().filter(|name| name.contains("_STAGES_")));
        (programs, state, stages.map(id).collect::<BTreeSet<u32>>(), names.len())
    };
    let run = || lab.server().netns().enter(take_over).unwrap();
    let (mut last, mut gone) = (run(), BTreeSet::new());
    for _ in 0..5 {
        let next = run();
        unloaded(&last.0);
        assert_eq!((&next.1, next.3), (&last.1, last.3));
        gone.extend(last.2);
        last = next;
    }
    // Freed a while after their last program, on a busy machine.
    let end = Instant::now() + 3 * SOON;
    let left = || loaded_maps().flatten().map(|map| map.id()).filter(|id| gone.contains(id)).collect::<Vec<_>>();
    while !left().is_empty() {
        assert!(Instant::now() < end, "of the stages {gone:?} {:?} are still there", left());
        thread::sleep(Duration::from_millis(50));
    }
    detach(&lab, &pins);
    unloaded(&last.0);
    assert!(!pins.exists());
}
