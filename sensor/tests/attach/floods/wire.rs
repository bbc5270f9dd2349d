//! A wire to the server, and whoever floods it.

use std::{
    ffi::CString,
    fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use sensor::lab::{Lab, Netns, forge::TcpPacket};
use sensor_common::{flow::TcpFlags, seq::SeqNumber};
use serde_json::Value;

use super::super::ip;

/// Both ends of the wire, the service at one, and the host at the other.
const WIRE: [&str; 2] = ["flood0", "flood1"];
/// Whoever watches it: at tc, or as a network card has it.
pub(super) const ATTACH: [&str; 4] = ["-i", WIRE[0], "-o", "json"];
pub(super) const XDP: &[&str] = &["--mode", "native"];
pub(super) const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1)), 8090);
pub(super) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
/// A source that is about to be changed: the floods' are 11.0.0.0/8.
pub(super) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(11, 0, 0, 0)), 0);
/// Frames in a burst.
pub(super) const BURST: u32 = 40_000;

/// The end of the wire from which floods come.
pub(super) struct Flooder {
    socket: OwnedFd,
    /// Of its interface and the other one.
    macs: [[u8; 6]; 2],
    /// Number of the server's interface.
    pub(super) ifindex: u32,
    pub(super) sent: u32,
}

impl Flooder {
    /// A segment to the server.
    pub(super) fn packet(&self, source: SocketAddr, flags: TcpFlags, ttl: u8, seq: u32) -> TcpPacket {
        TcpPacket {
            macs: self.macs,
            vlan: None,
            source,
            destination: SERVER,
            ttl,
            id: 0,
            dont_fragment: true,
            flags,
            seq: SeqNumber(seq),
            ack: SeqNumber(if flags.any(TcpFlags::ACK) { 99 } else { 0 }),
            window: 512,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub(super) fn frame(&self, source: SocketAddr, flags: TcpFlags, ttl: u8, seq: u32) -> Vec<u8> {
        self.packet(source, flags, ttl, seq).build().0
    }

    /// A full wire is no failure: what it drops, its counters say.
    pub(super) fn send(&self, frame: &[u8]) {
        // SAFETY: the pointer and the length are those of one slice.
        unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    }

    /// Segments of no connection, each from another source.
    pub(super) fn burst(&mut self, flags: TcpFlags) {
        let mut frame = self.frame(NOBODY, flags, 52, 0);
        (0..BURST).for_each(|_| self.spoof(&mut frame));
    }

    /// Sends a segment in the name of another source each time.
    pub(super) fn spoof(&mut self, frame: &mut [u8]) {
        // Of the source address, the lower three bytes; a port; checksums as they must be then.
        let n = self.sent;
        let source = n.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff;
        let port = 1024 + (n % 60_000) as u16;
        let was = sums(frame);
        frame[27..30].copy_from_slice(&source.to_be_bytes()[1..]);
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        adjust(frame, was);
        self.send(frame);
        self.sent += 1;
    }
}

/// A socket for whole frames at the flooder's end of the wire, which receives those of `protocol`; 0 is none.
pub(super) fn packets(router: &Netns, protocol: u16) -> OwnedFd {
    let open = || {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(protocol.to_be())) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: it was just made and has no other owner.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let name = CString::new(WIRE[1]).unwrap();
        // SAFETY: an empty address is all zeroes; the name ends in zero; the address outlives the call, with its length.
        unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = protocol.to_be();
            address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
            let length = size_of_val(&address) as libc::socklen_t;
            assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length), 0);
        }
        socket
    };
    router.enter(open).unwrap()
}

/// What source address and port add to the checksums of IP and of TCP.
fn sums(frame: &[u8]) -> [u32; 2] {
    let half = |at: usize| u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
    let address = half(26) + half(28);
    [address, address + half(34)]
}

/// Corrects both checksums for a change of those (RFC 1624).
fn adjust(frame: &mut [u8], was: [u32; 2]) {
    let now = sums(frame);
    for (at, (was, now)) in [24, 50].into_iter().zip(was.into_iter().zip(now)) {
        let checksum = u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
        // In one's complement, in which a multiple of 65,535 is nothing.
        let mut sum = (!checksum & 0xffff) + 3 * 0xffff - was + now;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        frame[at..at + 2].copy_from_slice(&(!sum as u16).to_be_bytes());
    }
}

/// A wire from the server to the first router, each with a route to the flood's sources that leads over it.
pub(super) fn wire(lab: &Lab) -> Flooder {
    let (server, router) = (lab.server().netns(), &lab.routers()[0]);
    ip(server, &format!("link add {} type veth peer name {} netns {}", WIRE[0], WIRE[1], router.name()));
    let link = |netns: &Netns, name: &str| -> (u32, [u8; 6]) {
        let links: Value = serde_json::from_str(&ip(netns, &format!("-j link show {name}"))).unwrap();
        let mac = links[0]["address"].as_str().unwrap();
        let bytes: Vec<u8> = mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        (links[0]["ifindex"].as_u64().unwrap() as u32, bytes.try_into().unwrap())
    };
    for (netns, name, address) in [(server, WIRE[0], "10.99.0.1/24"), (router, WIRE[1], "10.99.0.2/24")] {
        ip(netns, &format!("address add {address} dev {name}"));
        ip(netns, &format!("link set {name} up"));
    }
    ip(server, "route add 11.0.0.0/8 via 10.99.0.2");
    ip(router, "route add blackhole 11.0.0.0/8");
    // As if the clients were three hops away.
    router.enter(|| fs::write("/proc/sys/net/ipv4/ip_default_ttl", "61")).unwrap().unwrap();
    let (ifindex, mac) = link(server, WIRE[0]);
    Flooder { socket: packets(router, 0), macs: [link(router, WIRE[1]).1, mac], ifindex, sent: 0 }
}

/// Keeps this thread on its CPU: its frames wait there for their turn, and so stay in order.
pub(super) fn pin() {
    // SAFETY: a CPU set on the stack, and plain system calls on it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set);
    }
}

/// Frames that the wire has dropped, in the direction of the server.
pub(super) fn dropped(lab: &Lab) -> u64 {
    let statistics = |netns: &Netns, name, side: &str| {
        let text = ip(netns, &format!("-s -j link show {name}"));
        let links: Value = serde_json::from_str(&text).unwrap();
        links[0]["stats64"][side]["dropped"].as_u64().unwrap()
    };
    statistics(&lab.routers()[0], WIRE[1], "tx") + statistics(lab.server().netns(), WIRE[0], "rx")
}

/// Requests that the real clients have sent once more (TCPSynRetrans).
pub(super) fn repeated(lab: &Lab) -> u64 {
    let read = || fs::read_to_string("/proc/thread-self/net/netstat");
    let text = lab.routers()[0].enter(read).unwrap().unwrap();
    let mut rows = text.lines().filter_map(|line| line.strip_prefix("TcpExt: ")).map(|row| row.split(' '));
    let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
    names.zip(values).find(|(name, _)| *name == "TCPSynRetrans").unwrap().1.parse().unwrap()
}
