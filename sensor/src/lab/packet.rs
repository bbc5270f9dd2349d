//! Raw sockets: whole Ethernet frames, read and written.

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use super::frame::Frame;

/// Longer than any frame, offloads or not.
const LONGEST: usize = 1 << 17;
/// Enough for a burst while the reader's CPU is taken by others.
const RECEIVE_BUFFER: libc::c_int = 4 << 20;

/// A frame and which way it went.
pub(crate) struct Received {
    /// The frame, its VLAN tag back in place.
    pub(crate) frame: Frame,
    /// Whether this host sent it.
    pub(crate) outgoing: bool,
}

/// A socket for the frames of one interface.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl PacketSocket {
    /// A socket bound to no interface, which receives nothing.
    pub(crate) fn deaf() -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no memory is passed.
        let socket = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            // SAFETY: the descriptor was just made and has no other owner.
            socket: unsafe { OwnedFd::from_raw_fd(socket) },
            buffer: Vec::new(),
        })
    }

    /// The frames of `interface` in the caller's namespace, whoever they are for; with `outgoing`, also those that
    /// this host sends.
    pub(crate) fn open(interface: &str, outgoing: bool) -> io::Result<Self> {
        let mut socket = Self::deaf()?;
        let name = CString::new(interface)?;
        // SAFETY: `name` is a string that ends in zero.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(io::Error::last_os_error());
        }
        socket.option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_BUFFER)?;
        socket.option(libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
        socket.option(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, libc::c_int::from(!outgoing))?;
        socket.option(
            libc::SOL_PACKET,
            libc::PACKET_ADD_MEMBERSHIP,
            libc::packet_mreq {
                mr_ifindex: index as libc::c_int,
                mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
                mr_alen: 0,
                mr_address: [0; 8],
            },
        )?;
        socket.bind(index)?;
        socket.buffer.resize(LONGEST, 0);
        Ok(socket)
    }

    /// The next frame, if there is one.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Received>> {
        // Words, since control messages must be aligned.
        let mut control = [0u64; 8];
        let mut from: libc::sockaddr_ll = blank();
        let mut part = libc::iovec { iov_base: self.buffer.as_mut_ptr().cast(), iov_len: self.buffer.len() };
        let mut message: libc::msghdr = blank();
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control) as _;
        // SAFETY: every pointer in `message` leads to memory of the stated length that outlives the call.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, 0) };
        let Ok(length) = usize::try_from(length) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock => Ok(None),
                _ => Err(error),
            };
        };
        let mut frame = Frame(self.buffer[..length].to_vec());
        if let Some(tag) = stripped_tag(&message) {
            frame.tag(tag);
        }
        let outgoing = from.sll_pkttype == libc::PACKET_OUTGOING;
        Ok(Some(Received { frame, outgoing }))
    }

    /// Sends a frame as it is.
    pub(crate) fn send(&self, frame: &Frame) -> io::Result<()> {
        let bytes = frame.0.as_slice();
        // SAFETY: the pointer and the length are those of one slice.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn bind(&self, index: libc::c_uint) -> io::Result<()> {
        let mut address: libc::sockaddr_ll = blank();
        address.sll_family = libc::AF_PACKET as libc::c_ushort;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as libc::c_int;
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: `address` is of the stated length and outlives the call.
        check(unsafe { libc::bind(self.socket.as_raw_fd(), (&raw const address).cast(), length) })
    }

    fn option<T>(&self, level: libc::c_int, name: libc::c_int, value: T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: `value` is of the stated length and outlives the call.
        check(unsafe { libc::setsockopt(self.socket.as_raw_fd(), level, name, (&raw const value).cast(), length) })
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Structures of the C library that are empty when they are zero.
trait Plain {}
impl Plain for libc::sockaddr_ll {}
impl Plain for libc::msghdr {}

fn blank<T: Plain>() -> T {
    // SAFETY: only implemented for C structures of numbers and pointers, for which zero is valid.
    unsafe { mem::zeroed() }
}

fn check(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The VLAN id that the kernel took out of the frame (`struct tpacket_auxdata` of linux/if_packet.h).
fn stripped_tag(message: &libc::msghdr) -> Option<u16> {
    // SAFETY: the kernel filled `message` and the control buffer it points to, which the caller still holds.
    let header = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: null or the first, complete header of that buffer.
    let kind = unsafe { header.as_ref() }?;
    if (kind.cmsg_level, kind.cmsg_type) != (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
        return None;
    }
    // SAFETY: a message of this kind carries 20 bytes; bytes need no alignment.
    let [s0, s1, s2, s3, .., t0, t1, _, _] = unsafe { libc::CMSG_DATA(header).cast::<[u8; 20]>().read() };
    let (status, tag) = (u32::from_ne_bytes([s0, s1, s2, s3]), u16::from_ne_bytes([t0, t1]));
    (status & libc::TP_STATUS_VLAN_VALID != 0).then_some(tag & 0xfff)
}
