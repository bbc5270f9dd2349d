//! Both ends of a live run: frames leave through the kernel's live test-run, and come in through native XDP.

use anyhow::{Context, Result, bail};
use aya::maps::ProgramArray;
use aya::programs::TestRunAttrs;
use aya::programs::{Program, TestRun, TestRunOptions, Xdp, XdpMode};

use crate::bench::kernel::{Rig, Target};

/// Frames that the kernel sends at a time: what a driver gets in one poll.
const AT_A_TIME: u32 = 64;

/// Where the receiving end counts.
const RECEIVED: usize = 2;

impl Rig {
    /// What frames are shown to at the receiving end.
    pub(super) fn aim(&mut self, target: &Target) -> Result<()> {
        let map = self.ebpf.map_mut("LIVE_TARGET").context("no map LIVE_TARGET")?;
        Ok(ProgramArray::try_from(map)?.set(0, &target.fd, 0)?)
    }

    /// Attaches the receiving end, in the driver, to an interface of this thread's namespace.
    pub(super) fn receive_at(&mut self, interface: &str) -> Result<()> {
        self.live("live_receive")?.attach(interface, XdpMode::Driver).context("native XDP on a veth")?;
        Ok(())
    }

    /// Sends frames from this thread's namespace; of so many turns, those are left out in which the receiver was behind.
    pub(super) fn send_live(&mut self, turns: u32) -> Result<()> {
        let data = self.layout.template();
        let options = TestRunOptions {
            data_in: Some(&data),
            repeat: turns,
            attrs: TestRunAttrs::new().xdp_live_frames(AT_A_TIME),
            ..TestRunOptions::new()
        };
        self.live("live_send")?.test_run(options).context("the kernel sends no live frames (Linux 5.18)")?;
        Ok(())
    }

    /// Frames that came in since the rig was loaded.
    pub(super) fn live_received(&self) -> u64 {
        self.progress.read(RECEIVED).count
    }

    fn live(&mut self, name: &str) -> Result<&mut Xdp> {
        match self.ebpf.program_mut(name) {
            Some(Program::Xdp(program)) => Ok(program),
            _ => bail!("no XDP program {name}"),
        }
    }
}
