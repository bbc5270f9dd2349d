//! A disk without room.

use std::{cell::Cell, ffi::CString, fs, io, path::Path, ptr, thread, time::Duration};

use sensor::store::{Keeper, Kept, Manner, Origin, Reader, Row, Which, Writer};
use sensor_common::detect::Severity;
use tempfile::TempDir;

use super::{TODAY, ask, finding, incident};

/// Mounts a file system of this size in a mount namespace of the calling thread's own, which ends with it.
fn small_disk(folder: &Path, bytes: u64) -> io::Result<()> {
    let call = |result| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let folder = CString::new(folder.as_os_str().as_encoded_bytes())?;
    let size = CString::new(format!("size={bytes}"))?;
    let private = libc::MS_REC | libc::MS_PRIVATE;
    // SAFETY: takes no pointer.
    call(unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_FS) })?;
    // SAFETY: strings that end with a zero, or none where none is read.
    call(unsafe { libc::mount(ptr::null(), c"/".as_ptr(), ptr::null(), private, ptr::null()) })?;
    // SAFETY: the same.
    call(unsafe { libc::mount(c"tmpfs".as_ptr(), folder.as_ptr(), c"tmpfs".as_ptr(), 0, size.as_ptr().cast()) })
}

/// Tries something in a folder that is such a disk, on a thread of its own, which alone sees it.
fn on_small_disk(bytes: u64, test: impl FnOnce(&Path) + Send + 'static) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().to_owned();
    let within = move || match small_disk(&path, bytes) {
        Ok(()) => test(&path),
        Err(cause) => eprintln!("SKIPPED: no mount namespace ({cause})"),
    };
    thread::spawn(within).join().expect("no panic");
}

#[test]
fn a_full_disk_costs_rows_which_are_counted_and_nothing_else() {
    on_small_disk(2 << 20, |path| {
        let file = path.join("s.db");
        let writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
        let manner = Manner { retry: Duration::ZERO, ..Manner::default() };
        let keeper = Keeper::start(writer, manner).expect("a thread");
        let sent = Cell::new(0);
        let put = |rows: u64| {
            let n = sent.get();
            (0..rows).for_each(|i| keeper.keep(finding(n + i, TODAY + n + i, Severity::Info)));
            sent.set(n + rows);
            keeper.settle()
        };
        let mut kept = put(64);
        while kept.lost == 0 {
            kept = put(64);
            assert!(sent.get() < 100_000, "two megabytes are never full");
        }
        assert!(kept.failing && kept.findings > 500, "{kept:?}");
        let mut owed = incident("owed", TODAY);
        if let Row::Incident { view, .. } = &mut owed {
            *view = " ".repeat(1 << 20);
        }
        keeper.keep(owed);
        let full = keeper.settle();
        assert_eq!((full.lost, full.incidents, full.failing), (kept.lost, 0, true), "an incident is kept for later");
        // Another file had the room, and gives it back.
        remount(path, "size=16m", 0);
        let again = loop {
            let kept = put(64);
            if !kept.failing {
                break kept;
            }
            thread::sleep(Duration::from_millis(20));
        };
        assert_eq!(again.incidents, 1, "{again:?}");
        assert_eq!(again.findings + again.lost, sent.get(), "all are accounted for");
        drop(keeper);
        assert_eq!(ask::<String>(&file, "PRAGMA integrity_check"), "ok");
        assert_eq!(ask::<i64>(&file, "SELECT count(*) FROM finding") as u64, again.findings);
        assert_eq!(ask::<i64>(&file, "SELECT lost FROM run") as u64, again.lost, "and the file says so");
        let reader = Reader::open(&file).expect("it opens");
        let found = reader.incidents(&Which::default(), 9, |_| true).expect("it reads");
        assert_eq!(found.iter().map(|found| found.id.as_str()).collect::<Vec<_>>(), ["owed"]);
    });
}

/// Mounts it again in another way.
fn remount(folder: &Path, options: &str, flags: u64) {
    let [folder, options] = [folder.as_os_str().as_encoded_bytes(), options.as_bytes()];
    let (folder, options) = (CString::new(folder).expect("no zero"), CString::new(options).expect("no zero"));
    let (nothing, flags) = (ptr::null(), libc::MS_REMOUNT | flags);
    // SAFETY: strings that end with a zero, or none where none is read.
    let done = unsafe { libc::mount(nothing, folder.as_ptr(), nothing, flags, options.as_ptr().cast()) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

#[test]
fn a_disk_that_is_full_from_the_start_is_named() {
    on_small_disk(64 << 10, |path| {
        let _ = fs::write(path.join("large"), vec![0; 1 << 20]);
        let error =
            Writer::open(&path.join("s.db"), Origin::Live("test".into()), TODAY).expect_err("no room").to_string();
        assert!(error.contains("s.db cannot be written") && error.contains(": make room"), "{error}");
    });
}

#[test]
fn what_may_only_be_read_is_read_and_not_written() {
    on_small_disk(2 << 20, |path| {
        let file = path.join("s.db");
        let mut writer = Writer::open(&file, Origin::Live("test".into()), TODAY).expect("it opens");
        writer.write(&[incident("one", TODAY)], 0, TODAY, &mut Kept::default()).expect("it writes");
        writer.end(0, TODAY).expect("it ends");
        remount(path, "", libc::MS_RDONLY);
        let said = Writer::open(&file, Origin::Live("test".into()), TODAY).expect_err("not to be written").to_string();
        assert!(said.contains("s.db cannot be written (Read-only file system"), "{said}");
        let found = Reader::open(&file).expect("it opens").names(9).expect("it reads");
        assert_eq!(found, ["one"]);
    });
}
