//! Floods on a wire between two real TCP stacks: what goes on beside them is still seen. In virtual time and by exact counts:
//! tests/tests/floods.

use std::{
    ffi::CString,
    fs, io,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::Stdio,
    time::{Duration, Instant},
};

use sensor::lab::{Lab, Netns, forge::TcpPacket};
use sensor_common::{flow::TcpFlags, seq::SeqNumber};
use serde_json::Value;

use super::{
    child::{Running, SOON, sensor},
    ip, lab,
};

/// Both ends of the wire, and the hosts on it.
const WIRE: [&str; 2] = ["flood0", "flood1"];
const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1)), 8090);
/// How many of the connections beside the floods are reset in their clients' names meanwhile.
const SEVERE: usize = 100;
/// Frames sent before somebody looks whether it is told.
const BURST: u32 = 40_000;

/// Connections that go on beside the floods, and frames of each flood: at least, and at most, if it is not told sooner. As many as the
/// requirements ask for with `SENSOR_FLOODS=full`.
fn scale() -> (usize, [u32; 2]) {
    match std::env::var("SENSOR_FLOODS").as_deref() {
        Ok("full") => (10_000, [10_000_000; 2]),
        _ => (500, [0, 12 * BURST]),
    }
}

/// The end of the wire from which floods come.
struct Flooder {
    socket: OwnedFd,
    /// Of its interface and the other one.
    macs: [[u8; 6]; 2],
    sent: u32,
}

impl Flooder {
    fn open(netns: &Netns, macs: [[u8; 6]; 2]) -> Self {
        let open = || {
            // SAFETY: no memory is passed. Protocol 0 receives nothing.
            let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
            assert!(fd >= 0, "{}", io::Error::last_os_error());
            // SAFETY: it was just made and has no other owner.
            let socket = unsafe { OwnedFd::from_raw_fd(fd) };
            let name = CString::new(WIRE[1]).unwrap();
            // SAFETY: an empty address is all zeroes; the name ends in zero; the address outlives the call, with its length.
            unsafe {
                let mut address: libc::sockaddr_ll = std::mem::zeroed();
                address.sll_family = libc::AF_PACKET as u16;
                address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
                let length = size_of_val(&address) as libc::socklen_t;
                assert_eq!(libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length), 0);
            }
            socket
        };
        Self { socket: netns.enter(open).unwrap(), macs, sent: 0 }
    }

    fn frame(&self, source: SocketAddr, flags: TcpFlags, ttl: u8, seq: u32) -> Vec<u8> {
        let packet = TcpPacket {
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
        };
        packet.build().0
    }

    /// A full wire is no failure: what it drops, its counters say.
    fn send(&self, frame: &[u8]) {
        // SAFETY: the pointer and the length are those of one slice.
        unsafe { libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    }

    /// Segments of no connection, each from another source.
    fn burst(&mut self, flags: TcpFlags) {
        let mut frame = self.frame(([11, 0, 0, 0], 0).into(), flags, 52, 0);
        // Of the source address, the lower three bytes; a port; checksums as they must be then.
        for n in self.sent..self.sent + BURST {
            let source = n.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff;
            let port = 1024 + (n % 60_000) as u16;
            let was = sums(&frame);
            frame[27..30].copy_from_slice(&source.to_be_bytes()[1..]);
            frame[34..36].copy_from_slice(&port.to_be_bytes());
            adjust(&mut frame, was);
            self.send(&frame);
        }
        self.sent += BURST;
    }
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
fn wire(lab: &Lab) -> Flooder {
    let (server, router) = (lab.server().netns(), &lab.routers()[0]);
    ip(server, &format!("link add {} type veth peer name {} netns {}", WIRE[0], WIRE[1], router.name()));
    let mac = |netns: &Netns, name: &str| -> [u8; 6] {
        let text = ip(netns, &format!("-o link show {name}"));
        let mac = text.split("link/ether ").nth(1).unwrap().split(' ').next().unwrap();
        let bytes: Vec<u8> = mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        bytes.try_into().unwrap()
    };
    for (netns, name, address) in [(server, WIRE[0], "10.99.0.1/24"), (router, WIRE[1], "10.99.0.2/24")] {
        ip(netns, &format!("address add {address} dev {name}"));
        ip(netns, &format!("link set {name} up"));
    }
    ip(server, "route add 11.0.0.0/8 via 10.99.0.2");
    ip(router, "route add blackhole 11.0.0.0/8");
    // As if the clients were three hops away.
    router.enter(|| fs::write("/proc/sys/net/ipv4/ip_default_ttl", "61")).unwrap().unwrap();
    Flooder::open(router, [mac(router, WIRE[1]), mac(server, WIRE[0])])
}

/// Connections over the wire: client's end, server's end.
fn connections(lab: &Lab, listener: &TcpListener, n: usize) -> Vec<(TcpStream, TcpStream)> {
    let one = || {
        let client = TcpStream::connect_timeout(&SERVER, SOON).unwrap();
        (client, listener.accept().unwrap().0)
    };
    lab.routers()[0].enter(|| (0..n).map(|_| one()).collect()).unwrap()
}

/// A byte there, and a byte back.
fn exchange((client, server): &mut (TcpStream, TcpStream)) {
    let mut byte = [0; 1];
    for (from, to) in [(&*client, &*server), (&*server, &*client)] {
        to.set_read_timeout(Some(SOON)).unwrap();
        let (mut from, mut to) = (from, to);
        from.write_all(b"x").unwrap();
        to.read_exact(&mut byte).unwrap();
    }
}

/// The number of the next byte that a socket would send (TCP_REPAIR).
fn next_seq(stream: &TcpStream) -> u32 {
    const SEND_QUEUE: libc::c_int = 2;
    const OFF_AND_SILENT: libc::c_int = -1;
    let fd = stream.as_raw_fd();
    let set = |name, value: libc::c_int| {
        // SAFETY: the value outlives the call, with its length.
        let result = unsafe {
            libc::setsockopt(fd, libc::IPPROTO_TCP, name, (&raw const value).cast(), size_of_val(&value) as u32)
        };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    };
    set(libc::TCP_REPAIR, 1);
    set(libc::TCP_REPAIR_QUEUE, SEND_QUEUE);
    let (mut seq, mut length) = (0_u32, 4);
    // SAFETY: both outlive the call, and the length is the value's.
    let result =
        unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_QUEUE_SEQ, (&raw mut seq).cast(), &raw mut length) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    set(libc::TCP_REPAIR, OFF_AND_SILENT);
    seq
}

/// What the sensor says of itself once its account adds up: what is in the ring at the moment is on its way.
fn settled(lab: &Lab) -> Value {
    let end = Instant::now() + SOON;
    loop {
        let told = status(lab);
        let sums = told["identities"].as_array().unwrap();
        if !sums.is_empty() && sums.iter().all(|sum| sum["difference"] == 0) {
            return told;
        }
        assert!(Instant::now() < end, "{sums:?}");
    }
}

fn status(lab: &Lab) -> Value {
    let mut command = sensor(&["status", "--output", "json"]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    serde_json::from_str(&running.stdout.text()).unwrap()
}

/// Ticks of CPU time that a process has had, and KiB of memory that is its own.
fn cost(pid: u32) -> (u64, u64) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    (ticks, own.trim().trim_end_matches(" kB").parse().unwrap())
}

/// Descriptors for both ends of all connections.
fn raise_files() {
    // SAFETY: the structure outlives both calls.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
    }
}

#[test]
fn what_goes_on_beside_floods_is_seen() {
    let Some(lab) = lab() else { return };
    raise_files();
    let mut flooder = wire(&lab);
    let listener = lab.server().netns().enter(|| TcpListener::bind(SERVER)).unwrap().unwrap();
    let mut running = Running::attach(lab.server().netns(), &["-i", WIRE[0], "-o", "json", "--min-severity", "notice"]);
    let began = Instant::now();
    let (beside, [least, most]) = scale();
    let mut live = connections(&lab, &listener, beside);
    live.iter_mut().for_each(exchange);
    live.iter_mut().for_each(exchange);

    let (ticks, _) = cost(running.pid());
    let floods = [
        ("syn-flood", TcpFlags::SYN),
        ("ack-flood", TcpFlags::ACK),
        ("rst-flood-in", TcpFlags::RST),
        ("synack-flood", TcpFlags::SYN.with(TcpFlags::ACK)),
    ];
    let mut severed = Vec::new();
    let mut requests = 0;
    for (kind, flags) in floods {
        // For ten seconds after the sensor's start such segments may belong to connections from before it.
        while flags != TcpFlags::SYN && began.elapsed() < Duration::from_secs(13) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let word = format!("\"{kind}\"");
        let [least, most] = [least, most].map(|n| flooder.sent + n);
        while flooder.sent < most && (flooder.sent < least || !running.stdout.text().contains(&word)) {
            flooder.burst(flags);
            live.iter_mut().skip(SEVERE).take(50).for_each(exchange);
            if severed.len() < SEVERE {
                let (client, _) = &live[severed.len()];
                let from = client.local_addr().unwrap();
                flooder.send(&flooder.frame(from, TcpFlags::RST, 255, next_seq(client)));
                severed.push(from.port());
            }
            // The agent looks once a second.
            std::thread::sleep(Duration::from_millis(50));
        }
        running.stdout.wait_for(&word);
        if flags == TcpFlags::SYN {
            requests = flooder.sent;
        }
    }
    // The rest of the resets.
    while severed.len() < SEVERE {
        let (client, _) = &live[severed.len()];
        let from = client.local_addr().unwrap();
        flooder.send(&flooder.frame(from, TcpFlags::RST, 255, next_seq(client)));
        severed.push(from.port());
    }
    live.iter_mut().skip(SEVERE).for_each(exchange);

    // Who comes now is followed, too.
    let mut new = connections(&lab, &listener, 1);
    exchange(&mut new[0]);
    exchange(&mut new[0]);
    let from = new[0].0.local_addr().unwrap();
    flooder.send(&flooder.frame(from, TcpFlags::RST, 255, next_seq(&new[0].0)));
    severed.push(from.port());
    running.stdout.wait_for(&format!("\"src_port\":{}", from.port()));

    let (now, own) = cost(running.pid());
    let told = settled(&lab);
    let counter = |name: &str| told["counters"][name].as_u64().unwrap();
    eprintln!(
        "{} frames: {} seen, {} SYNs of {requests}; the agent: {} ticks of CPU time in {:.1} s, {own} KiB of its own",
        flooder.sent,
        counter("packets"),
        counter("syn"),
        now - ticks,
        began.elapsed().as_secs_f64()
    );
    assert!(own < 256 << 10, "{own} KiB");
    // All that reached the interface is counted, and no more.
    let asked = u64::from(requests) + beside as u64 + 1;
    let lost = dropped(&lab);
    assert!((asked - lost.min(asked)..=asked).contains(&counter("syn")), "{} of {asked}, {lost} lost", counter("syn"));
    assert!(told["flows"]["established"].as_u64().unwrap() >= (beside - SEVERE) as u64, "{}", told["flows"]);
    assert_eq!((counter("evicted_silent"), counter("table_full"), counter("service_overflow")), (0, 0, 0));

    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let text = running.stdout.text();
    let resets: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &Value| line["kind"] == "ttl-rst-mismatch")
        .collect();
    let missing = severed.iter().filter(|port| !resets.iter().any(|reset| reset["src_port"] == **port)).count();
    assert_eq!(missing, 0, "of {} severe findings", severed.len());
    for (kind, _) in floods {
        let opened =
            text.lines().filter(|line| line.contains(&format!("\"{kind}\"")) && line.contains("\"state\":\"open\""));
        assert_eq!(opened.count(), 1, "{kind} in {text}");
    }
}

/// Frames that the wire has dropped, in the direction of the server.
fn dropped(lab: &Lab) -> u64 {
    let statistics = |netns: &Netns, name, side: &str| {
        let text = ip(netns, &format!("-s -j link show {name}"));
        let links: Value = serde_json::from_str(&text).unwrap();
        links[0]["stats64"][side]["dropped"].as_u64().unwrap()
    };
    statistics(&lab.routers()[0], WIRE[1], "tx") + statistics(lab.server().netns(), WIRE[0], "rx")
}
