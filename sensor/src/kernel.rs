//! The kernel side of the agent: load the object, attach it, read what it has to say.

mod attach;
mod compat;
mod drain;
mod error;
mod ethtool;
mod ioctl;
mod link;
mod netdev;
mod netlink;
mod nic;
mod own;
mod pins;
mod privilege;
mod readings;
mod shared;
mod table;

use std::{
    borrow::{Borrow, Cow},
    sync::Arc,
};

use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    maps::{Array, MapData, PerCpuArray, ProgramArray, RingBuf},
    programs::{ProgramError, ProgramFd, SchedClassifier, Xdp},
};
use sensor_common::{
    config::{ClockSource, Config, HASH_KEYS},
    counters::{Cpu, Local},
    engine::Stage,
    table::WAYS,
};
use zerocopy::{FromBytes, IntoBytes};

pub use attach::{Attached, Egress, Ingress, Mode};
pub use drain::{Account, Drain, Drained};
pub use error::KernelError;
pub(crate) use ethtool::{VETH, driver, features};
pub use ioctl::strips_vlans;
pub use link::{Bell, Link, Links};
pub(crate) use netdev::program_name;
pub use netdev::{default_interface, interface_index};
pub(crate) use nic::{Filter, XDP_BASIC, XDP_SEVERAL_BUFFERS, filters, xdp_features};
pub use own::{OwnResets, Sent};
pub use pins::{
    Backlog, DEFAULT_PINS, Handover, Look, PinError, Pins, Records as RingRecords, Rounds, Standing, shown_link,
};
pub(crate) use privilege::{capabilities, missing, too_old};
pub use readings::{MapFacts, Occupied, ProgramFacts, Readings};
pub use table::{Running, Services, Table};

/// The production object, built by `cargo xtask build-ebpf`.
#[cfg(not(feature = "trace"))]
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../sensor-ebpf/object/sensor.bpf.o");

/// The same with a line through aya-log for each frame.
#[cfg(feature = "trace")]
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../sensor-ebpf/object/sensor-trace.bpf.o");

/// Names another object to load instead of the built-in one: for those who work on the kernel program.
const OBJECT_VARIABLE: &str = "SENSOR_BPF_OBJECT";

/// Flows that give way and are handed on for their records, a second on each CPU.
const RECORD_RATE: u32 = 2_000;

/// What the kernel program is told before it is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Room for this many flows; rounded up to a power of two.
    pub flows: u32,
    /// Bytes of the event ring; a power of two.
    pub ring_bytes: u32,
    /// Findings below warn a second, for each kind on each CPU; 0 is no limit.
    pub rate: u32,
    /// Findings of one connection before the back-off begins.
    pub per_connection: u32,
    /// Whether one interface sees both directions (mirror port).
    pub both_directions: bool,
    /// Take the clsact qdisc even where tcx is to be had.
    pub clsact: bool,
    /// Leave VLAN ids out of a flow's identity, because the NIC takes them out of incoming frames.
    pub ignore_vlans: bool,
    /// Hand on flows that give way before they are told of.
    pub records: bool,
    /// Ports whose peers are near; see [`Config::gtsm_ports`].
    pub gtsm_ports: [u16; 4],
    /// How near.
    pub gtsm_hops: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flows: crate::memory::MOST,
            ring_bytes: 4 << 20,
            rate: 200,
            per_connection: 8,
            both_directions: false,
            clsact: false,
            ignore_vlans: false,
            records: false,
            gtsm_ports: [0; 4],
            gtsm_hops: 1,
        }
    }
}

/// The loaded kernel program.
pub struct Kernel {
    ebpf: Ebpf,
    config: Config,
    clsact: bool,
    attached: Vec<attach::Links>,
    /// What the kernel lacks, told with each attachment.
    lacks: Vec<&'static str>,
    /// Where what is to outlive this lies.
    pins: Option<Pins>,
}

const XDP: &str = "sensor_xdp";
const TC_INGRESS: &str = "sensor_ingress";
const TC_EGRESS: &str = "sensor_egress";

impl Kernel {
    /// Loads for a live interface: secret hash keys, the kernel's own clocks, rate limits.
    pub fn load(options: &Options) -> Result<Self, KernelError> {
        Self::load_pinned(options, None)
    }

    /// The same, with maps and links that outlive the process: those that are there already are taken over, where they fit.
    pub fn load_pinned(options: &Options, pins: Option<Pins>) -> Result<Self, KernelError> {
        privilege::check()?;
        privilege::check_version()?;
        privilege::check_cpus()?;
        let mut config = Config::live(secret()?, bucket_mask(options.flows), options.ring_bytes);
        if options.records {
            config = config.with_records(options.ring_bytes, RECORD_RATE);
        }
        config.both_directions = options.both_directions as u8;
        config.vlan_in_key = !options.ignore_vlans as u8;
        config.gtsm_ports = options.gtsm_ports;
        config.gtsm_hops = options.gtsm_hops;
        config.rates = [options.rate, options.rate, 0, 0];
        config.flow_findings = options.per_connection;
        // Before the first program.
        privilege::raise_memlock();
        let clock = compat::clock_source()?;
        config.clock = clock as u8;
        let mut kernel = Self::load_object(config, options.ring_bytes, pins)?;
        if clock == ClockSource::Fine {
            kernel.lacks.push(compat::NO_COARSE_CLOCK);
        }
        Ok(Self { clsact: options.clsact, ..kernel })
    }

    /// Loads with a given configuration: for tests and benchmarks.
    pub fn load_with(config: Config, ring_bytes: u32) -> Result<Self, KernelError> {
        privilege::raise_memlock();
        Self::load_object(config, ring_bytes, None)
    }

    fn load_object(mut config: Config, ring_bytes: u32, mut pins: Option<Pins>) -> Result<Self, KernelError> {
        let object = object()?;
        if let Some(pins) = &mut pins {
            pins.prepare(&object, &mut config, ring_bytes)?;
        }
        let buckets = config.bucket_mask + 1;
        let object = compat::fitting(&object);
        let mut loader = EbpfLoader::new();
        if let Some(pins) = &pins {
            for name in pins::STATE {
                loader.map_pin_path(name, pins.path(name));
            }
        }
        let mut ebpf = loader
            .override_global("CONFIG", config.as_bytes(), true)
            .map_max_entries("BUCKETS", buckets)
            .map_max_entries("FLOWS", buckets * WAYS as u32)
            .map_max_entries("EXTRAS", buckets * WAYS as u32)
            .map_max_entries("SERVICES", config.service_mask + 1)
            .map_max_entries("EVENTS", ring_bytes)
            .verifier_log_level(VerifierLogLevel::STATS)
            .load(&object)
            .map_err(KernelError::load)?;
        let xdp: &mut Xdp = program(&mut ebpf, XDP)?;
        xdp.load().map_err(KernelError::program)?;
        for name in [TC_INGRESS, TC_EGRESS] {
            let tc: &mut SchedClassifier = program(&mut ebpf, name)?;
            tc.load().map_err(KernelError::program)?;
        }
        for (stage, xdp, tc) in Stage::ALL {
            let xdp: &mut Xdp = program(&mut ebpf, xdp)?;
            xdp.load().map_err(KernelError::program)?;
            let fd = own(xdp.fd())?;
            enter(&mut ebpf, "XDP_STAGES", stage, &fd)?;
            let tc: &mut SchedClassifier = program(&mut ebpf, tc)?;
            tc.load().map_err(KernelError::program)?;
            let fd = own(tc.fd())?;
            enter(&mut ebpf, "TC_STAGES", stage, &fd)?;
        }
        if let Some(pins) = &pins {
            pins.keep_stages(&ebpf)?;
        }
        let lacks = if matches!(object, Cow::Borrowed(_)) { Vec::new() } else { vec![compat::NO_FRAGS] };
        Ok(Self { ebpf, config, clsact: false, attached: Vec::new(), lacks, pins })
    }

    /// What the program was told.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Attaches both hooks to an interface, in the best way that it allows, and says which that was.
    pub fn attach(&mut self, interface: &str, mode: Mode) -> Result<Attached, KernelError> {
        let how = attach::How { mode, both_directions: self.config.both_directions != 0, clsact: self.clsact };
        let (links, mut attached) =
            attach::attach(&mut self.ebpf, self.pins.as_mut(), interface, how).map_err(attach::explained)?;
        attached.notes.extend(self.lacks.iter().map(|lack| lack.to_string()));
        self.attached.push(links);
        Ok(attached)
    }

    /// What is pinned, if anything is.
    pub fn pins(&self) -> Option<&Pins> {
        self.pins.as_ref()
    }

    /// Says that all which is to be watched for now is: with pins, what is left of others is let go of, and the rest is ready for
    /// whoever comes next. What an earlier sensor has left to this one; none without pins.
    pub fn settle(&mut self) -> Result<Option<Handover>, KernelError> {
        let Self { ebpf, config, pins, .. } = self;
        pins.as_mut().map(|pins| pins.settle(ebpf, config, &object()?)).transpose()
    }

    /// Detaches from an interface, also from one that is gone: what was attached to it is held until then.
    pub fn detach_from(&mut self, ifindex: u32) {
        if let Some(pins) = &mut self.pins {
            pins.forget(ifindex);
        }
        for links in self.attached.extract_if(.., |links| links.ifindex == ifindex) {
            attach::detach(&mut self.ebpf, links);
        }
    }

    /// Detaches from all interfaces, but for what is pinned. What is in the ring stays there.
    pub fn detach(&mut self) {
        let stays = self.pins.as_ref().is_some_and(Pins::is_there);
        for links in self.attached.drain(..) {
            if stays { attach::leave(&mut self.ebpf, links) } else { attach::detach(&mut self.ebpf, links) }
        }
    }

    /// A way to look into the ring; to be asked for before that is taken.
    pub fn backlog(&self) -> Result<Backlog, KernelError> {
        Pins::backlog(&self.ebpf)
    }

    /// Ring and counters at one moment, while nobody takes anything out.
    pub fn look(&self, backlog: &Backlog) -> Result<Look, KernelError> {
        backlog.look(|| self.counters())
    }

    /// The ring of events. To be taken once.
    pub fn events(&mut self) -> Result<RingBuf<MapData>, KernelError> {
        let map = self.ebpf.take_map("EVENTS").ok_or(KernelError::Missing("EVENTS"))?;
        RingBuf::try_from(map).map_err(KernelError::map)
    }

    /// The counters of all CPUs together.
    pub fn counters(&self) -> Result<Cpu, KernelError> {
        counters(&self.ebpf)
    }

    /// The flow table, to be read while the program writes it.
    pub fn table(&self) -> Result<Table, KernelError> {
        Table::new(self.array("BUCKETS")?, self.array("FLOWS")?, self.array("EXTRAS")?)
    }

    /// The services, likewise.
    pub fn services(&self) -> Result<Services, KernelError> {
        Services::new(self.array("SERVICES")?)
    }

    fn array(&self, name: &'static str) -> Result<&MapData, KernelError> {
        match self.ebpf.map(name) {
            Some(aya::maps::Map::Array(data)) => Ok(data),
            _ => Err(KernelError::Missing(name)),
        }
    }

    /// What can be read of it from elsewhere, its table with it. To be taken before the ring is, to know that one too.
    pub fn readings(&self, table: Arc<Table>) -> Result<Readings, KernelError> {
        Readings::of(&self.ebpf, table)
    }

    /// Listens to what the machine's TCP stacks say of the resets that they send. To be taken once, before rights are given up.
    ///
    /// # Errors
    ///
    /// Why it cannot, in a few words; all else works without.
    pub fn own_resets(&mut self) -> Result<OwnResets, String> {
        OwnResets::listen(&mut self.ebpf)
    }

    /// Sets the time that a program with [`ClockSource::Test`] goes by, in nanoseconds.
    pub fn set_test_time(&mut self, nanos: u64) -> Result<(), KernelError> {
        debug_assert_eq!(self.config.clock, ClockSource::Test as u8);
        let map = self.ebpf.map_mut("TEST_CLOCK").ok_or(KernelError::Missing("TEST_CLOCK"))?;
        let mut clock: Array<_, u64> = map.try_into().map_err(KernelError::map)?;
        clock.set(0, nanos, 0).map_err(KernelError::map)
    }

    /// The loaded object, for tests and benchmarks that run its programs directly.
    pub fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}

/// The object to load: the built-in one, unless the environment names another.
fn object() -> Result<Cow<'static, [u8]>, KernelError> {
    let other = privilege::environment(OBJECT_VARIABLE)
        .map(|path| std::fs::read(&path).map_err(|cause| KernelError::Object { path: path.into(), cause }))
        .transpose()?;
    Ok(other.map_or(Cow::Borrowed(OBJECT), Cow::Owned))
}

/// The counters of a loaded object.
fn counters(ebpf: &Ebpf) -> Result<Cpu, KernelError> {
    let map = ebpf.map("CPUS").ok_or(KernelError::Missing("CPUS"))?;
    total(&map.try_into().map_err(KernelError::map)?)
}

/// The counters of all CPUs together.
fn total(cpus: &PerCpuArray<impl Borrow<MapData>, Bytes<{ size_of::<Local>() }>>) -> Result<Cpu, KernelError> {
    let mut sum = Cpu::default();
    for bytes in cpus.get(&0, 0).map_err(KernelError::map)?.iter() {
        if let Ok(local) = Local::read_from_bytes(&bytes.0) {
            sum.add(&local.cpu);
        }
    }
    Ok(sum)
}

/// The program with this name and type.
fn program<'a, P>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut P, KernelError>
where
    &'a mut P: TryFrom<&'a mut aya::programs::Program>,
{
    ebpf.program_mut(name).and_then(|program| program.try_into().ok()).ok_or(KernelError::Missing(name))
}

/// A descriptor that outlives the borrow of its program.
fn own(fd: Result<&ProgramFd, ProgramError>) -> Result<ProgramFd, KernelError> {
    fd.and_then(|fd| fd.try_clone().map_err(ProgramError::IOError)).map_err(KernelError::program)
}

/// Enters a stage's program where the others find it.
fn enter(ebpf: &mut Ebpf, stages: &'static str, stage: Stage, program: &ProgramFd) -> Result<(), KernelError> {
    let map = ebpf.map_mut(stages).ok_or(KernelError::Missing(stages))?;
    let mut stages: ProgramArray<_> = map.try_into().map_err(KernelError::map)?;
    stages.set(stage as u32, program, 0).map_err(KernelError::map)
}

/// A map value as plain bytes.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Bytes<const N: usize>([u8; N]);

// SAFETY: an array of bytes without padding, for which any value is valid.
unsafe impl<const N: usize> aya::Pod for Bytes<N> {}

/// Buckets for this many flows, as a mask.
pub fn bucket_mask(flows: u32) -> u32 {
    flows.div_ceil(WAYS as u32).max(1).next_power_of_two() - 1
}

/// Hash keys that nobody can guess.
fn secret() -> Result<[u64; HASH_KEYS], KernelError> {
    use std::io::Read as _;
    let mut keys = [0u64; HASH_KEYS];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(keys.as_mut_bytes()))
        .map_err(KernelError::Random)?;
    Ok(keys)
}
