//! Handshakes and nothing more, from a new source each: a real server takes them, and lets them wait.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::{AsRawFd, OwnedFd},
    time::Instant,
};

use sensor::lab::{Frame, Lab, forge::TcpPacket};
use sensor_common::flow::TcpFlags;

use super::{
    super::{
        child::{Running, SOON},
        lab,
    },
    bucket::key,
    scaled,
    talk::{Talk, connections, exchange, forge, listen, raise_files},
    told::{Told, all_told, ended, followed},
    wire::{ATTACH, Flooder, SERVER, dropped, packets, pin, wire},
};

/// Room for flows: little, so that it is soon full.
const ROOM: u32 = 4096;
/// Connections that do talk; of these so many are reset in their clients' names.
const LIVE: usize = 100;
const SEVERE: usize = 50;
/// Connections that are made meanwhile.
const NEW: usize = 40;
/// Where nobody says anything.
const QUIET: SocketAddr = SocketAddr::new(SERVER.ip(), 8091);

/// A service of the server's that accepts nobody, with room for `n` to wait.
fn patient(lab: &Lab, n: u32) -> TcpListener {
    let listen = || {
        fs::write("/proc/sys/net/core/somaxconn", n.to_string()).unwrap();
        let listener = TcpListener::bind(QUIET).unwrap();
        // SAFETY: no memory is passed; the socket is open. What listens already gets another backlog.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), n as i32) }, 0);
        listener
    };
    lab.server().netns().enter(listen).unwrap()
}

/// Connections that wait there, as the server's stack counts them (/proc/net/tcp: a listener's receive queue).
fn waiting(lab: &Lab) -> u64 {
    let read = || fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    let text = lab.server().netns().enter(read).unwrap();
    let port = format!(":{:04X}", QUIET.port());
    let listener = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listener = listener.into_iter().find(|words| words[1].ends_with(&port) && words[3] == "0A").unwrap();
    u64::from_str_radix(listener[4].split(':').nth(1).unwrap(), 16).unwrap()
}

/// Whoever completes handshakes from addresses that no stack owns.
struct Crowd<'a> {
    flooder: &'a Flooder,
    /// What comes from the server.
    socket: OwnedFd,
    /// Who has connected, and requests that it took.
    came: u32,
    asked: u64,
}

impl<'a> Crowd<'a> {
    fn new(lab: &Lab, flooder: &'a Flooder) -> Self {
        let socket = packets(&lab.routers()[0], libc::ETH_P_IP as u16);
        // Longer than an answer takes, shorter than until the server repeats it.
        let patience = libc::timeval { tv_sec: 0, tv_usec: 300_000 };
        // SAFETY: of the stated length, and outlives the call.
        let done = unsafe {
            let (value, length) = ((&raw const patience).cast(), size_of_val(&patience) as u32);
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO, value, length)
        };
        assert_eq!(done, 0);
        Self { flooder, socket, came: 0, asked: 0 }
    }

    /// The next one connects.
    fn come(&mut self) {
        let n = self.came;
        self.came += 1;
        let address = Ipv4Addr::from_bits(0x0b00_0000 | n.wrapping_mul(0x9e37_79b1) & 0x00ff_ffff);
        let source = SocketAddr::new(address.into(), 1024 + (n % 60_000) as u16);
        let mut request = self.flooder.packet(source, TcpFlags::SYN, 61, n.wrapping_mul(7919));
        request.destination = QUIET;
        let end = Instant::now() + SOON;
        let answer = loop {
            assert!(Instant::now() < end, "{source} gets no answer");
            self.asked += 1;
            self.flooder.send(&request.build().0);
            if let Some(answer) = self.answer(source) {
                break answer;
            }
        };
        assert_eq!(answer.flags, TcpFlags::SYN.with(TcpFlags::ACK), "{answer:?}");
        self.flooder.send(&TcpPacket { ttl: request.ttl, id: 1, ..answer.answer() }.build().0);
    }

    /// What the server has sent to this address; none if it takes too long.
    fn answer(&self, to: SocketAddr) -> Option<TcpPacket> {
        let mut bytes = [0; 2048];
        loop {
            // SAFETY: the pointer and the length are those of one array.
            let n = unsafe { libc::recv(self.socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), 0) };
            let packet = TcpPacket::parse(&Frame(bytes[..usize::try_from(n).ok()?].to_vec()));
            if let Some(packet) = packet.filter(|packet| packet.destination == to) {
                return Some(packet);
            }
        }
    }
}

#[test]
fn handshakes_and_nothing_more_give_way_to_each_other() {
    let Some(lab) = lab() else { return };
    raise_files();
    let flooder = wire(&lab);
    let listener = listen(&lab);
    let churn = scaled(12_000, 100_000_u32);
    let _quiet = patient(&lab, churn);
    let room = ROOM.to_string();
    let running =
        Running::attach(lab.server().netns(), &[&ATTACH[..], &["--min-severity", "notice", "--flows", &room]].concat());
    let mut live = connections(&lab, &listener, LIVE);
    live.iter_mut().for_each(exchange);
    live.iter_mut().for_each(exchange);

    pin();
    let mut crowd = Crowd::new(&lab, &flooder);
    let (mut severed, mut new): (_, Vec<Talk>) = (Vec::new(), Vec::new());
    while crowd.came < churn {
        crowd.come();
        let step = crowd.came as usize;
        if step.is_multiple_of(churn as usize / SEVERE) {
            severed.push(forge(&flooder, &live[severed.len()]));
        }
        if step.is_multiple_of(churn as usize / NEW) {
            new.extend(connections(&lab, &listener, 1));
            new.iter_mut().last().into_iter().for_each(exchange);
            live.iter_mut().skip(SEVERE).for_each(exchange);
        }
    }
    assert_eq!((severed.len(), new.len()), (SEVERE, NEW));

    // The server has all of them, and said no word.
    let came = LIVE as u64 + NEW as u64 + u64::from(churn);
    let told = Told::counted(&lab, "flows_established", came);
    assert_eq!(waiting(&lab), u64::from(churn));
    // Nobody was refused or lost on its way, each came about once.
    let counter = |name: &str| told.counter(name);
    for (name, n) in [
        ("flows_created", came),
        ("flows_established", came),
        ("table_full", 0),
        ("begun_midway", 0),
        ("begun_syn_ack", 0),
        ("evicted_embryonic", 0),
        ("evicted_expired", 0),
    ] {
        assert_eq!(counter(name), n, "{name}, of {} requests, {} lost", crowd.asked, dropped(&lab));
    }
    // Who is not followed any more gave way: tombstones of those that were reset first, then who had never said anything.
    let (silent, closed) = (counter("evicted_silent"), counter("evicted_closed"));
    let held = followed(&running);
    assert!(closed <= SEVERE as u64, "{closed} tombstones of {SEVERE}");
    assert_eq!(came, held.len() as u64 + silent + closed, "{silent} silent, {closed} closed");
    assert!(silent >= u64::from(churn - ROOM), "{silent} gave way");
    let talks = live.iter().skip(SEVERE).chain(&new);
    let lost = talks.filter(|(client, _)| held.get(&key(&flooder, client.local_addr().unwrap())) != Some(&true));
    assert_eq!(lost.count(), 0, "who has spoken is followed");
    eprintln!("churn: {churn} handshakes in {} requests, {silent} gave way, {} followed", crowd.asked, held.len());

    // Those that came meanwhile are followed, so what happens to them is told.
    new.iter_mut().for_each(exchange);
    severed.extend(new.iter().map(|talk| forge(&flooder, talk)));
    let last = severed[severed.len() - 1];
    running.stdout.wait_for(&format!("\"src_port\":{last}"));
    let told = Told::settled(&lab);
    assert_eq!((told.counter("ring_full_high"), told.dropped()), (0, 0));
    let told = ended(running);
    all_told(&told, &severed);
    // What clients with warm pools do as well is no incident.
    let incidents = told.iter().filter(|line| line["type"] == "incident");
    let others = incidents.filter(|incident| incident["about"]["of"] != "device").collect::<Vec<_>>();
    assert!(others.is_empty(), "{others:#?}");
}
