//! What older kernels lack, and how the program does without. Asked by trying: distributions bring features to older versions.

use std::{
    borrow::Cow,
    io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use aya::{
    programs::ProgramType,
    sys::{BpfHelper, is_helper_supported},
};
use sensor_common::config::ClockSource;

use super::KernelError;

/// Told where the coarse clock is missing.
pub(super) const NO_COARSE_CLOCK: &str = "no coarse clock before Linux 5.11, so a packet costs more";
/// Told where frames in several buffers are not for XDP.
pub(super) const NO_FRAGS: &str =
    "no native XDP on frames in several buffers before Linux 5.18, so a large MTU takes another hook";

/// The clock that the running kernel offers.
pub(super) fn clock_source() -> Result<ClockSource, KernelError> {
    let coarse = is_helper_supported(ProgramType::Xdp, BpfHelper::BPF_FUNC_ktime_get_coarse_ns);
    Ok(if coarse.map_err(KernelError::program)? { ClockSource::CoarseAndFine } else { ClockSource::Fine })
}

/// The section of XDP programs that take frames in several buffers, as it stands in string tables; and cut short.
const FRAGS: [&[u8; 10]; 2] = [b"xdp.frags\0", b"xdp\0frags\0"];

/// The object made fit for the running kernel; borrowed, if it was.
pub(super) fn fitting(object: &[u8]) -> Cow<'_, [u8]> {
    if knows_frags() { Cow::Borrowed(object) } else { Cow::Owned(without_frags(object.to_vec())) }
}

/// What asks for such frames is the section's name, to which both symbols and BTF refer by where it begins.
fn without_frags(mut object: Vec<u8>) -> Vec<u8> {
    let [whole, cut] = FRAGS;
    let mut at = 0;
    while let Some(found) = object[at..].windows(whole.len()).position(|window| window == whole) {
        object[at + found..][..cut.len()].copy_from_slice(cut);
        at += found + cut.len();
    }
    object
}

/// The beginning of `union bpf_attr`, as BPF_PROG_LOAD reads it.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u32; 2],
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_PROG_TYPE_XDP: u32 = 6;
const BPF_F_XDP_HAS_FRAGS: u32 = 1 << 5;

/// Whether the kernel takes XDP programs for frames in several buffers. Any other trouble is left to the real load, which tells it.
fn knows_frags() -> bool {
    // r0 = XDP_PASS; exit.
    let code: [u64; 2] = [2 << 32 | 0xb7, 0x95];
    let load = Load {
        kind: BPF_PROG_TYPE_XDP,
        instructions: code.len() as u32,
        code: code.as_ptr() as u64,
        license: c"Dual MIT/GPL".as_ptr() as u64,
        flags: BPF_F_XDP_HAS_FRAGS,
        ..Load::default()
    };
    // SAFETY: the struct and what it points to live for the call, which only reads them; a new descriptor is nobody else's.
    let loaded = unsafe {
        let fd = libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const load, size_of::<Load>());
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd as i32)) }
    };
    !loaded.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_cut_and_nothing_else() {
        let before = b"\0.relxdp.frags\0xdp.frags.x\0xdp.frags\0end".to_vec();
        let after = b"\0.relxdp\0frags\0xdp.frags.x\0xdp\0frags\0end";
        assert_eq!(without_frags(before), after);
    }

    #[test]
    fn the_object_asks_for_them_only_by_that_name() {
        let object = without_frags(crate::kernel::OBJECT.to_vec());
        assert_ne!(object, crate::kernel::OBJECT);
        assert!(!object.windows(FRAGS[0].len()).any(|window| window == FRAGS[0]));
    }
}
