//! What the detectors of aggregates go by, read once a second: the kernel program's counters, and those of the host's own TCP.

use std::{fs::File, io, os::unix::fs::FileExt};

use sensor_common::counters::Cpu;

use super::monotonic;
use crate::{
    correlate::aggregate::{HostReading, Limits, Lookout, Reading, TcpExt},
    kernel::{Readings, Services, Table},
};

/// As much as /proc tells of TCP: some 4 KiB by now.
const ROOM: usize = 1 << 16;

/// Reads; what it needs is open.
pub(super) struct Aggregates {
    readings: Readings,
    services: Services,
    lookout: Lookout,
    host: Option<Host>,
}

impl Aggregates {
    /// Opens what has to be opened; `host` says whether the host's own TCP is what is watched.
    pub(super) fn open(readings: Readings, services: Services, host: bool) -> Self {
        Self { readings, services, lookout: Lookout::default(), host: if host { Host::open().ok() } else { None } }
    }

    /// Reads, at the engine's time; none if the kernel does not tell.
    pub(super) fn read(&mut self, table: &Table) -> Option<Reading> {
        let cpus: Vec<Cpu> = self.readings.each_cpu().ok()?;
        let mut reading = self.lookout.look(monotonic(), &cpus, self.services.iter(), table);
        reading.host = self.host.as_ref().and_then(Host::read);
        Some(reading)
    }
}

/// Files that are read again and again, so that a sealed agent need not open them. Each shows the network namespace that it was
/// opened in.
struct Host {
    netstat: File,
    /// In the order of [`Limits::parse`].
    limits: [File; 4],
}

impl Host {
    fn open() -> io::Result<Self> {
        Ok(Self {
            netstat: File::open("/proc/thread-self/net/netstat")?,
            limits: [
                File::open("/proc/sys/net/core/somaxconn")?,
                File::open("/proc/sys/net/ipv4/tcp_max_syn_backlog")?,
                File::open("/proc/sys/net/ipv4/ip_local_port_range")?,
                File::open("/proc/sys/net/ipv4/tcp_tw_reuse")?,
            ],
        })
    }

    fn read(&self) -> Option<HostReading> {
        let ext = TcpExt::parse(&text(&self.netstat)?)?;
        let limits = self.limits.each_ref().map(|file| text(file).unwrap_or_default());
        Some(HostReading { ext, limits: Limits::parse(limits.each_ref().map(String::as_str)) })
    }
}

/// A file of /proc from its beginning.
fn text(file: &File) -> Option<String> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while bytes.len() < ROOM {
        match file.read_at(&mut part, bytes.len() as u64).ok()? {
            0 => break,
            n => bytes.extend_from_slice(&part[..n]),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_tells_and_goes_on_telling() {
        let host = Host::open().unwrap();
        let (first, second) = (host.read().unwrap(), host.read().unwrap());
        assert!(second.ext.listen_drops >= first.ext.listen_drops);
        assert!(first.limits.somaxconn > 0 && first.limits.ports[0] < first.limits.ports[1]);
    }
}
