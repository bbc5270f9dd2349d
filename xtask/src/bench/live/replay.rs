//! `sensor replay` of captures of several sizes: packets a second and the most memory, of the binary as it is installed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use sensor::capture::write::PcapWriter;
use serde::{Deserialize, Serialize};

use crate::bench::mix;
use crate::bench::traffic::{FRAME, Layout, Traffic};
use crate::process;

/// Connections, and frames in the file.
const FILES: [(usize, usize); 3] = [(1_000, 400_000), (1_000, 4_000_000), (100_000, 4_000_000)];

/// Bytes kept of a frame: all headers.
const SNAP: usize = 74;

/// Between two looks at its memory.
const LOOK: Duration = Duration::from_millis(5);

/// Of so many turns the best counts.
const TURNS: usize = 3;

/// One file, read in one way.
#[derive(Serialize, Deserialize)]
pub(in crate::bench) struct Replay {
    /// Connections in it.
    pub(in crate::bench) flows: String,
    /// Its size in MB.
    pub(in crate::bench) size: f64,
    /// With which arguments.
    pub(in crate::bench) arguments: String,
    /// Million packets a second, by the clock and of CPU time.
    pub(in crate::bench) by_the_clock: f64,
    pub(in crate::bench) of_cpu_time: f64,
    /// MB resident at the most.
    pub(in crate::bench) memory: f64,
}

/// Writes the files into `folder`, replays and removes them.
pub(super) fn measure(folder: &Path, binary: &Path) -> Result<Vec<Replay>> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // An older binary has no workers to choose.
    let help = process::read(Command::new(binary).args(["replay", "--help"]))?;
    let ways: &[&[&str]] = if help.contains("--workers") { &[&["--workers", "1"], &[]] } else { &[&[]] };
    let mut told = Vec::new();
    for (flows, frames) in FILES {
        let path = folder.join("replay.pcap");
        let frames = write(&path, flows, frames)?;
        for arguments in ways {
            let result = best(binary, &path, arguments, frames);
            if result.is_err() {
                let _ = fs::remove_file(&path);
            }
            let [by_the_clock, of_cpu_time, memory] = result?;
            let size = fs::metadata(&path)?.len() as f64 / 1e6;
            let arguments = arguments.join(" ");
            told.push(Replay { flows: mix::flows(flows), size, arguments, by_the_clock, of_cpu_time, memory });
        }
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(told)
}

/// A capture of conversations, a microsecond between two frames. Returns the number of frames.
fn write(path: &Path, flows: usize, frames: usize) -> Result<usize> {
    let traffic = Traffic::established(flows, Layout::PLAIN, &mix::config(flows, false))?;
    let laps = (frames / traffic.lap.len()).max(1);
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut writer = PcapWriter::new(BufWriter::new(file))?;
    let (mut frame, mut time, mut written) = (traffic.layout.template(), 1_700_000_000_000_000_000, 0);
    let handshakes = traffic.handshakes.iter().map(|recipe| (recipe, 0));
    let talk = (0..laps).flat_map(|lap| traffic.lap.iter().map(move |recipe| (recipe, lap as u32)));
    for (recipe, lap) in handshakes.chain(talk) {
        traffic.layout.fill(&mut frame, recipe, lap);
        writer.frame(time, &frame[..SNAP], FRAME as u32)?;
        time += 1_000;
        written += 1;
    }
    writer.into_inner().flush()?;
    Ok(written)
}

/// Million packets a second by the clock and of CPU time, and MB: each the best of all turns.
fn best(binary: &Path, path: &Path, arguments: &[&str], frames: usize) -> Result<[f64; 3]> {
    let mut best = [0.0, 0.0, f64::INFINITY];
    for _ in 0..TURNS {
        let mut command = Command::new(binary);
        command.arg("replay").arg(path).args(arguments);
        let begun = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let (usage, peak) = watch(child.id())?;
        let millions = frames as f64 / 1e6;
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        let cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
        let now = [millions / begun.elapsed().as_secs_f64(), millions / cpu, peak];
        best = [best[0].max(now[0]), best[1].max(now[1]), best[2].min(now[2])];
    }
    Ok(best)
}

/// Waits for our child, and tells what it used, and MB resident at the most, looked up while it ran: the kernel's own figure for a
/// process that has ended (`ru_maxrss`) begins with what its parent had.
fn watch(child: u32) -> Result<(libc::rusage, f64)> {
    let (ended, wait_for_it) = channel::<()>();
    thread::scope(|scope| {
        let peak = scope.spawn(move || {
            let mut peak = f64::INFINITY;
            while matches!(wait_for_it.recv_timeout(LOOK), Err(RecvTimeoutError::Timeout)) {
                let status = fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
                let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
                peak = most.and_then(|kib| kib.parse::<f64>().ok()).map_or(peak, |kib| kib * 1024.0 / 1e6);
            }
            peak
        });
        let usage = wait(child);
        drop(ended);
        let peak = peak.join().map_err(|_| anyhow!("nobody saw how much memory sensor replay took"))?;
        Ok((usage?, peak))
    })
}

/// Waits for our child, and tells what it used.
fn wait(child: u32) -> Result<libc::rusage> {
    let mut status = 0;
    // SAFETY: zeroes are a valid value, and all pointers are to our own variables.
    let (result, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(child as i32, &raw mut status, 0, &raw mut usage), usage)
    };
    ensure!(result == child as i32, "sensor replay was lost: {}", std::io::Error::last_os_error());
    ensure!(status == 0, "sensor replay failed: its own message says why, if it is run by hand");
    Ok(usage)
}
