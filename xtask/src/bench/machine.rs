//! What was measured on, as far as it matters to others: no names, no folders.

use std::fs;

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Serialize, Deserialize)]
pub(super) struct Machine {
    /// The processor's own name.
    processor: String,
    /// Processors that the kernel uses.
    processors: usize,
    /// The second and third level's cache, as the kernel tells.
    caches: String,
    /// Version numbers alone; what a distributor or a host appends is left out.
    kernel: String,
}

impl Machine {
    /// This one.
    pub(super) fn this() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.split_once(": ").map(|x| x.1));
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: field("model name").unwrap_or("unknown").to_owned(),
            processors: info.lines().filter(|line| line.starts_with("processor")).count(),
            caches: format!("{} and {}", cache(2), cache(3)),
            kernel: release.trim().split('-').next().unwrap_or_default().to_owned(),
        }
    }

    /// A sentence.
    pub(super) fn sentence(&self) -> String {
        let Self { processor, processors, caches, kernel } = self;
        format!("{processor}, {processors} virtual processors, caches of {caches}, Linux {kernel}")
    }
}

fn cache(level: usize) -> String {
    let path = format!("/sys/devices/system/cpu/cpu0/cache/index{level}/size");
    fs::read_to_string(path).map_or_else(|_| "unknown size".to_owned(), |size| size.trim().to_owned())
}
