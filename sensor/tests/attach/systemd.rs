//! What it tells a service manager, and when.

use std::{os::unix::net::UnixDatagram, time::Duration};

use super::{
    WAN,
    child::{Running, SOON, sensor},
    lab,
};

/// The next word that is no sign of life.
fn next(manager: &UnixDatagram) -> String {
    loop {
        let word = hear(manager);
        if word != "WATCHDOG=1" {
            return word;
        }
    }
}

fn hear(manager: &UnixDatagram) -> String {
    let mut word = [0; 4096];
    let length = manager.recv(&mut word).expect("a word in time");
    String::from_utf8(word[..length].to_vec()).unwrap().trim_end().to_owned()
}

#[test]
fn it_is_ready_when_it_watches_and_gives_signs_of_life_while_it_drains() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(SOON)).unwrap();

    let mut command = sensor(&["attach", "-i", WAN]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000").env_remove("WATCHDOG_PID");
    let mut running = Running::start(lab.server().netns(), command);
    let ready = next(&manager);
    assert!(ready.starts_with("READY=1\n"), "{ready}");
    assert!(ready.contains(&format!("STATUS=watching {WAN}: ingress by native XDP")), "{ready}");
    for _ in 0..3 {
        assert_eq!(hear(&manager), "WATCHDOG=1");
    }
    // A process that stands still gives none.
    running.signal(libc::SIGSTOP);
    manager.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut late = 0;
    while manager.recv(&mut [0; 64]).is_ok() {
        late += 1;
        assert!(late < 10, "signs of life of a process that stands still");
    }
    running.signal(libc::SIGCONT);
    manager.set_read_timeout(Some(SOON)).unwrap();
    assert_eq!(hear(&manager), "WATCHDOG=1");
    running.signal(libc::SIGTERM);
    assert_eq!(next(&manager), "STOPPING=1");
    assert_eq!(running.end(SOON).code(), Some(0));
}

#[test]
fn an_attachment_that_fails_is_never_ready() {
    let Some(lab) = lab() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let mut command = sensor(&["attach", "-i", "nosuch0"]);
    command.env("NOTIFY_SOCKET", &path);
    Running::start(lab.server().netns(), command).ended(2, &["no interface"]);
    assert!(manager.recv(&mut [0; 64]).is_err(), "not a word");
}
