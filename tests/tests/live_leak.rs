//! Live: a router of the kernel's own translates a service's address, forgets the idle connection, and lets the server's next segment
//! through as it is. The client's kernel rejects it, and the server's connection is gone.

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use sensor::{
    kernel::{Mode, Options, Table},
    lab::{Family, Lab, LabOptions, Netns, Sniffer, forge::TcpPacket},
    leaks::Leaks,
    sweep::{Findings, Slots as _, Sweeper},
};
use sensor_common::{
    counters::Cpu,
    detect::Severity,
    event::{Event, Hook},
    flow::TcpFlags,
    kind::Kind,
};
use tests::{live, root};

const PATIENCE: Duration = Duration::from_secs(12);
/// Where the server listens, and where the service is.
const BEHIND: u16 = 9_090;
const SERVICE: u16 = 80;

fn service(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(203, 0, 113, 77).into(),
        Family::V6 => Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 0x77).into(),
    }
}

/// Translates the service's address to the server's; `false` where there is no nft.
fn translate(router: &Netns, server: IpAddr, service: IpAddr) -> bool {
    let (table, server) = match server {
        IpAddr::V4(server) => ("ip", server.to_string()),
        IpAddr::V6(server) => ("ip6", format!("[{server}]")),
    };
    let rules = format!(
        "table {table} lab {{\n chain pre {{\n type nat hook prerouting priority dstnat; policy accept;\n \
         {table} daddr {service} tcp dport {SERVICE} dnat to {server}:{BEHIND}\n }}\n}}\n"
    );
    let run = || {
        let mut child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn()?;
        child.stdin.take().expect("a pipe").write_all(rules.as_bytes())?;
        child.wait()
    };
    match router.enter(run).expect("the router's namespace") {
        Ok(status) => assert!(status.success(), "nft: {rules}"),
        Err(error) if error.kind() == ErrorKind::NotFound => return false,
        Err(error) => panic!("nft: {error}"),
    }
    // An idle connection is forgotten after a second, not after five days.
    let forget = || fs::write("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established", "1");
    router.enter(forget).flatten().expect("a kernel parameter");
    true
}

/// Both ends of a connection with the service.
fn connect(lab: &Lab, family: Family) -> [TcpStream; 2] {
    let listen = || TcpListener::bind((Ipv6Addr::UNSPECIFIED, BEHIND));
    let listener = lab.server().netns().enter(listen).flatten().expect("a listener");
    let to = SocketAddr::new(service(family), SERVICE);
    let client =
        lab.client().netns().enter(|| TcpStream::connect_timeout(&to, PATIENCE)).flatten().expect("a connection");
    listener.set_nonblocking(true).expect("a listener that does not wait");
    let end = Instant::now() + PATIENCE;
    let server = loop {
        match listener.accept() {
            Ok((server, _)) => break server,
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < end => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("{error}"),
        }
    };
    server.set_nonblocking(false).expect("a server that waits");
    for end in [&client, &server] {
        end.set_read_timeout(Some(PATIENCE)).expect("patience");
    }
    [client, server]
}

fn hear(stream: &mut TcpStream, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    stream.read_exact(&mut heard).expect("words");
    assert_eq!(heard, words);
}

/// Monotonic nanoseconds, as the kernel program has them.
fn now() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` outlives the call, which fills it.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What the table comes to.
fn at_rest(table: &Table) -> Vec<Event> {
    let (mut rest, now) = ((Findings::default(), Leaks::default()), now());
    Sweeper::new(table.buckets(), &Cpu::default()).finish(table, now, &mut rest, &mut Vec::new());
    let (Findings(mut found), mut leaks) = rest;
    leaks.look(table, now, &mut found);
    found
}

#[test]
fn a_translator_that_forgets_lets_the_server_through() {
    for family in [Family::V4, Family::V6] {
        if !root() {
            return;
        }
        let lab = Lab::build(LabOptions::default()).expect("the lab");
        let real = lab.server().address(family);
        if !translate(&lab.routers()[0], real, service(family)) {
            eprintln!("skipped: there is no nft");
            return;
        }
        let (kernel, _) = live::load(lab.client(), Mode::Native, Options::default());
        let table = kernel.table().expect("the table");
        let witness = Sniffer::start(lab.client().netns(), lab.client().interface()).expect("a sniffer");
        let [mut client, mut server] = connect(&lab, family);
        for _ in 0..3 {
            client.write_all(b"anything new?\n").expect("a request");
            hear(&mut server, b"anything new?\n");
            server.write_all(b"no\n").expect("an answer");
            hear(&mut client, b"no\n");
        }
        assert!(at_rest(&table).is_empty(), "nothing has happened");

        thread::sleep(Duration::from_secs(3));
        server.write_all(b"now there is\n").expect("it is on its way");
        let reset = |outgoing: bool, packet: &TcpPacket| {
            outgoing && packet.flags.any(TcpFlags::RST) && packet.destination == SocketAddr::new(real, BEHIND)
        };
        assert!(
            witness.wait_for(reset, PATIENCE),
            "the client's kernel knows no such connection: {:?}",
            witness.packets()
        );
        let torn = server.read(&mut [0; 8]).expect_err("a reset");
        assert_eq!(torn.kind(), ErrorKind::ConnectionReset, "the server's connection is gone");

        let found = at_rest(&table);
        let [event] = found[..] else { panic!("{} findings", found.len()) };
        assert_eq!((event.kind(), event.severity()), (Some(Kind::UnNatedLeak), Severity::Warn));
        assert_eq!((event.hook(), event.segment.len), (Hook::Ingress, 13));
        let address = match service(family) {
            IpAddr::V4(address) => address.to_bits(),
            IpAddr::V6(address) => address.to_bits() as u32,
        };
        assert_eq!((event.detail[0], event.detail[1] >> 16), (address, SERVICE.into()));
        assert!(event.detail[1] & 0xffff >= 2, "it was silent for seconds: {:?}", event.detail);
    }
}
