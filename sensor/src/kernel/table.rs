//! The flow table in the kernel's maps, read where it lies: mapped read-only, no system call for each flow.

use std::{fs, marker::PhantomData, mem::offset_of};

use aya::{
    maps::{Map, MapData, MapInfo, PerCpuArray},
    programs::loaded_programs,
};
use sensor_common::{
    counters::{Cpu, Local},
    flow::{Extra, Flow, Head},
    service::Service,
    table::{Bucket, WAYS},
};

use zerocopy::FromBytes;

use super::{Bytes, KernelError, TC_INGRESS, privilege, shared::Shared, total};
use crate::sweep::Slots;

/// An array map's elements in our own memory.
struct Mapped<T> {
    memory: Shared,
    len: usize,
    of: PhantomData<fn() -> T>,
}

impl<T: FromBytes + Copy> Mapped<T> {
    fn new(map: &MapData, name: &'static str) -> Result<Self, KernelError> {
        let info = map.info().map_err(KernelError::map)?;
        let len = info.max_entries() as usize;
        if info.value_size() as usize != size_of::<T>() {
            return Err(KernelError::Foreign(name));
        }
        let memory = Shared::new(map, 0, len * size_of::<T>(), false).map_err(|cause| match cause.raw_os_error() {
            Some(libc::ENOMEM) => KernelError::Memory,
            _ => KernelError::Map(format!("{name} cannot be mapped: {cause}")),
        })?;
        Ok(Self { memory, len, of: PhantomData })
    }

    /// A copy of an element, as it is at the moment or torn between two.
    fn get(&self, index: usize) -> Option<T> {
        self.memory.read(index * size_of::<T>())
    }

    /// Has an element fetched.
    fn fetch(&self, index: usize) {
        self.memory.fetch::<T>(index * size_of::<T>());
    }
}

impl Mapped<Flow> {
    /// A copy of a flow's first line: the others are not fetched.
    fn head(&self, index: usize) -> Option<Head> {
        self.memory.read(index * size_of::<Flow>() + offset_of!(Flow, head))
    }
}

/// Buckets, flows and their cold state, mapped read-only.
pub struct Table {
    buckets: Mapped<Bucket>,
    flows: Mapped<Flow>,
    extras: Mapped<Extra>,
}

impl Table {
    pub(super) fn new(buckets: &MapData, flows: &MapData, extras: &MapData) -> Result<Self, KernelError> {
        Ok(Self {
            buckets: Mapped::new(buckets, "BUCKETS")?,
            flows: Mapped::new(flows, "FLOWS")?,
            extras: Mapped::new(extras, "EXTRAS")?,
        })
    }
}

/// The services, mapped read-only.
pub struct Services(Mapped<Service>);

impl Services {
    pub(super) fn new(services: &MapData) -> Result<Self, KernelError> {
        Ok(Self(Mapped::new(services, "SERVICES")?))
    }

    /// All slots, used or not.
    pub fn iter(&self) -> impl Iterator<Item = Service> {
        (0..self.0.len).filter_map(|index| self.0.get(index))
    }
}

impl Slots for Table {
    fn buckets(&self) -> usize {
        self.buckets.len.min(self.flows.len / WAYS)
    }

    fn bucket(&self, index: usize) -> Bucket {
        self.buckets.get(index).unwrap_or_default()
    }

    fn flow(&self, index: usize) -> (Flow, Extra) {
        (self.flows.get(index).unwrap_or_default(), self.extras.get(index).unwrap_or_default())
    }

    fn head(&self, index: usize) -> Head {
        self.flows.head(index).unwrap_or_default()
    }

    fn fetch(&self, index: usize) {
        self.flows.fetch(index);
        self.extras.fetch(index);
    }
}

/// What a sensor that runs on this machine knows.
pub struct Running {
    table: Table,
    cpus: PerCpuArray<MapData, Bytes<{ size_of::<Local>() }>>,
    program: u32,
    /// How many sensors run.
    pub sensors: usize,
}

impl Running {
    /// Finds the sensor that runs as process `pid`, else the one that was started last.
    ///
    /// # Errors
    ///
    /// If there is none, or it may not be looked at, or it is of another version.
    pub fn find(pid: Option<u32>) -> Result<Self, KernelError> {
        privilege::check_inspect()?;
        let held = pid.map(programs);
        let mut sensors: Vec<(u32, Vec<u32>)> = loaded_programs()
            .filter_map(Result::ok)
            .filter(|program| program.name_as_str() == Some(TC_INGRESS))
            .filter(|program| held.as_ref().is_none_or(|held| held.contains(&program.id())))
            .filter_map(|program| Some((program.id(), program.map_ids().ok()??)))
            .collect();
        sensors.sort_unstable();
        let (program, maps) = sensors.last().ok_or(KernelError::NoSensor)?;
        let find = |name: &'static str| {
            let wanted = |id: &u32| MapInfo::from_id(*id).is_ok_and(|info| info.name_as_str() == Some(name));
            let id = maps.iter().copied().find(wanted).ok_or(KernelError::Foreign(name))?;
            MapData::from_id(id).map_err(KernelError::map)
        };
        let table = Table::new(&find("BUCKETS")?, &find("FLOWS")?, &find("EXTRAS")?)?;
        let cpus = Map::PerCpuArray(find("CPUS")?).try_into().map_err(KernelError::map)?;
        Ok(Self { table, cpus, program: *program, sensors: sensors.len() })
    }

    /// Whether it still runs.
    pub fn is_alive(&self) -> bool {
        loaded_programs().any(|program| program.is_ok_and(|program| program.id() == self.program))
    }

    /// Its flow table.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// How many flows it has room for.
    pub fn room(&self) -> u64 {
        self.table.flows.len as u64
    }

    /// Its counters, of all CPUs together.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn counters(&self) -> Result<Cpu, KernelError> {
        total(&self.cpus)
    }
}

/// The ids of the programs that a process has open.
fn programs(pid: u32) -> Vec<u32> {
    let files = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten();
    files
        .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
        .filter_map(|info| info.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok()))
        .collect()
}
