//! An XDP program of somebody else, made of two instructions.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use sensor::kernel::interface_index;

// From linux/bpf.h.
const PROG_LOAD: i32 = 5;
const LINK_CREATE: i32 = 28;
const TYPE_XDP: u32 = 6;
const ATTACH_XDP: u32 = 37;
const PASS: u64 = 2;

/// The beginning of what `BPF_PROG_LOAD` takes.
#[repr(C)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    licence: u64,
    log: [u32; 4],
    version: u32,
    flags: u32,
    name: [u8; 16],
    ifindex: u32,
    attach: u32,
}

/// Attaches it; dropping the link takes it off.
pub(super) fn attach(interface: &str) -> OwnedFd {
    // r0 = XDP_PASS; exit
    let instructions = [0xb7 | PASS << 32, 0x95u64];
    let mut name = [0; 16];
    name[..9].copy_from_slice(b"other_xdp");
    let load = Load {
        kind: TYPE_XDP,
        count: 2,
        instructions: instructions.as_ptr() as u64,
        licence: c"GPL".as_ptr() as u64,
        log: [0; 4],
        version: 0,
        flags: 0,
        name,
        ifindex: 0,
        attach: ATTACH_XDP,
    };
    let program = bpf(PROG_LOAD, &load);
    let link = [program.as_raw_fd() as u32, interface_index(interface).unwrap(), ATTACH_XDP, 0];
    bpf(LINK_CREATE, &link)
}

fn bpf<T>(command: i32, attributes: &T) -> OwnedFd {
    // SAFETY: the attributes, and what they point to, outlive the call; what it returns is a new descriptor.
    unsafe {
        let raw = libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(attributes), size_of::<T>());
        assert!(raw >= 0, "bpf({command}): {}", io::Error::last_os_error());
        OwnedFd::from_raw_fd(raw as i32)
    }
}
