//! The first and only process of the machines that `cargo xtask vm-test` boots: runs what `/plan` says, tells how it went, and
//! switches the machine off.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::process::Command;

/// Modules to load, in the order of their names.
const MODULES: &str = "/modules";
/// The exit code to be had, a program and its arguments, one a line.
const PLAN: &str = "/plan";
/// `MODULE_INIT_COMPRESSED_FILE`.
const COMPRESSED: libc::c_int = 4;

fn main() {
    assert_eq!(std::process::id(), 1, "this is for a machine of its own: see `cargo xtask vm-test`");
    let verdict = match run() {
        Ok(0) => "passed".to_owned(),
        Ok(failed) => format!("FAILED {failed}"),
        Err(error) => format!("FAILED {error}"),
    };
    println!("vm-init: verdict {verdict}");
    // SAFETY: plain system calls; nothing is left to be written.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_POWER_OFF);
    }
}

/// How many programs failed.
fn run() -> io::Result<usize> {
    for (kind, folder) in
        [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run"), ("tmpfs", "/tmp")]
    {
        fs::create_dir_all(folder)?;
        mount(kind, folder).map_err(|error| said(folder, &error))?;
    }
    // For what is pinned.
    mount("bpf", "/sys/fs/bpf").map_err(|error| said("/sys/fs/bpf", &error))?;
    let mut modules: Vec<_> = fs::read_dir(MODULES)?.collect::<Result<_, _>>()?;
    modules.sort_by_key(fs::DirEntry::file_name);
    for module in modules {
        let path = module.path();
        load(&path).map_err(|error| said(&path.display().to_string(), &error))?;
    }
    let plan = fs::read_to_string(PLAN)?;
    let mut failed = 0;
    for line in plan.lines() {
        let mut words = line.split(' ');
        let code = words.next().and_then(|code| code.parse().ok());
        let program = words.next().unwrap_or_default();
        println!("vm-init: {line}");
        let status = Command::new(program).args(words).env("PATH", "/bin").status();
        let status = status.map_err(|error| said(program, &error))?;
        println!("vm-init: {program}: {status}");
        failed += usize::from(status.code() != code);
    }
    Ok(failed)
}

fn said(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn mount(kind: &str, folder: &str) -> io::Result<()> {
    let (kind, folder) = (CString::new(kind)?, CString::new(folder)?);
    // SAFETY: strings that end in zero and live for the call; no data.
    match unsafe { libc::mount(kind.as_ptr(), folder.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Loads a module; kernels that have them compressed unpack them themselves.
fn load(path: &std::path::Path) -> io::Result<()> {
    let file = File::open(path)?;
    let flags = if path.extension().is_some_and(|extension| extension == "ko") { 0 } else { COMPRESSED };
    // SAFETY: an open descriptor and a string that ends in zero.
    match unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
