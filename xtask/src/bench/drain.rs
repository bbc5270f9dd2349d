//! Somebody at the ring's other end, while a program is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};

use super::cpu;

/// How long events are left to gather: as the agent does.
const PAUSE: Duration = Duration::from_millis(2);

/// A thread that empties the ring until it is dropped.
pub(super) struct Drain {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    /// Starts it, on another CPU than `busy` if there is one.
    pub(super) fn start(mut ring: RingBuf<MapData>, cpus: &[usize], busy: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let other = cpus.iter().copied().find(|cpu| *cpu != busy);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            if let Some(cpu) = other {
                // It may also share our CPU: its time is not counted.
                let _ = cpu::pin(cpu);
            }
            while !stopped.load(Ordering::Relaxed) {
                while ring.next().is_some() {}
                std::thread::sleep(PAUSE);
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Nothing in it panics.
            let _ = thread.join();
        }
    }
}
