//! What a flow table takes, and whether the machine has it: said before it is taken.

use std::{fmt, fs, io};

use sensor_common::{
    config::Config,
    counters::Local,
    flow::{Extra, Flow},
    service::Service,
    table::{Bucket, WAYS},
};

use crate::{kernel::bucket_mask, sweep::Sweeper};

/// Bytes of a flow, its cold state and its share of a bucket.
pub const FLOW: u64 = (size_of::<Flow>() + size_of::<Extra>() + size_of::<Bucket>() / WAYS) as u64;

/// Connections that are followed by default, where memory allows it.
pub const MOST: u32 = 131_072;
/// The same where memory is short.
const LEAST: u32 = 8192;

/// What the agent takes besides, at rest.
pub const AGENT: u64 = 16 << 20;

const PAGE: u64 = 4096;

/// Slots of the service table.
const SERVICES: u64 = Config::replay(0).service_mask as u64 + 1;

/// The slots of a table for so many connections: a power of two, and whole buckets.
pub fn slots(flows: u32) -> u64 {
    (u64::from(bucket_mask(flows)) + 1) * WAYS as u64
}

/// What a sensor takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Connections that were asked for, and that there is room for.
    pub asked: u32,
    /// Rounded up.
    pub slots: u64,
    /// Bytes of the table.
    pub table: u64,
    /// Bytes of the ring; none where the engine runs in this process.
    pub ring: u64,
    /// Counters, working memory and services.
    pub rest: u64,
    /// What this process keeps for each slot.
    pub marks: u64,
}

impl Footprint {
    /// Of `sensor attach`: the kernel's maps, and what goes by them here.
    pub fn attach(flows: u32, ring: u32, cpus: u64) -> Self {
        let array = |elements: u64, size: usize| (elements * size as u64).next_multiple_of(PAGE);
        let slots = slots(flows);
        let table = array(slots, size_of::<Flow>())
            + array(slots, size_of::<Extra>())
            + array(slots / WAYS as u64, size_of::<Bucket>());
        let counters = cpus * size_of::<Local>().next_multiple_of(8) as u64;
        Self {
            asked: flows,
            slots,
            table,
            // Positions of reader and writer have a page each, and the kernel one more.
            ring: u64::from(ring) + 3 * PAGE,
            rest: array(SERVICES, size_of::<Service>()) + counters,
            marks: slots * Sweeper::SLOT as u64,
        }
    }

    /// Of `sensor replay`: all of it in this process.
    pub fn replay(flows: u32, workers: u64) -> Self {
        Self { ring: 0, ..Self::attach(flows, 0, workers) }
    }

    /// Bytes of the kernel's maps.
    pub fn maps(&self) -> u64 {
        self.table + self.ring + self.rest
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.maps() + self.marks
    }

    /// Whether there is room for it, with so much to spare as an agent needs at rest.
    ///
    /// # Errors
    ///
    /// The figure, what there is, and how many connections would fit.
    pub fn fit(&self, room: &Room) -> Result<(), NoRoom> {
        match &room.free {
            Some((free, of)) if self.total() + AGENT > *free => {
                let each = (self.total() - self.ring - self.rest) / self.slots.max(1);
                let left = free.saturating_sub(AGENT + self.ring + self.rest) / each.max(1);
                let fits = 1 << left.max(1).ilog2();
                let fits = (fits >= 64 && fits < self.slots).then_some(fits);
                let remedy = fits.map_or_else(
                    || "make room, or raise the limit".to_owned(),
                    |fits| format!("--flows {fits} would fit, or make room"),
                );
                Err(NoRoom { footprint: *self, free: *free, of: of.clone(), remedy, fits })
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, slots, table, ring, rest, marks } = *self;
        write!(f, "{} for {} connections", Size(self.total()), Count(slots))?;
        if u64::from(asked) != slots {
            write!(f, " ({} rounded up)", Count(asked.into()))?;
        }
        write!(f, ": table {}, ", Size(table))?;
        if ring > 0 {
            write!(f, "ring {}, ", Size(ring))?;
        }
        write!(f, "counters and services {}, records {}", Size(rest), Size(marks))
    }
}

/// There is too little memory.
#[derive(Debug, thiserror::Error)]
#[error("not enough memory: {footprint}; {} is left ({of}): {remedy}", Size(*.free))]
pub struct NoRoom {
    footprint: Footprint,
    free: u64,
    of: String,
    remedy: String,
    /// Connections that would fit, if any would.
    pub fits: Option<u64>,
}

/// What memory there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Of the machine.
    pub total: Option<u64>,
    /// The limit of the control group, and the file that says so.
    pub limit: Option<(u64, String)>,
    /// What is left, and of what: the lesser of machine and control group.
    pub free: Option<(u64, String)>,
}

impl Room {
    /// As it is now. What cannot be read is taken for enough.
    pub fn read() -> Self {
        let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let field = |name: &str| {
            let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
        };
        let groups = groups();
        let of_machine = field("MemAvailable").map(|free| (free, "MemAvailable of /proc/meminfo".to_owned()));
        let of_groups = groups.iter().map(|(limit, file)| (limit.saturating_sub(used(file)), file.clone()));
        Self { total: field("MemTotal"), free: of_groups.chain(of_machine).min(), limit: groups.into_iter().min() }
    }

    /// What is left, in words, if that is known.
    pub fn left(&self) -> Option<String> {
        self.free.as_ref().map(|(free, of)| format!("; {} is left ({of})", Size(*free)))
    }

    /// Connections that are followed where nobody has said how many: a sixty-fourth of the machine's memory, a quarter of
    /// the control group's, rounded down to a power of two; 8192 at least, 131,072 at most.
    pub fn flows(&self) -> u32 {
        let shares = [self.total.map(|total| total / 64), self.limit.as_ref().map(|(limit, _)| limit / 4)];
        let share = shares.into_iter().flatten().min().unwrap_or(u64::MAX);
        let flows = u32::try_from(share / FLOW).unwrap_or(u32::MAX).max(1);
        (1 << flows.ilog2()).clamp(LEAST, MOST)
    }
}

/// The limits of the control group and those above it, of either version, with their files.
fn groups() -> Vec<(u64, String)> {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let files = text.lines().flat_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (controllers, path) = (parts.nth(1).unwrap_or_default(), parts.next().unwrap_or("/"));
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return Vec::new(),
        };
        let ends = path.char_indices().filter(|(at, c)| *c == '/' && *at > 0).map(|(at, _)| at);
        let paths = ends.chain([path.len(), 0]).map(|end| path[..end].trim_end_matches('/'));
        paths.map(|path| format!("{root}{path}/{file}")).collect()
    });
    // Without a limit the older version has a number beyond any memory.
    files.filter_map(|file| Some((number(&file)?, file))).filter(|(limit, _)| *limit < 1 << 60).collect()
}

/// What the control group of a limit uses, less what the kernel can take back: cached files.
fn used(limit: &str) -> u64 {
    let Some((group, file)) = limit.rsplit_once('/') else { return 0 };
    let (usage, cache) = match file {
        "memory.max" => ("memory.current", "inactive_file "),
        _ => ("memory.usage_in_bytes", "total_inactive_file "),
    };
    let stat = fs::read_to_string(format!("{group}/memory.stat")).unwrap_or_default();
    let cached = stat.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse().ok()).unwrap_or(0);
    number(&format!("{group}/{usage}")).unwrap_or(0).saturating_sub(cached)
}

fn number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// CPUs that the kernel makes room for: maps have an element for each.
///
/// # Errors
///
/// There is no /sys.
pub fn possible_cpus() -> io::Result<u64> {
    let text = fs::read_to_string("/sys/devices/system/cpu/possible")?;
    let last = text.trim().rsplit(['-', ',']).next().and_then(|last| last.parse::<u64>().ok());
    last.map(|last| last + 1).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Bytes as people read them.
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1 << 30 => write!(f, "{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
            bytes => write!(f, "{:.1} MiB", bytes as f64 / f64::from(1 << 20)),
        }
    }
}

/// A number in groups of three.
struct Count(u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.char_indices() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn room(total: u64, limit: Option<u64>, free: u64) -> Room {
        let limit = limit.map(|limit| (limit, "/x/memory.max".to_owned()));
        Room { total: Some(total), limit, free: Some((free, "/x/memory.max".to_owned())) }
    }

    #[test]
    fn the_default_goes_by_memory_and_never_beyond_64_mib() {
        let flows = |total, limit| room(total, limit, 0).flows();
        assert_eq!(flows(256 * GIB, None), 131_072);
        assert_eq!(flows(256 * GIB, Some(256 << 20)), 131_072, "what the Kubernetes manifests state");
        assert_eq!([2 * GIB, GIB, GIB / 4].map(|total| flows(total, None)), [65_536, 32_768, 8192]);
        assert_eq!(flows(8 * GIB, Some(64 << 20)), 32_768);
        assert_eq!(Room::default().flows(), 131_072);
        for total in (20..48).map(|bits| 1 << bits) {
            let table = u64::from(flows(total, None)) * FLOW;
            assert!(table <= 64 << 20 && (table <= total / 64 || flows(total, None) == LEAST));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let footprint = Footprint::attach(4_000_000, 4 << 20, 2);
        assert_eq!(footprint.slots, 1 << 22);
        assert!(footprint.fit(&room(8 * GIB, None, 4 * GIB)).is_ok() && footprint.fit(&Room::default()).is_ok());
        let error = footprint.fit(&room(8 * GIB, None, GIB)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("4,194,304 connections (4,000,000 rounded up)"), "{text}");
        assert!(text.contains("1.0 GiB is left (/x/memory.max): --flows "), "{text}");
        let fits = u32::try_from(error.fits.unwrap()).unwrap();
        assert!(Footprint::attach(fits, 4 << 20, 2).fit(&room(8 * GIB, None, GIB)).is_ok(), "{fits}");
        assert!(Footprint::attach(fits * 2, 4 << 20, 2).fit(&room(8 * GIB, None, GIB)).is_err(), "{fits}");
        let text = footprint.fit(&room(GIB, None, 1 << 20)).unwrap_err().to_string();
        assert!(text.ends_with("make room, or raise the limit"), "{text}");
    }

    #[test]
    fn sizes_are_rounded_up_to_powers_of_two() {
        assert_eq!([64, 65, 1000, 100_000, 1 << 22, 1 << 24].map(slots), [64, 128, 1024, 131_072, 1 << 22, 1 << 24]);
    }

    #[test]
    fn this_machine_can_be_read() {
        let room = Room::read();
        assert!(room.total.is_some() && room.free.is_some(), "{room:?}");
        assert!(possible_cpus().unwrap() >= 1);
    }
}
