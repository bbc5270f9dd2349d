//! Seccomp: the system calls that a running agent makes, and no others.

use std::{collections::BTreeMap, process};

use libc::{c_int, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Is, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use super::Layer;

/// What goes beyond reading, waiting and answering.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// Links are made later.
    pub(super) hot_plug: bool,
    /// The network's configuration is talked to.
    pub(super) netlink: bool,
    /// Connections are made later; Landlock says where to.
    pub(super) connect: bool,
    /// Files are made, written and removed.
    pub(super) files: bool,
    /// Files are removed.
    pub(super) remove: bool,
}

/// Allowed whatever their arguments.
const FREE: &[c_long] = &[
    // What is open.
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_pread64,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_lseek,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_getdents64,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_close,
    // Memory.
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_eventfd2,
    libc::SYS_ppoll,
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    // Clocks and chance.
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    // Threads and signals.
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_getaffinity,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_uname,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Answering on sockets that listen already.
    libc::SYS_accept4,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    // Judged by the filter before this one, by which its caller falls back to `clone`.
    libc::SYS_clone3,
];

/// What a database needs beside: to write at a place, to lock, to make, look for and remove its journals.
const FILES: &[c_long] = &[
    libc::SYS_openat,
    libc::SYS_pwrite64,
    libc::SYS_flock,
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_faccessat,
    libc::SYS_unlinkat,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_access,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// To remove a file.
const REMOVE: &[c_long] = &[
    libc::SYS_unlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
];

/// Older ways to ask for the same, which some C libraries take.
#[cfg(target_arch = "x86_64")]
const OLD: &[c_long] = &[libc::SYS_epoll_wait, libc::SYS_poll, libc::SYS_stat, libc::SYS_lstat, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[c_long] = &[];

/// Whatever makes an open file writable, or a new one.
const WRITING: c_int = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC;

// linux/bpf.h.
const BPF_MAP_LOOKUP_ELEM: u64 = 1;
const BPF_OBJ_GET_INFO_BY_FD: u64 = 15;

const PR_SET_VMA: u64 = 0x53_56_4d_41;

/// Leaves the calling thread, and those that it starts, the calls of a running agent.
pub(super) fn restrict(scope: Scope) -> Layer {
    match try_restrict(scope) {
        Ok(calls) => Layer::on(format!("{calls} system calls allowed, others fail")),
        Err(error) => Layer::off(error.to_string()),
    }
}

fn try_restrict(scope: Scope) -> Result<usize, Box<dyn std::error::Error>> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let allowed = allowed(scope)?;
    let calls = allowed.len();
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    // What stands in memory cannot be judged. ENOSYS makes the C library ask again in a way that can.
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let threads = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let first: BpfProgram = SeccompFilter::new(threads, SeccompAction::Allow, unknown, arch)?.try_into()?;
    let second: BpfProgram = SeccompFilter::new(allowed, refused, SeccompAction::Allow, arch)?.try_into()?;
    apply_filter(&first)?;
    apply_filter(&second)?;
    Ok(calls)
}

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

fn allowed(scope: Scope) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = FREE.iter().chain(OLD).map(|call| (*call, Vec::new())).collect();
    let mut when = |call: c_long, argument: u8, length: Len, is: Is, value: u64| {
        let condition = SeccompCondition::new(argument, length, is, value)?;
        rules.entry(call).or_default().push(SeccompRule::new(vec![condition])?);
        Ok::<_, seccompiler::BackendError>(())
    };
    // No code beyond what is there.
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        when(call, 2, Len::Dword, Is::MaskedEq(libc::PROT_EXEC as u64), 0)?;
    }
    // Files are opened to be read; Landlock says which.
    when(libc::SYS_openat, 2, Len::Dword, Is::MaskedEq(WRITING as u64), 0)?;
    #[cfg(target_arch = "x86_64")]
    when(libc::SYS_open, 1, Len::Dword, Is::MaskedEq(WRITING as u64), 0)?;
    // Threads, not processes.
    when(libc::SYS_clone, 0, Len::Dword, Is::MaskedEq(libc::CLONE_THREAD as u64), libc::CLONE_THREAD as u64)?;
    for option in [libc::PR_SET_NAME as u64, PR_SET_VMA] {
        when(libc::SYS_prctl, 0, Len::Dword, Is::Eq, option)?;
    }
    // `abort` ends this process, and no other.
    when(libc::SYS_tgkill, 0, Len::Dword, Is::Eq, process::id().into())?;
    // Limits are asked for, not set.
    when(libc::SYS_prlimit64, 2, Len::Qword, Is::Eq, 0)?;
    for request in [libc::SIOCGIFNAME as u32, libc::FIONBIO as u32, libc::TCGETS as u32, libc::TIOCGWINSZ as u32] {
        when(libc::SYS_ioctl, 1, Len::Dword, Is::Eq, request.into())?;
    }
    for command in [BPF_MAP_LOOKUP_ELEM, BPF_OBJ_GET_INFO_BY_FD] {
        when(libc::SYS_bpf, 0, Len::Dword, Is::Eq, command)?;
    }
    if scope.connect {
        for family in [libc::AF_INET, libc::AF_INET6] {
            when(libc::SYS_socket, 0, Len::Dword, Is::Eq, family as u64)?;
        }
        // Names of hosts are asked for in twos.
        rules.extend([libc::SYS_connect, libc::SYS_sendmmsg].map(|call| (call, Vec::new())));
    }
    if scope.netlink {
        // Without a condition: whatever the arguments.
        rules.extend([libc::SYS_socket, libc::SYS_bind, libc::SYS_ioctl].map(|call| (call, Vec::new())));
    }
    if scope.files {
        // Landlock says where.
        rules.extend(FILES.iter().map(|call| (*call, Vec::new())));
    }
    if scope.remove {
        // The same.
        rules.extend(REMOVE.iter().map(|call| (*call, Vec::new())));
    }
    if scope.hot_plug {
        rules.insert(libc::SYS_bpf, Vec::new());
    }
    Ok(rules)
}
