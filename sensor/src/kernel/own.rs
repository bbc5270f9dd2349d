//! The kernel's own word on resets: attaches to the tracepoint that its TCP stack passes when it sends one, and reads what it says.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path};

use aya::{
    Ebpf,
    maps::{MapData, RingBuf},
    programs::TracePoint,
};
use sensor_common::own::OwnReset;
use zerocopy::FromBytes as _;

use super::{KernelError, program};

mod format;

use format::Format;

const PROGRAM: &str = "sensor_own_reset";
const MAP: &str = "OWN_RESETS";
/// Records that the ring has room for, of 112 bytes with its own header. Whoever finds so many may have missed some.
const ROOM: usize = 262_144 / 112;
/// Where tracefs is mounted, if it is.
const TRACEFS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A reset that a TCP stack of this machine sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Nanoseconds of the monotonic clock.
    pub time: u64,
    /// Both ends of the connection, in no order that could be relied on; of an end that the kernel does not say the port is 0.
    pub ends: [SocketAddr; 2],
    /// Why: see [`OwnResets::reasons`].
    pub reason: u32,
}

/// Resets of this machine's stacks, in all its namespaces.
pub struct OwnResets {
    ring: RingBuf<MapData>,
    format: Format,
}

impl OwnResets {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// Why that cannot be, in a few words: nothing else depends on it.
    pub(super) fn listen(ebpf: &mut Ebpf) -> Result<Self, String> {
        let format = format()?;
        let tracepoint: &mut TracePoint = program(ebpf, PROGRAM).map_err(why)?;
        tracepoint.load().map_err(KernelError::program).map_err(why)?;
        tracepoint.attach("tcp", "tcp_send_reset").map_err(KernelError::program).map_err(why)?;
        let map = ebpf.take_map(MAP).ok_or(KernelError::Missing(MAP)).map_err(why)?;
        let ring = RingBuf::try_from(map).map_err(KernelError::map).map_err(why)?;
        Ok(Self { ring, format })
    }

    /// The kernel's names of reasons.
    pub fn reasons(&self) -> &BTreeMap<u32, String> {
        &self.format.reasons
    }

    /// Takes out what is there. Whether that is all there was.
    pub fn take(&mut self, mut each: impl FnMut(Sent)) -> bool {
        let mut n = 0;
        while let Some(item) = self.ring.next() {
            n += 1;
            if let Some(sent) = OwnReset::read_from_bytes(&item).ok().and_then(|own| self.format.read(&own)) {
                each(sent);
            }
        }
        n < ROOM
    }
}

fn why(error: KernelError) -> String {
    error.to_string()
}

fn format() -> Result<Format, String> {
    let mounted = TRACEFS.iter().find(|folder| Path::new(folder).join("events").exists());
    let folder =
        mounted.ok_or("tracefs is not mounted, or not for this user: mount -t tracefs nodev /sys/kernel/tracing")?;
    let path = format!("{folder}/events/tcp/tcp_send_reset/format");
    let text = fs::read_to_string(&path).map_err(|cause| format!("{path}: {cause}"))?;
    Format::parse(&text).ok_or_else(|| "the kernel does not tell the reasons of resets before Linux 6.10".to_owned())
}
