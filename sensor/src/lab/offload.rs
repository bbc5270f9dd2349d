//! Offloads off, so that frames on a veth look like frames on a wire.
//!
//! A veth passes packets on before their checksums are filled in, or several merged into one. A middlebox that
//! reads and writes raw frames would forward them broken. The old ethtool requests do it without the ethtool program.

use std::{io, os::fd::AsRawFd};

use super::packet::PacketSocket;

/// `ETHTOOL_S*` requests (linux/ethtool.h) whose argument 0 means off.
const REQUESTS: [u32; 7] = [
    0x15, // SRXCSUM: a veth takes checksums for granted
    0x17, // STXCSUM
    0x1f, // STSO
    0x19, // SSG
    0x24, // SGSO
    0x2c, // SGRO
    0x26, // SFLAGS: VLAN tags in metadata, LRO
];

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    request: u32,
    data: u32,
}

/// Switches them off on `interface` of the caller's namespace.
pub(crate) fn disable(interface: &str) -> io::Result<()> {
    // Any socket will do; one that hears nothing costs nothing.
    let socket = PacketSocket::deaf()?;
    REQUESTS.iter().try_for_each(|&request| switch_off(&socket, interface, request))
}

fn switch_off(socket: &PacketSocket, interface: &str, request: u32) -> io::Result<()> {
    let mut value = Value { request, data: 0 };
    // SAFETY: `ifreq` is plain data, for which zero is valid.
    let mut asked: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays zero and ends the name.
    for (to, from) in asked.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    asked.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request reads and writes `asked` and the `value` it points to; both outlive the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut asked) } {
        0 => Ok(()),
        _ => match io::Error::last_os_error() {
            // What a driver does not know, it does not do.
            error if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
            error => Err(error),
        },
    }
}
