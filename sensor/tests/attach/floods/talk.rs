//! Real connections over the wire, and resets in their clients' names.

use std::{
    io,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use sensor::lab::Lab;
use sensor_common::flow::TcpFlags;

use super::{
    super::child::SOON,
    wire::{Flooder, SERVER},
};

/// Client's end, server's end.
pub(super) type Talk = (TcpStream, TcpStream);

/// Where the server listens.
pub(super) fn listen(lab: &Lab) -> TcpListener {
    lab.server().netns().enter(|| TcpListener::bind(SERVER)).unwrap().unwrap()
}

/// So many connections.
pub(super) fn connections(lab: &Lab, listener: &TcpListener, n: usize) -> Vec<Talk> {
    let one = || {
        let client = TcpStream::connect_timeout(&SERVER, SOON).unwrap();
        (client, listener.accept().unwrap().0)
    };
    lab.routers()[0].enter(|| (0..n).map(|_| one()).collect()).unwrap()
}

/// A byte there, and a byte back.
pub(super) fn exchange((client, server): &mut Talk) {
    let mut byte = [0; 1];
    for (from, to) in [(&*client, &*server), (&*server, &*client)] {
        to.set_read_timeout(Some(SOON)).unwrap();
        let (mut from, mut to) = (from, to);
        from.write_all(b"x").unwrap();
        to.read_exact(&mut byte).unwrap();
    }
}

/// Resets a connection in its client's name, from next to the server, until the server's stack has taken it: a full wire may lose
/// it. Tells the client's port.
pub(super) fn forge(flooder: &Flooder, (client, server): &Talk) -> u16 {
    let from = client.local_addr().unwrap();
    let reset = flooder.frame(from, TcpFlags::RST, 255, next_seq(client));
    server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let end = Instant::now() + SOON;
    loop {
        flooder.send(&reset);
        match server.peek(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return from.port(),
            other => assert!(Instant::now() < end, "{from} is not reset: {other:?}"),
        }
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

/// Has as many descriptors as there may be, more where root may have more: how many connections that is enough for, both ends.
pub(super) fn raise_files() -> usize {
    const MANY: libc::rlim_t = 1 << 16;
    const BESIDE: libc::rlim_t = 1000;
    // SAFETY: the structures outlive the calls.
    let files = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let more = limit.rlim_max.max(MANY);
        let raised = libc::rlimit { rlim_cur: more, rlim_max: more };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
            more
        } else {
            limit.rlim_cur = limit.rlim_max;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), 0);
            limit.rlim_max
        }
    };
    (files.saturating_sub(BESIDE) / 2) as usize
}
