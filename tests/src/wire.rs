//! The engine twice, as [`crate::pair`] has it, but on a wire: the kernel program attached to a veth pair, frames sent through it.

use std::{
    ffi::CString,
    fmt::Display,
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    process::Command,
    time::{Duration, Instant},
};

use aya::maps::{MapData, RingBuf};
use sensor::{
    host::Host,
    kernel::{Attached, Egress, Ingress, Kernel, Mode},
};
use sensor_common::{
    config::{ClockSource, Config},
    counters::Counter,
    engine::Seen,
    event::Hook,
    wire::Slice,
};
use zerocopy::IntoBytes as _;

use crate::pair::pin;

/// What the wire carries: its MTU and the Ethernet header.
const MOST: usize = 1500 + 14;
/// Less is no frame to the stack.
const LEAST: usize = 14;
/// How long a frame may take from one end to the other.
const PATIENCE: Duration = Duration::from_secs(5);

/// A sensor on one end of a wire.
pub struct Wire {
    kernel: Kernel,
    ring: RingBuf<MapData>,
    host: Host,
    attached: Attached,
    near: OwnedFd,
    far: OwnedFd,
    sent: u64,
}

impl Wire {
    /// Lays a wire in a network namespace of the calling thread's own, which goes with the thread, and attaches to its near end.
    pub fn attach(mode: Mode) -> Self {
        lay();
        pin();
        let config = Config { clock: ClockSource::Test as u8, ..Config::replay(255) };
        let mut kernel = Kernel::load_with(config, 1 << 20).expect("it loads");
        let ring = kernel.events().expect("the ring");
        let attached = kernel.attach("near", mode).expect("it attaches");
        let (near, far) = (open("near").expect("a socket"), open("far").expect("a socket"));
        Self { kernel, ring, host: Host::new(config), attached, near, far, sent: 0 }
    }

    /// How it is attached.
    pub fn attached(&self) -> &Attached {
        &self.attached
    }

    /// Sends a frame to the sensor's end, or from there, and shows it to the host's engine. Both must agree; how many findings.
    pub fn agree(&mut self, time: u64, hook: Hook, frame: &[u8], what: impl Display) -> usize {
        let frame = &frame[..frame.len().min(MOST)];
        if frame.len() < LEAST {
            return 0;
        }
        self.kernel.set_test_time(time).expect("the test clock");
        send(if hook == Hook::Egress { &self.near } else { &self.far }, frame);
        self.sent += 1;
        self.arrived(&what);
        let (frame, tag) = match (hook, self.attached.ingress) {
            // The stack takes the tag out before it asks tc.
            (Hook::Ingress, Ingress::Tc(_)) => untagged(frame),
            _ => (frame.to_vec(), 0),
        };
        self.host.observe(time, &Slice::new(&frame, frame.len()), Seen { ifindex: self.attached.ifindex, tag, hook });
        let host: Vec<_> = self.host.drain().map(|event| event.as_bytes().to_vec()).collect();
        let kernel: Vec<_> = std::iter::from_fn(|| self.ring.next().map(|record| record.to_vec())).collect();
        assert_eq!(kernel.len(), host.len(), "{what}: as many findings");
        for (kernel, host) in kernel.iter().zip(&host) {
            let differs: Vec<_> = (0..kernel.len()).filter(|&i| kernel[i] != host[i]).collect();
            assert!(differs.is_empty(), "{what}: events differ at bytes {differs:?}");
        }
        host.len()
    }

    /// Both engines' counters must agree, too; how many findings there were.
    pub fn counters_agree(&self) -> u64 {
        let (kernel, host) = (self.kernel.counters().expect("counters"), self.host.cpu());
        for &counter in Counter::ALL {
            assert_eq!(kernel.get(counter), host.get(counter), "{}: counter {}", self.attached, counter.id());
        }
        assert_eq!(kernel.matched, host.matched, "{}: findings by kind", self.attached);
        host.matched_total()
    }

    fn arrived(&self, what: &impl Display) {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = self.kernel.counters().expect("counters").get(Counter::Packets);
            assert!(seen <= self.sent, "{what}: {seen} frames seen of {} sent", self.sent);
            if seen == self.sent {
                return;
            }
            assert!(Instant::now() < end, "{what}: {seen} frames seen of {} sent, in {}", self.sent, self.attached);
            std::thread::yield_now();
        }
    }
}

/// The best egress hook of the running kernel.
pub fn best_egress() -> Egress {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a version");
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
    let running = (numbers.next().expect("a version"), numbers.next().expect("a version"));
    if running >= (6, 6) { Egress::Tcx } else { Egress::Clsact }
}

/// A veth pair in a namespace of its own, on which nobody speaks by himself.
fn lay() {
    // SAFETY: a plain system call; it moves this thread alone.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "a namespace: {}", io::Error::last_os_error());
    // This directory shows the namespace of the thread that opens it.
    fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("no IPv6 of its own");
    for line in ["link add near type veth peer name far", "link set near up", "link set far up"] {
        assert!(Command::new("ip").args(line.split(' ')).status().expect("ip").success(), "ip {line}");
    }
}

/// A socket that sends whole frames.
fn open(interface: &str) -> io::Result<OwnedFd> {
    let name = CString::new(interface)?;
    // SAFETY: plain system calls; the name ends in zero, the address is a whole one on the stack, the descriptor nobody else's.
    unsafe {
        let raw = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(raw);
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
        match libc::bind(raw, (&raw const address).cast(), size_of_val(&address) as u32) {
            0 => Ok(socket),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn send(socket: &OwnedFd, frame: &[u8]) {
    // SAFETY: pointer and length of one slice.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    assert_eq!(sent, frame.len() as isize, "{}", io::Error::last_os_error());
}

/// The frame without its outer tag, and the tag's VLAN id.
fn untagged(frame: &[u8]) -> (Vec<u8>, u16) {
    match frame.get(12..16) {
        Some(&[0x81, 0, high, low]) => ([&frame[..12], &frame[16..]].concat(), u16::from_be_bytes([high, low]) & 0xfff),
        _ => (frame.to_vec(), 0),
    }
}
