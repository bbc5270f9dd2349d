//! Shared parts of the end-to-end tests.

pub mod benign;
pub mod captures;
pub mod catalogue;
pub mod crowd;
pub mod diagnosis;
pub mod document;
pub mod live;
pub mod pair;
pub mod random;
pub mod reference;
pub mod scenario;
pub mod wire;

/// Whether the tests may load programs and make namespaces; a loud word where they may not.
pub fn root() -> bool {
    // SAFETY: a plain system call.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("SKIPPED: needs root");
    }
    root
}
