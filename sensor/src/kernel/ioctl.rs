//! Questions about one interface, asked by ioctl.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// Whether an interface takes VLAN tags out of incoming frames before XDP sees them (`ethtool -k`: rx-vlan-offload).
pub fn strips_vlans(name: &str) -> bool {
    const GET_FLAGS: u32 = 0x25;
    const RX_VLAN: u32 = 1 << 8;
    let mut value = [GET_FLAGS, 0];
    let mut request = about(name);
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    let Some(socket) = socket() else { return false };
    // SAFETY: the request and what it points to live on the stack for the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    done == 0 && value[1] & RX_VLAN != 0
}

/// Whether what passes an interface are Ethernet frames; assumed where the kernel does not tell.
pub(super) fn is_ethernet(name: &str) -> bool {
    let Some(answer) = ask(libc::SIOCGIFHWADDR, about(name)) else { return true };
    // SAFETY: an answer to this question is an address.
    let kind = unsafe { answer.ifr_ifru.ifru_hwaddr.sa_family };
    matches!(kind, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK)
}

/// Whether an interface is administratively down.
pub(super) fn is_down(name: &str) -> bool {
    // SAFETY: an answer to this question is flags.
    ask(libc::SIOCGIFFLAGS, about(name))
        .is_some_and(|answer| unsafe { i32::from(answer.ifr_ifru.ifru_flags) } & libc::IFF_UP == 0)
}

/// Asks something whose answer lies in the request itself.
fn ask(question: libc::c_ulong, mut request: libc::ifreq) -> Option<libc::ifreq> {
    let socket = socket()?;
    // SAFETY: the request lives on the stack for the call; none of the questions asked here follows a pointer in it.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), question as _, &raw mut request) };
    (done == 0).then_some(request)
}

/// A request about an interface.
pub(super) fn about(name: &str) -> libc::ifreq {
    // SAFETY: all zero is a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request
}

/// A socket to ask by.
pub(super) fn socket() -> Option<OwnedFd> {
    // SAFETY: a new descriptor that nobody else owns.
    unsafe {
        let raw = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        (raw >= 0).then(|| OwnedFd::from_raw_fd(raw))
    }
}
