//! Connections from a port of one's choice, as an application makes them that binds before it connects.

use std::{
    io, mem,
    net::{SocketAddr, TcpStream},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

/// Connects from `port` to `to`, at most for `patience`. The port may have been used a moment ago.
///
/// # Errors
///
/// What the system says.
pub fn from_port(port: u16, to: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    // SAFETY: no memory is passed.
    let socket = unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and has no other owner.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    option(&socket, libc::SO_REUSEADDR, 1 as libc::c_int)?;
    // It holds for connecting, too.
    let timeout = libc::timeval {
        tv_sec: patience.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_usec: patience.subsec_micros().into(),
    };
    option(&socket, libc::SO_SNDTIMEO, timeout)?;
    let any = if to.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let (from, length) = address(SocketAddr::new(any, port));
    // SAFETY: `from` is of the stated length or longer, and outlives the call.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const from).cast(), length) })?;
    let (to, length) = address(to);
    // SAFETY: as above.
    check(unsafe { libc::connect(socket.as_raw_fd(), (&raw const to).cast(), length) })?;
    Ok(socket.into())
}

fn option<T>(socket: &OwnedFd, name: libc::c_int, value: T) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is of the stated length and outlives the call.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), length) })
}

/// The address as the system wants it, with room for either family, and how much of it counts.
fn address(address: SocketAddr) -> (libc::sockaddr_in6, libc::socklen_t) {
    // SAFETY: numbers only, for which zero is valid.
    let mut six: libc::sockaddr_in6 = unsafe { mem::zeroed() };
    match address {
        SocketAddr::V6(address) => {
            six.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            six.sin6_port = address.port().to_be();
            six.sin6_addr.s6_addr = address.ip().octets();
            (six, size_of::<libc::sockaddr_in6>() as libc::socklen_t)
        }
        SocketAddr::V4(address) => {
            // SAFETY: shorter than what it lies in, and not more aligned; numbers only.
            let four = unsafe { &mut *(&raw mut six).cast::<libc::sockaddr_in>() };
            four.sin_family = libc::AF_INET as libc::sa_family_t;
            four.sin_port = address.port().to_be();
            four.sin_addr.s_addr = u32::from(*address.ip()).to_be();
            (six, size_of::<libc::sockaddr_in>() as libc::socklen_t)
        }
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
