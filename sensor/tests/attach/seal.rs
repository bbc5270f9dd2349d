//! What the agent can still do once it has attached.

use std::{
    collections::BTreeMap,
    ffi::CString,
    fs, io,
    net::{TcpListener, TcpStream},
    os::unix::{
        ffi::OsStrExt,
        fs::PermissionsExt,
        net::UnixStream,
        process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Command, Stdio},
    ptr, thread,
};

use sensor::{
    kernel::{Kernel, Mode, Options},
    lab::Lab,
    seal::{Connect, Needs, Threads, seal},
};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

use super::{
    WAN,
    child::{Running, sensor},
    forge, ip, lab,
    privilege::{THREE, as_nobody},
};

/// The status of each thread of a process.
fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap()).collect()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).expect(status).trim()
}

#[test]
fn nobody_finds_a_forged_reset_and_can_do_nothing_else() {
    let Some(lab) = lab() else { return };
    let (_directory, mut command) = as_nobody(THREE, &["--records"]);
    command.stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    let threads = threads(running.pid());
    assert!(threads.len() >= 3, "the drain, the sweep, the report");
    for status in &threads {
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(field(status, set), "0000000000000000", "{set} {status}");
        }
        assert_eq!((field(status, "NoNewPrivs:"), field(status, "Seccomp:")), ("1", "2"), "{status}");
        assert_eq!(field(status, "Uid:").split('\t').next(), Some("65534"));
    }
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(super::child::SOON).code(), Some(0), "{}", running.stderr.text());
    assert!(running.stdout.text().contains("\nmatched "), "{}", running.stdout.text());
}

#[test]
fn root_keeps_nothing_either_and_what_is_asked_for() {
    let Some(lab) = lab() else { return };
    // CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF.
    let three = 1u64 << 12 | 1 << 38 | 1 << 39;
    for (arguments, effective) in [(&["-i", WAN][..], 0), (&["-i", WAN, "--keep-caps"], three)] {
        let running = Running::attach(lab.server().netns(), arguments);
        forge(&lab);
        running.stdout.wait_for("ttl-rst-mismatch");
        for status in &threads(running.pid()) {
            for set in ["CapPrm:", "CapEff:", "CapBnd:"] {
                assert_eq!(field(status, set), format!("{effective:016x}"), "{set} {status}");
            }
            assert_eq!((field(status, "NoNewPrivs:"), field(status, "Seccomp:")), ("1", "2"), "{status}");
        }
    }
}

/// An agent's kernel side in the server's namespace, sealed, on a thread of its own.
fn sealed<T: Send>(lab: &Lab, clsact: bool, needs: Needs, work: impl FnOnce(Kernel) -> T + Send) -> T {
    let inside = || {
        let options = Options { flows: 64, ring_bytes: 1 << 16, clsact, ..Options::default() };
        let mut kernel = Kernel::load(&options).unwrap();
        let attached = kernel.attach(WAN, Mode::Auto).unwrap();
        assert_eq!(attached.is_clsact(), clsact, "{attached}");
        let sealed = seal(&needs, || kernel.counters().is_ok());
        assert!(sealed.layers.capabilities.enforced && sealed.layers.seccomp.enforced, "{:?}", sealed.layers);
        work(kernel)
    };
    lab.server().netns().enter(inside).unwrap()
}

#[test]
fn a_clsact_filter_is_removed_with_the_right_that_was_kept_for_it() {
    let Some(lab) = lab() else { return };
    let name = lab.server().netns().name();
    // Without it the filter stays, until the next start removes it.
    for kept in [false, true] {
        sealed(&lab, true, Needs { clsact: kept, ..Needs::default() }, |mut kernel| kernel.detach());
        let output = Command::new("tc").args(["-n", name, "filter", "show", "dev", WAN, "egress"]).output().unwrap();
        let filters = String::from_utf8(output.stdout).unwrap();
        assert_eq!(filters.contains("sensor_egress"), !kept, "{filters}");
    }
}

#[test]
fn a_kernel_that_asks_for_a_right_to_read_maps_has_it_kept() {
    let Some(_lab) = lab() else { return };
    let sealed = || {
        let sealed = seal(&Needs::default(), || false);
        (sealed.layers, fs::read_to_string("/proc/thread-self/status").unwrap())
    };
    let (layers, status) = thread::spawn(sealed).join().unwrap();
    assert_eq!(field(&status, "CapEff:"), format!("{:016x}", 1u64 << 39), "{status}");
    assert!(layers.capabilities.detail.contains("all dropped but CAP_BPF"), "{layers:?}");
}

/// Gives a file the three capabilities, as `setcap` does; whether its file system takes them.
fn set_capabilities(file: &Path) -> bool {
    // linux/capability.h: revision 2 and effective, then permitted and inheritable, low words first.
    let words = [0x0200_0001u32, 1 << 12, 0, 1 << (38 - 32) | 1 << (39 - 32), 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let path = CString::new(file.as_os_str().as_bytes()).unwrap();
    // SAFETY: two strings and a buffer of the stated length, which outlive the call.
    let done = unsafe {
        libc::setxattr(path.as_ptr(), c"security.capability".as_ptr(), bytes.as_ptr().cast(), bytes.len(), 0)
    };
    done == 0
}

#[test]
fn capabilities_of_the_file_will_do() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let binary = folder.path().join("sensor");
    fs::copy(env!("CARGO_BIN_EXE_sensor"), &binary).unwrap();
    if !set_capabilities(&binary) {
        eprintln!("SKIPPED: files have no capabilities here");
        return;
    }
    let mut command = Command::new(&binary);
    command.args(["attach", "-i", WAN]).uid(65_534).gid(65_534).stdout(Stdio::piped());
    let mut running = Running::start(lab.server().netns(), command);
    running.stderr.wait_for("watching ");
    forge(&lab);
    running.stdout.wait_for("ttl-rst-mismatch");
    for status in &threads(running.pid()) {
        assert_eq!((field(status, "CapPrm:"), field(status, "Seccomp:")), ("0000000000000000", "2"), "{status}");
    }
    let mut status = sensor(&["status"]);
    status.stdout(Stdio::piped());
    let mut status = Running::start(lab.server().netns(), status);
    assert_eq!(status.end(super::child::SOON).code(), Some(0), "{}", status.stderr.text());
    assert!(status.stdout.text().contains("CapEff 0, NoNewPrivs yes, Seccomp yes"), "{}", status.stdout.text());
    running.signal(libc::SIGTERM);
    assert_eq!(running.end(super::child::SOON).code(), Some(0), "{}", running.stderr.text());
}

#[test]
fn later_interfaces_need_the_rights_to_be_kept() {
    let Some(lab) = lab() else { return };
    ip(lab.server().netns(), "link add name spare0 type veth peer name spare1");
    let attach = |needs| sealed(&lab, false, needs, |mut kernel| kernel.attach("spare0", Mode::Auto).map(drop));
    attach(Needs { hot_plug: true, ..Needs::default() }).unwrap();
    let error = attach(Needs::default()).unwrap_err().to_string();
    let words = "not enough privilege: CAP_NET_ADMIN and CAP_PERFMON and CAP_BPF missing";
    assert!(error.starts_with(words), "{error}");
}

#[test]
fn what_is_not_needed_fails() {
    let probe = || {
        let layers = seal(&Needs::default(), || true).layers;
        let errno = |done: i64| if done < 0 { io::Error::last_os_error().raw_os_error() } else { None };
        let file = |name: &str| fs::read(name).map(drop).map_err(|error| error.raw_os_error());
        let code = libc::PROT_READ | libc::PROT_EXEC;
        let memory = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: calls without memory of ours, each refused before it does anything.
        let calls = unsafe {
            [
                ("socket", errno(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0).into())),
                ("fork", errno(libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0))),
                ("kill", errno(libc::kill(libc::getpid(), 0).into())),
                ("ptrace", errno(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0))),
                ("unshare", errno(libc::unshare(libc::CLONE_NEWUSER).into())),
                ("bpf", errno(libc::syscall(libc::SYS_bpf, 0, 0, 0))),
                ("code", errno(libc::mmap(ptr::null_mut(), 4096, code, memory, -1, 0) as i64)),
            ]
        };
        let start = Command::new("true").status().is_err();
        let write = fs::File::create("/tmp/sensor-must-not-be").map(drop).map_err(|error| error.raw_os_error());
        let thread = thread::spawn(|| fs::read_to_string("/proc/self/status").is_ok()).join().unwrap();
        (layers, calls, start, write, file("/etc/passwd"), file("/proc/self/stat"), thread, Threads::now().is_some())
    };
    let (layers, calls, start, write, passwd, own, thread, threads) = thread::spawn(probe).join().unwrap();
    for (call, errno) in calls {
        assert_eq!(errno, Some(libc::EPERM), "{call}");
    }
    assert!(start, "no process is started");
    assert_eq!(write, Err(Some(libc::EPERM)));
    if layers.landlock.enforced {
        assert_eq!(passwd, Err(Some(libc::EACCES)), "{layers:?}");
    } else {
        eprintln!("SKIPPED: Landlock is {}", layers.landlock.detail);
    }
    assert_eq!((own, thread, threads), (Ok(()), true, true), "what the agent itself does");
}

#[test]
fn one_port_may_be_connected_to_where_names_are_asked_for() {
    let here = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (api, other) = (here(), here());
    let ports = [&api, &other].map(|listener| listener.local_addr().unwrap());
    let probe = move || {
        let needs = Needs { connect: Some(Connect { port: ports[0].port(), lookup: false }), ..Needs::default() };
        let layers = seal(&needs, || true).layers;
        let errno = |result: io::Result<()>| result.err().and_then(|error| error.raw_os_error());
        let connects = ports.map(|port| errno(TcpStream::connect(port).map(drop)));
        let bound = errno(TcpListener::bind("127.0.0.1:0").map(drop));
        (layers, connects, bound, errno(UnixStream::pair().map(drop)))
    };
    let (layers, [allowed, refused], bound, unix) = thread::spawn(probe).join().unwrap();
    assert_eq!((allowed, bound, unix), (None, Some(libc::EPERM), Some(libc::EPERM)), "{layers:?}");
    if layers.landlock.enforced {
        assert_eq!(refused, Some(libc::EACCES), "{layers:?}");
    } else {
        eprintln!("SKIPPED: Landlock is {}", layers.landlock.detail);
    }
}

/// A filter under which some calls are unknown, as in an older kernel or a container.
fn without(calls: &[libc::c_long]) -> BpfProgram {
    let calls: BTreeMap<_, _> = calls.iter().map(|call| (*call, Vec::new())).collect();
    let unknown = SeccompAction::Errno(libc::ENOSYS as u32);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    SeccompFilter::new(calls, SeccompAction::Allow, unknown, arch).unwrap().try_into().unwrap()
}

#[test]
fn a_layer_that_is_missing_is_named_and_the_others_hold() {
    let Some(lab) = lab() else { return };
    for (call, words) in [
        (libc::SYS_landlock_create_ruleset, "going on without landlock (not in this kernel)"),
        (libc::SYS_seccomp, "going on without seccomp ("),
    ] {
        let filter = without(&[call]);
        let mut command = sensor(&["attach", "-i", WAN]);
        // SAFETY: two system calls on memory that was there before the fork.
        unsafe { command.pre_exec(move || apply_filter(&filter).map_err(|_| io::ErrorKind::Other.into())) };
        let mut running = Running::start(lab.server().netns(), command);
        running.stderr.wait_for(words);
        for status in &threads(running.pid()) {
            assert_eq!((field(status, "CapEff:"), field(status, "NoNewPrivs:")), ("0000000000000000", "1"), "{status}");
        }
        running.signal(libc::SIGTERM);
        assert_eq!(running.end(super::child::SOON).code(), Some(0), "{}", running.stderr.text());
        assert_eq!(running.stderr.text().matches("going on without").count(), 1, "said once");
    }
}

/// Set for the test that is another's child.
const CHILD: &str = "SENSOR_TEST_ABORTS";

#[test]
fn sealed_it_can_still_abort() {
    if std::env::var_os(CHILD).is_some() {
        seal(&Needs::default(), || true);
        // As a panic does where it cannot be unwound.
        std::process::abort();
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "seal::sealed_it_can_still_abort", "--test-threads=1"]).env(CHILD, "1");
    let status = child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{status}");
}
