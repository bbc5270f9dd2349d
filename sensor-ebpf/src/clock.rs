//! The kernel's clocks.

use aya_ebpf::helpers::generated::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use sensor_common::{config::ClockSource, time::Clock};

use crate::maps;

/// Reads the clock that the configuration names. The configuration is constant once loaded, so the verifier drops the others.
pub(crate) struct KernelClock {
    /// [`ClockSource`] as a number.
    pub(crate) source: u8,
}

impl Clock for KernelClock {
    #[inline(always)]
    fn coarse(&self) -> u64 {
        if self.source == ClockSource::CoarseAndFine as u8 {
            // SAFETY: the helper takes nothing and cannot fail.
            return unsafe { bpf_ktime_get_coarse_ns() };
        }
        self.fine()
    }

    #[inline(always)]
    fn fine(&self) -> u64 {
        if self.source == ClockSource::Test as u8 {
            return maps::test_time();
        }
        // SAFETY: the helper takes nothing and cannot fail.
        unsafe { bpf_ktime_get_ns() }
    }
}
