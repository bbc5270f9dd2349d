//! Floods on a wire between two real TCP stacks: what goes on beside them is still seen. In virtual time and by exact counts:
//! tests/tests/floods.

mod wire;

use std::{
    fs, io,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use sensor::lab::Lab;
use sensor_common::flow::TcpFlags;
use serde_json::Value;

use super::{
    child::{Running, SOON, sensor},
    lab,
};
use wire::{BURST, Flooder, SERVER, WIRE, dropped, wire};

/// How many of the connections beside the floods are reset in their clients' names meanwhile.
const SEVERE: usize = 100;
/// Connections that go on beside the floods, and frames of each flood: at least, and at most, if it is not told sooner. As many as the
/// requirements ask for with `SENSOR_FLOODS=full`.
fn scale() -> (usize, [u32; 2]) {
    match std::env::var("SENSOR_FLOODS").as_deref() {
        Ok("full") => (10_000, [10_000_000; 2]),
        _ => (500, [0, 12 * BURST]),
    }
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

/// Resets a connection in its client's name, from next to the server. Tells the client's port.
fn forge(flooder: &Flooder, (client, _): &(TcpStream, TcpStream)) -> u16 {
    let from = client.local_addr().unwrap();
    flooder.send(&flooder.frame(from, TcpFlags::RST, 255, next_seq(client)));
    from.port()
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
            thread::sleep(Duration::from_millis(50));
        }
        let word = format!("\"{kind}\"");
        let [least, most] = [least, most].map(|n| flooder.sent + n);
        while flooder.sent < most && (flooder.sent < least || !running.stdout.text().contains(&word)) {
            flooder.burst(flags);
            live.iter_mut().skip(SEVERE).take(50).for_each(exchange);
            if severed.len() < SEVERE {
                severed.push(forge(&flooder, &live[severed.len()]));
            }
            // The agent looks once a second.
            thread::sleep(Duration::from_millis(50));
        }
        running.stdout.wait_for(&word);
        if flags == TcpFlags::SYN {
            requests = flooder.sent;
        }
    }
    // The rest of the resets.
    while severed.len() < SEVERE {
        severed.push(forge(&flooder, &live[severed.len()]));
    }
    live.iter_mut().skip(SEVERE).for_each(exchange);

    // Who comes now is followed, too.
    let mut new = connections(&lab, &listener, 1);
    exchange(&mut new[0]);
    exchange(&mut new[0]);
    let port = forge(&flooder, &new[0]);
    severed.push(port);
    running.stdout.wait_for(&format!("\"src_port\":{port}"));

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
