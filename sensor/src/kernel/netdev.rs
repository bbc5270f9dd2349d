//! Interfaces: which there are, which is the default, and who sits on them already.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use aya::programs::loaded_programs;

use super::KernelError;

/// The interface of the default route, IPv4 before IPv6.
pub fn default_interface() -> Result<String, KernelError> {
    let v4 = fs::read_to_string("/proc/net/route").unwrap_or_default();
    let v4 = v4.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        // Gateway, flags, references, use and metric lie between. A VPN may route halves of everything: 0.0.0.0/1.
        let (name, destination, mask) = (fields.next()?, fields.next()?, fields.nth(5)?);
        // An unreachable default has no interface.
        (destination == "00000000" && mask == "00000000" && name != "*").then(|| name.to_string())
    });
    let v6 = fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default();
    let v6 = v6.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let default = fields.first()?.bytes().all(|b| b == b'0') && *fields.get(1)? == "00";
        (default && *fields.last()? != "lo").then(|| fields.last().map(|name| name.to_string()))?
    });
    let route = v4.chain(v6).next();
    route.ok_or_else(|| KernelError::NoDefaultRoute { known: known() })
}

/// Index of an interface of this network namespace.
pub fn interface_index(name: &str) -> Result<u32, KernelError> {
    let missing = || KernelError::NoInterface { name: name.escape_debug().to_string(), known: known() };
    let c_name = CString::new(name).map_err(|_| missing())?;
    // SAFETY: a valid C string.
    match unsafe { libc::if_nametoindex(c_name.as_ptr()) } {
        0 => Err(missing()),
        index => Ok(index),
    }
}

/// The interfaces of this network namespace.
fn known() -> String {
    let table = fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let names: Vec<_> = table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim())).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The XDP program that sits on an interface already, by name and id, as far as the kernel tells.
pub(super) fn xdp_owner(ifindex: u32) -> Option<String> {
    let id = xdp_program_id(ifindex).ok().flatten()?;
    let mut programs = loaded_programs().filter_map(Result::ok);
    let name = programs
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_string))
        .unwrap_or_default();
    Some(if name.is_empty() { format!("id {id}") } else { format!("{} (id {id})", name.escape_debug()) })
}

const IFLA_XDP: u16 = 43;
const IFLA_XDP_PROG_ID: u16 = 4;

/// Asks the kernel by rtnetlink: RTM_GETLINK, then the nested IFLA_XDP attribute.
fn xdp_program_id(ifindex: u32) -> io::Result<Option<u32>> {
    #[repr(C)]
    struct Request {
        header: libc::nlmsghdr,
        family: u8,
        padding: u8,
        kind: u16,
        index: u32,
        flags: u32,
        change: u32,
    }
    let length = size_of::<Request>();
    let header = libc::nlmsghdr {
        nlmsg_len: length as u32,
        nlmsg_type: libc::RTM_GETLINK,
        nlmsg_flags: libc::NLM_F_REQUEST as u16,
        nlmsg_seq: 1,
        nlmsg_pid: 0,
    };
    let request = Request { header, family: 0, padding: 0, kind: 0, index: ifindex, flags: 0, change: 0 };
    let mut answer = vec![0u8; 32 * 1024];
    // SAFETY: a new descriptor that nobody else owns, a request of the stated length, a buffer of the stated length.
    let read = unsafe {
        let raw = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE);
        if raw < 0 {
            return Err(io::Error::last_os_error());
        }
        let socket = OwnedFd::from_raw_fd(raw);
        if libc::send(socket.as_raw_fd(), (&raw const request).cast(), length, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
        libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0)
    };
    let answer = answer.get(..usize::try_from(read).map_err(|_| io::Error::last_os_error())?).unwrap_or_default();
    // Header of the message (16 bytes), then of the link (16 bytes), then attributes.
    let nested = attribute(answer.get(32..).unwrap_or_default(), IFLA_XDP);
    let id = nested.and_then(|nested| attribute(nested, IFLA_XDP_PROG_ID));
    Ok(id.and_then(|id| id.first_chunk()).map(|id| u32::from_ne_bytes(*id)))
}

/// The payload of the first attribute of this type.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let [l0, l1, t0, t1, ..] = *attributes {
        let (length, kind) = (u16::from_ne_bytes([l0, l1]) as usize, u16::from_ne_bytes([t0, t1]) & 0x3fff);
        let payload = attributes.get(4..length)?;
        if kind == wanted {
            return Some(payload);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_bounded() {
        let two = [6, 0, 1, 0, 9, 9, 0, 0, 8, 0, 4, 0, 7, 0, 0, 0];
        assert_eq!(attribute(&two, 4), Some(&[7, 0, 0, 0][..]));
        assert_eq!(attribute(&two, 1), Some(&[9, 9][..]));
        assert_eq!(attribute(&two, 2), None);
        for length in [0u8, 3, 200] {
            assert_eq!(attribute(&[length, 0, 1, 0], 4), None, "length {length}");
        }
    }

    #[test]
    fn a_missing_interface_is_named() {
        let error = interface_index("nosuch0").expect_err("there is none");
        assert!(error.to_string().contains("nosuch0") && error.to_string().contains("lo"), "{error}");
    }
}
