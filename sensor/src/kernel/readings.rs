//! What can be read of a loaded program at any time, on any thread and without rights.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd},
    sync::Arc,
};

use aya::{
    Ebpf,
    maps::{Map, MapData, PerCpuArray},
    programs::{ProgramError, ProgramFd},
};
use sensor_common::{
    counters::{Cpu, Local},
    table::{Note, WAYS, Worth},
};

use zerocopy::FromBytes as _;

use super::{Bytes, KernelError, Table, total};
use crate::sweep::Slots as _;

/// Descriptors of a loaded program's parts.
pub struct Readings {
    cpus: PerCpuArray<MapData, Bytes<{ size_of::<Local>() }>>,
    table: Arc<Table>,
    programs: Vec<(String, u32, ProgramFd)>,
    maps: Vec<MapFacts>,
}

/// A map, which keeps its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapFacts {
    /// As the object names it.
    pub name: String,
    /// The kernel's number.
    pub id: u32,
    /// Memory in the kernel; none where it does not tell.
    pub bytes: Option<u64>,
}

/// A program, with its run-time statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramFacts {
    /// As the object names it.
    pub name: String,
    /// The kernel's number.
    pub id: u32,
    /// How often it ran and for how many nanoseconds; zero unless the kernel counts them (`kernel.bpf_stats_enabled`).
    pub runs: Option<(u64, u64)>,
}

/// Slots of the flow table that are taken, by what their flow is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupied {
    /// One side only, or no complete handshake.
    pub embryonic: u64,
    /// Both sides agree.
    pub established: u64,
    /// Closed, kept to judge what comes after.
    pub closed: u64,
}

impl Readings {
    pub(super) fn of(ebpf: &Ebpf, table: Arc<Table>) -> Result<Self, KernelError> {
        let cpus = ebpf.map("CPUS").and_then(data).ok_or(KernelError::Missing("CPUS"))?;
        let own = cpus.fd().as_fd().try_clone_to_owned().map_err(|_| KernelError::Files)?;
        let cpus = Map::PerCpuArray(MapData::from_fd(own).map_err(KernelError::map)?);
        let mut programs = Vec::new();
        for (name, program) in ebpf.programs() {
            let id = match program.info() {
                Ok(info) => info.id(),
                // What this kernel has no use for.
                Err(ProgramError::NotLoaded) => continue,
                Err(error) => return Err(KernelError::program(error)),
            };
            programs.push((name.to_owned(), id, super::own(program.fd())?));
        }
        programs.sort_unstable_by_key(|(_, id, _)| *id);
        let facts = |(name, map)| {
            let map: &MapData = data(map)?;
            let bytes = fact(map.fd().as_fd(), "memlock:");
            Some(MapFacts { name: String::from(name), id: map.info().ok()?.id(), bytes })
        };
        let mut maps: Vec<MapFacts> = ebpf.maps().filter_map(facts).collect();
        maps.sort_unstable_by_key(|map| map.id);
        Ok(Self { cpus: cpus.try_into().map_err(KernelError::map)?, table, programs, maps })
    }

    /// The counters of all CPUs together.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn counters(&self) -> Result<Cpu, KernelError> {
        total(&self.cpus)
    }

    /// The counters of each CPU, with the last segments that it saw of no flow.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn each_cpu(&self) -> Result<Vec<Cpu>, KernelError> {
        let all = self.cpus.get(&0, 0).map_err(KernelError::map)?;
        Ok(all.iter().filter_map(|bytes| Local::read_from_bytes(&bytes.0).ok()).map(|local| local.cpu).collect())
    }

    /// The maps.
    pub fn maps(&self) -> &[MapFacts] {
        &self.maps
    }

    /// The programs, as of now.
    pub fn programs(&self) -> Vec<ProgramFacts> {
        let facts = |(name, id, fd): &(String, u32, ProgramFd)| {
            let runs = fact(fd.as_fd(), "run_cnt:").zip(fact(fd.as_fd(), "run_time_ns:"));
            ProgramFacts { name: name.clone(), id: *id, runs }
        };
        self.programs.iter().map(facts).collect()
    }

    /// How many flows there is room for.
    pub fn capacity(&self) -> u64 {
        (self.table.buckets() * WAYS) as u64
    }

    /// Walks the table's buckets: 64 bytes for each eight flows.
    pub fn occupied(&self) -> Occupied {
        let mut all = Occupied::default();
        for bucket in (0..self.table.buckets()).map(|index| self.table.bucket(index)) {
            for (_, note) in bucket.tags.iter().zip(bucket.notes).filter(|(tag, _)| **tag != 0) {
                match Note(note).worth() {
                    Worth::Embryonic => all.embryonic += 1,
                    Worth::Silent | Worth::Established => all.established += 1,
                    Worth::Closed => all.closed += 1,
                }
            }
        }
        all
    }
}

/// The map itself, of the types that the object has.
fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data) | Map::PerCpuArray(data) | Map::ProgramArray(data) | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}

/// A number that the kernel tells of an open file, where this process may ask: not if it was started with file
/// capabilities.
fn fact(fd: BorrowedFd<'_>, name: &str) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
