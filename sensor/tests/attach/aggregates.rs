//! Floods, scans, and what runs out, made for real: each is told as what it is, and as nothing else.

use std::{
    fs,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use sensor::lab::{Family, Lab, Netns, SERVER_PORT, forge::TcpPacket};
use sensor_common::{flow::TcpFlags, seq::SeqNumber};

use super::{
    WAN,
    child::{Running, SOON},
    lab,
};

/// What begins the name of whatever else might be told by mistake.
const ALL: [&str; 8] = [
    "SYN flood",
    "scans ",
    "sweeps ",
    "half-open",
    "queue is full",
    "in TIME_WAIT",
    "that belong to no",
    "resets that",
];

/// Ends the sensor: these words are in lines of incidents, and no others of [`ALL`].
fn told(mut running: Running, words: &[&str]) -> String {
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(SOON).code(), Some(0), "{}", running.stderr.text());
    let text = running.stdout.text();
    let incidents: Vec<&str> = text.lines().filter(|line| line.contains(" incident ")).collect();
    for word in words {
        assert!(incidents.iter().any(|line| line.contains(word)), "{word} in {text}");
    }
    for word in ALL.iter().filter(|word| !words.iter().any(|expected| expected.contains(*word))) {
        assert!(incidents.iter().all(|line| !line.contains(word)), "no {word} in {text}");
    }
    text
}

/// A socket for whole IPv4 packets, inside a namespace.
pub(super) fn raw(netns: &Netns) -> OwnedFd {
    let open = || {
        // SAFETY: no memory is passed.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: it was just made and has no other owner.
        unsafe { OwnedFd::from_raw_fd(fd) }
    };
    netns.enter(open).unwrap()
}

/// Asks for a connection in another's name.
pub(super) fn spoof(socket: &OwnedFd, n: u32, to: SocketAddr) {
    let IpAddr::V4(address) = to.ip() else { panic!("{to}") };
    let packet = TcpPacket {
        macs: [[0; 6]; 2],
        vlan: None,
        source: (Ipv4Addr::from_bits(0x0a00_0000 | n.wrapping_mul(2_654_435_761) >> 8), 1024 + n as u16 % 60_000)
            .into(),
        destination: to,
        ttl: 64,
        id: n as u16,
        dont_fragment: true,
        flags: TcpFlags::SYN,
        seq: SeqNumber(n),
        ack: SeqNumber(0),
        window: 512,
        options: Vec::new(),
        payload: Vec::new(),
    };
    let frame = packet.build();
    let bytes = &frame.0[14..];
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: address.to_bits().to_be() },
        sin_zero: [0; 8],
    };
    // SAFETY: both point to what outlives the call, with its length.
    unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
            std::ptr::from_ref(&to).cast(),
            size_of_val(&to) as libc::socklen_t,
        );
    }
}

#[test]
fn a_syn_flood() {
    let Some(lab) = lab() else { return };
    let running = Running::attach(lab.server().netns(), &["-i", WAN]);
    let to = SocketAddr::new(lab.server().address(Family::V4), SERVER_PORT);
    let socket = raw(lab.client().netns());
    // As long as it takes to be noticed, and 40,000 packets at most.
    let mut n = 0;
    while n < 40_000 && !running.stdout.text().contains("SYN flood") {
        (n..n + 20).for_each(|n| spoof(&socket, n, to));
        n += 20;
        thread::sleep(Duration::from_millis(10));
    }
    // A full queue of requests may be told beside it, as the attack's.
    let text = told(running, &[&format!("{to}: SYN flood"), "queue is full, by an attack"][..1 + full(&lab)]);
    assert!(text.contains("The sources are made up"), "{text}");
}

/// 1 if the server's queue of requests was full.
fn full(lab: &Lab) -> usize {
    let netstat = || fs::read_to_string("/proc/thread-self/net/netstat").unwrap();
    let text = lab.server().netns().enter(netstat).unwrap();
    let ext = sensor::correlate::aggregate::TcpExt::parse(&text).unwrap();
    usize::from(ext.req_q_full_do_cookies + ext.req_q_full_drop + ext.listen_overflows > 0)
}

/// Runs nmap on the client against the server's first 200 ports; whether there is one.
fn nmap(lab: &Lab, how: &str) -> bool {
    let target = lab.server().address(Family::V4).to_string();
    let ports = format!("1-200,{SERVER_PORT}");
    let mut command = Command::new("nmap");
    command.args(["-n", "-Pn", "-T4", "--max-retries", "1", "--host-timeout", "60s", how, "-p", &ports, &target]);
    match lab.client().netns().enter(|| command.output()).unwrap() {
        Ok(output) => {
            assert!(output.status.success(), "{output:?}");
            true
        }
        Err(error) => {
            eprintln!("SKIPPED: nmap: {error}");
            false
        }
    }
}

#[test]
fn scans_of_each_kind() {
    let Some(lab) = lab() else { return };
    for (how, words) in [
        ("-sS", "refused"),
        ("-sT", "refused"),
        ("-sF", "bare FINs"),
        ("-sN", "segments without flags"),
        ("-sX", "FIN, PSH and URG"),
        ("-sM", "FIN and ACK without a connection"),
        ("-sA", "ACKs without a connection"),
    ] {
        let running = Running::attach(lab.server().netns(), &["-i", WAN]);
        if !nmap(&lab, how) {
            return;
        }
        running.stdout.wait_for("scans ");
        let source = lab.client().address(Family::V4);
        let text = told(running, &["scans "]);
        let line = text.lines().find(|line| line.contains("scans ")).unwrap();
        assert!(line.contains(&format!("{source} scans ")) && line.contains(words), "{how}: {text}");
    }
}

#[test]
fn a_scanner_that_is_known_is_not_told() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sensor.toml");
    let source = lab.client().address(Family::V4);
    let today = sensor::config::Today::now();
    let allow = format!(
        "[[allow]]\nkind = ['scan-syn', 'scan-null']\naddress = '{source}'\nreason = 'ours'\nuntil = {today}\n"
    );
    fs::write(&file, allow).unwrap();
    let running = Running::attach(lab.server().netns(), &["-i", WAN, "--config", file.to_str().unwrap()]);
    if !nmap(&lab, "-sN") || !nmap(&lab, "-sX") {
        return;
    }
    // The later one is told, and by then the earlier one would be.
    running.stdout.wait_for("FIN, PSH and URG");
    let text = told(running, &["scans "]);
    assert!(!text.contains("segments without flags") && text.contains("1 for \"ours\""), "{text}");
}

#[test]
fn ports_that_run_out() {
    let Some(lab) = lab() else { return };
    let client = lab.client().netns();
    let range = || fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40199");
    client.enter(range).unwrap().unwrap();
    let to = SocketAddr::new(lab.server().address(Family::V4), 8081);
    let listener = lab.server().netns().enter(|| TcpListener::bind(to)).unwrap().unwrap();
    // Closes when the client has; ends with the listener.
    let server = thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let mut first = [0; 1];
            match stream.read(&mut first) {
                Ok(0) => {}
                _ => return,
            }
        }
    });
    let running = Running::attach(client, &["-i", "lan0"]);
    let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(5));
    let mut opened = 0;
    let failure = client
        .enter(|| {
            loop {
                match connect() {
                    Ok(stream) => drop(stream),
                    Err(error) => return error,
                }
                opened += 1;
                assert!(opened < 1000, "ports do not wait");
            }
        })
        .unwrap();
    assert_eq!(failure.kind(), io::ErrorKind::AddrNotAvailable, "after {opened}");
    running.stdout.wait_for("in TIME_WAIT");
    let text = told(running, &["of 200 ports to 203.0.113.10:8081 in TIME_WAIT"]);
    assert!(text.contains("ALERT  incident"), "{text}");
    assert!(text.contains("ip_local_port_range") && text.contains("Reuse connections"), "{text}");

    // From another address of this host there are ports left to end the server with.
    let end = lab.server().netns().enter(|| {
        use std::io::Write as _;
        TcpStream::connect(to).and_then(|mut stream| stream.write_all(b"x"))
    });
    end.unwrap().unwrap();
    server.join().unwrap();
}

#[test]
fn an_accept_queue_that_overflows() {
    let Some(lab) = lab() else { return };
    let server = lab.server().netns();
    let to = SocketAddr::new(lab.server().address(Family::V4), 8082);
    let listener = server.enter(|| TcpListener::bind(to)).unwrap().unwrap();
    // SAFETY: no memory is passed; the socket is open. What listens already gets another backlog.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 1) }, 0);
    let running = Running::attach(server, &["-i", WAN]);
    // Nobody accepts: two have room, the others ask again.
    let connect = move || TcpStream::connect_timeout(&to, Duration::from_secs(4));
    let clients: Vec<_> = (0..12).map(|_| lab.client().netns().spawn(connect).unwrap()).collect();
    let end = Instant::now() + SOON;
    while !running.stdout.text().contains("queue is full") && Instant::now() < end {
        thread::sleep(Duration::from_millis(20));
    }
    clients.into_iter().for_each(|client| drop(client.join().unwrap().unwrap()));
    let text = told(running, &["accept queue is full"]);
    assert!(text.contains("ListenOverflows") && !text.contains("by an attack"), "{text}");
}
