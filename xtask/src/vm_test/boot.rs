//! A kernel and its first process in qemu, by software emulation: slower than the machine's own virtualisation, and everywhere the
//! same.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::debian::Kernel;

/// The emulator.
pub(super) const QEMU: &str = "qemu-system-x86_64";

/// Ten times what a kernel takes on an idle machine of two cores.
const LIMIT: Duration = Duration::from_secs(1200);

/// Boots, shows what the machine says, and checks its verdict, and that it said each of `words`.
pub(super) fn boot(kernel: &Kernel, image: &Path, words: &[&str]) -> Result<()> {
    let mut qemu = Command::new(QEMU);
    qemu.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-m", "1024", "-smp", "1"]);
    qemu.args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"]);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1 net.ifnames=0"]);
    qemu.arg("-kernel").arg(&kernel.image).arg("-initrd").arg(image);
    qemu.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut machine = Machine(qemu.spawn().with_context(|| format!("`{QEMU}` cannot be started: install it"))?);
    let console = BufReader::new(machine.0.stdout.take().context("no console")?);
    let (line, lines) = mpsc::channel();
    // Ends with the machine, which closes its console.
    let listener = std::thread::spawn(move || {
        for part in console.split(b'\n').map_while(Result::ok) {
            if line.send(String::from_utf8_lossy(&part).trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    let end = Instant::now() + LIMIT;
    let (mut verdict, mut unsaid) = (None, words.to_vec());
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                eprintln!("{} | {line}", kernel.version);
                unsaid.retain(|word| !line.contains(word));
                if let Some((_, word)) = line.split_once("vm-init: verdict ") {
                    verdict = Some(word.to_owned());
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => bail!("no end after {} s", LIMIT.as_secs()),
        }
    }
    let _ = listener.join();
    let verdict = verdict.context("the machine ended without a verdict")?;
    ensure!(verdict == "passed", "{verdict}");
    ensure!(unsaid.is_empty(), "it did not say: {}", unsaid.join("; "));
    Ok(())
}

/// A machine that is switched off whatever happens.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
