//! The engine twice: in the kernel, by program test-run, and on the host; both must say the same, byte for byte.

use aya::{
    maps::{MapData, RingBuf},
    programs::{SchedClassifier, TestRun, TestRunOptions, Xdp},
};
use sensor::{
    host::Host,
    kernel::{Kernel, KernelError},
};
use sensor_common::{
    config::{ClockSource, Config},
    counters::{Counter, Cpu},
    engine::Seen,
    event::Hook,
    wire::Slice,
};
use zerocopy::IntoBytes as _;

/// What a test-run takes at most: more than any headers, less than a page.
const MOST: usize = 1024;
/// What a test-run takes at least: an Ethernet header, and behind the stack an IP header too.
const LEAST: [usize; 2] = [14, 14 + 40];
/// Bytes of the ring.
const RING: u32 = 1 << 20;
/// Interface index in a test-run: the loopback's.
const IFINDEX: u32 = 1;

/// The two engines with the same configuration and empty tables.
pub struct Pair {
    kernel: Kernel,
    ring: RingBuf<MapData>,
    host: Host,
    output: Vec<u8>,
}

/// Bytes of one event, or of a flow that gave way: those come first.
pub type Record = Vec<u8>;

impl Pair {
    /// Loads both; `None`, and a loud word, without the privilege to load programs.
    pub fn load(config: Config) -> Option<Self> {
        let config = Config { clock: ClockSource::Test as u8, ..config }.with_records(RING, 0);
        pin();
        let mut kernel = match Kernel::load_with(config, RING) {
            Ok(kernel) => kernel,
            Err(error @ (KernelError::Privilege { .. } | KernelError::Map(_))) => {
                // SAFETY: a plain system call.
                assert_ne!(unsafe { libc::geteuid() }, 0, "{error}");
                eprintln!("SKIPPED: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let ring = kernel.events().expect("the ring");
        Some(Self { kernel, ring, host: Host::new(config), output: vec![0; 2 * MOST] })
    }

    /// Shows one frame to both. Returns what each has to say, and checks that the kernel program left the frame alone.
    pub fn observe(&mut self, time: u64, hook: Hook, frame: &[u8]) -> (Vec<Record>, Vec<Record>) {
        let frame = &frame[..frame.len().min(MOST)];
        if frame.len() < LEAST[usize::from(hook == Hook::Egress)] {
            return Default::default();
        }
        self.kernel.set_test_time(time).expect("the test clock");
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut self.output);
        let ebpf = self.kernel.ebpf();
        let (result, pass) = match hook {
            Hook::Egress => {
                let program = ebpf.program_mut("sensor_egress").expect("the program");
                let program: &mut SchedClassifier = program.try_into().expect("a classifier");
                (program.test_run(options), u32::MAX)
            }
            Hook::Ingress | Hook::Observer => {
                let program = ebpf.program_mut("sensor_xdp").expect("the program");
                let program: &mut Xdp = program.try_into().expect("an XDP program");
                (program.test_run(options), 2)
            }
        };
        let result = result.expect("a test-run");
        assert_eq!(result.return_value, pass, "the verdict is always pass");
        assert_eq!(&self.output[..result.data_size_out as usize], frame, "data out equals data in");
        let mut kernel = Vec::new();
        while let Some(record) = self.ring.next() {
            kernel.push(record.to_vec());
        }
        self.host.observe(time, &Slice::new(frame, frame.len()), Seen { ifindex: IFINDEX, tag: 0, hook });
        let mut host: Vec<Record> = self.host.drain_parted().map(|event| event.as_bytes().to_vec()).collect();
        host.extend(self.host.drain().map(|event| event.as_bytes().to_vec()));
        (kernel, host)
    }

    /// Shows one frame to both, which must agree. Returns how many findings there were.
    pub fn agree(&mut self, time: u64, hook: Hook, frame: &[u8], what: impl std::fmt::Display) -> usize {
        let (kernel, host) = self.observe(time, hook, frame);
        assert_eq!(kernel.len(), host.len(), "{what}: as many findings");
        for (kernel, host) in kernel.iter().zip(&host) {
            let differs: Vec<_> = (0..kernel.len()).filter(|&i| kernel[i] != host[i]).collect();
            assert!(differs.is_empty(), "{what}: events differ at bytes {differs:?}");
        }
        host.len()
    }

    /// The engine on the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Both sides' counters, which must agree too. Returns them.
    pub fn counters_agree(&self, what: impl std::fmt::Display) -> Cpu {
        let kernel = self.kernel.counters().expect("counters");
        let host = *self.host.cpu();
        for &counter in Counter::ALL {
            assert_eq!(kernel.get(counter), host.get(counter), "{what}: counter {}", counter.id());
        }
        assert_eq!(kernel.matched, host.matched, "{what}: findings by kind");
        assert_eq!(kernel.analysis, host.analysis, "{what}: segments by row");
        assert_eq!(host.matched_total(), host.accounted_total(), "{what}: the loss identity");
        host
    }
}

/// Keeps the thread on one CPU: per-CPU token buckets are part of what must agree.
pub fn pin() {
    // SAFETY: a CPU set on the stack, and plain system calls on it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let cpu = libc::sched_getcpu().max(0) as usize;
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}
