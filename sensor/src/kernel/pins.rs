//! What outlives the agent, where that is asked for: maps and links in a folder of a BPF file system.
//!
//! | name | what it is |
//! |---|---|
//! | `BUCKETS` … `SERVICES` | the state |
//! | `AGENT` | the agent's own map: layout, hash keys, the last sweep. Made last, so that without it nothing is whole |
//! | `XDP_STAGES_1`, `TC_STAGES_1`, … | the programs' ways to one another; the kernel empties those that nobody holds |
//! | `xdp-native-7`, `tcx-egress-7`, … | a link by its hook and its interface's index |
//! | `clsact-egress-7` | a program whose filter hangs on a qdisc, which is no link and stays there by itself |

mod backlog;
mod book;
mod layout;
mod links;

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, TryLockError},
    io,
    mem::MaybeUninit,
    os::{
        fd::AsRawFd as _,
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use aya::{
    Ebpf,
    maps::{Map, MapData},
};
use sensor_common::{config::Config, table::WAYS};

use super::KernelError;
pub use backlog::{Backlog, Look, Records};
use book::Book;
pub use book::Rounds;
pub use links::shown as shown_link;

/// Where they lie, unless they are told to lie elsewhere.
pub const DEFAULT_PINS: &str = "/sys/fs/bpf/sensor";

/// The maps that hold the state, in the order in which they are pinned.
pub(super) const STATE: [&str; 6] = ["BUCKETS", "FLOWS", "EXTRAS", "SERVICES", "CPUS", "EVENTS"];
/// The programs' ways to one another, each sensor's under a number of its own: links may still run what one before has loaded.
const STAGES: [&str; 2] = ["XDP_STAGES", "TC_STAGES"];
const BOOK: &str = "AGENT";

/// Why nothing can be pinned there.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// The folder cannot be had.
    #[error(
        "{folder} cannot be made or opened ({cause}); make it, for the sensor's user, or name another folder (--pin DIR)"
    )]
    Folder {
        /// As it was given.
        folder: String,
        /// Why not.
        cause: io::Error,
    },
    /// It lies on another file system.
    #[error(
        "{folder} is not on a BPF file system, where alone maps can be kept; mount one (mount -t bpf bpf /sys/fs/bpf), or name a folder of one (--pin DIR)"
    )]
    NotBpf {
        /// As it was given.
        folder: String,
    },
    /// Another sensor has it.
    #[error("what is pinned in {folder} belongs to {by}, which runs; end it first, or name another folder (--pin DIR)")]
    InUse {
        /// As it was given.
        folder: String,
        /// Who.
        by: String,
    },
    /// Something cannot be pinned.
    #[error(
        "{path} cannot be pinned ({cause}); remove what is in its folder with sensor detach, or start without --pin"
    )]
    Pin {
        /// What.
        path: String,
        /// The kernel's word.
        cause: String,
    },
    /// The object tells nothing of its types.
    #[error(
        "the BPF object does not describe its maps, so nothing of it can be kept; rebuild it with cargo xtask build-ebpf"
    )]
    NoLayout,
}

impl PinError {
    fn pin(path: &Path, cause: impl Into<String>) -> Self {
        Self::Pin { path: path.display().to_string(), cause: cause.into() }
    }
}

/// What became of what an earlier sensor had left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// There was nothing.
    New,
    /// It was taken over: the connections are known, the counters go on.
    Adopted,
    /// It could not be taken over, for this reason.
    Anew(String),
}

/// A folder of pins, held by this process alone.
#[derive(Debug)]
pub struct Pins {
    folder: PathBuf,
    /// Held until it is dropped, or the process ends, however it ends.
    lock: File,
    standing: Standing,
    /// Links in use, by name.
    held: BTreeSet<String>,
    /// Which stages are its own.
    generation: u32,
    /// Whether what there is may be left to the next.
    settled: bool,
}

/// What an earlier sensor left to this one.
pub struct Handover {
    /// Where to say that the table was swept.
    pub rounds: Rounds,
    /// When it was swept last, on the kernel program's clock; 0 is never.
    pub swept: u64,
    /// Counters and ring before this sensor took anything out.
    pub before: Look,
}

impl Pins {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    ///
    /// If it cannot be had, or is no place for pins, or another sensor has it.
    pub fn open(folder: &Path) -> Result<Self, PinError> {
        let shown = || folder.display().to_string();
        let failed = |cause| PinError::Folder { folder: shown(), cause };
        let there = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
        if !is_bpf(there).map_err(failed)? {
            return Err(PinError::NotBpf { folder: shown() });
        }
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = File::open(folder).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PinError::InUse { folder: shown(), by: holder(&lock) }),
            Err(TryLockError::Error(cause)) => return Err(failed(cause)),
        }
        let (held, folder) = (BTreeSet::new(), folder.to_owned());
        Ok(Self { folder, lock, standing: Standing::New, held, generation: 0, settled: false })
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What became of what was there.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The connections that there is room for in what an earlier sensor has left, if that is whole.
    pub fn room(&self) -> Option<u32> {
        Book::read(&self.path(BOOK)).map(|book| (book.config.bucket_mask + 1).saturating_mul(WAYS as u32))
    }

    /// Whether the folder is still there, and the one that was opened.
    pub fn is_there(&self) -> bool {
        let (own, there) = (self.lock.metadata(), fs::metadata(&self.folder));
        own.is_ok_and(|own| there.is_ok_and(|there| (own.dev(), own.ino()) == (there.dev(), there.ino())))
    }

    /// Has the state that is there taken over, its keys with it, or makes room for a new one.
    pub(super) fn prepare(&mut self, object: &[u8], config: &mut Config, ring_bytes: u32) -> Result<(), KernelError> {
        let layout = layout::of(object).ok_or(PinError::NoLayout)?;
        let empty = self.names().is_empty();
        match self.state(layout, config, ring_bytes) {
            Ok(book) => {
                config.hash_keys = book.config.hash_keys;
                self.standing = Standing::Adopted;
            }
            Err(_) if empty => self.standing = Standing::New,
            Err(reason) => {
                let lost =
                    self.waiting(layout).filter(|n| *n > 0).map(|n| format!("; {n} findings that waited are lost"));
                self.standing = Standing::Anew(reason + &lost.unwrap_or_default());
                [&[BOOK][..], &STATE].concat().iter().for_each(|name| self.remove(name));
            }
        }
        let used: Vec<u32> = self.names().iter().filter_map(|name| generation(name)).collect();
        self.generation = used.into_iter().max().map_or(1, |last| last.wrapping_add(1));
        Ok(())
    }

    /// The book of a state that this sensor can go on with, or why it cannot.
    fn state(&self, layout: u64, config: &Config, ring_bytes: u32) -> Result<Book, String> {
        let book = Book::read(&self.path(BOOK)).ok_or("it is not whole")?;
        if book.layout != layout {
            return Err("it is laid out otherwise, by another version".into());
        }
        let old = &book.config;
        let flows = |config: &Config| (u64::from(config.bucket_mask) + 1) * WAYS as u64;
        if old.bucket_mask != config.bucket_mask {
            return Err(format!("it has room for {} connections, not for {}", flows(old), flows(config)));
        }
        let identity = |config: &Config| (config.vlan_in_key, config.both_directions, config.service_mask);
        if identity(old) != identity(config) {
            return Err("VLAN ids or directions were taken otherwise".into());
        }
        for name in STATE {
            let missing = |_| format!("it is not whole ({name} is missing)");
            let info = MapData::from_pin(self.path(name)).and_then(|map| map.info()).map_err(missing)?;
            if info.name_as_str() != Some(name) {
                return Err(format!("it is not whole ({name} is something else)"));
            }
            let entries = match name {
                "BUCKETS" => config.bucket_mask + 1,
                "FLOWS" | "EXTRAS" => flows(config) as u32,
                "SERVICES" => config.service_mask + 1,
                "EVENTS" => ring_bytes,
                _ => 1,
            };
            match (name, info.max_entries()) {
                (_, has) if has == entries => {}
                ("EVENTS", has) => return Err(format!("its ring has {} MiB, not {}", has >> 20, ring_bytes >> 20)),
                (_, has) => return Err(format!("it is not whole ({name} has {has} entries, not {entries})")),
            }
        }
        Ok(book)
    }

    /// Findings that wait in a ring that is given up; none where nobody can tell.
    fn waiting(&self, layout: u64) -> Option<u64> {
        Book::read(&self.path(BOOK)).filter(|book| book.layout == layout)?;
        let ring = Backlog::of(&MapData::from_pin(self.path("EVENTS")).ok()?).ok()?;
        Some(ring.now().events)
    }

    /// Where something lies, or would.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Pins the programs' ways to one another, beside those that are there: they are in use until all links are taken over.
    pub(super) fn keep_stages(&self, ebpf: &Ebpf) -> Result<(), KernelError> {
        for name in STAGES {
            let Some(Map::ProgramArray(map)) = ebpf.map(name) else { return Err(KernelError::Missing(name)) };
            let path = self.path(&format!("{name}_{}", self.generation));
            map.pin(&path).map_err(|error| PinError::pin(&path, super::error::chain(&error)))?;
        }
        Ok(())
    }

    /// All that is to be watched is: lets go of what is not, and leaves the rest to whoever comes next.
    pub(super) fn settle(&mut self, ebpf: &Ebpf, config: &Config, object: &[u8]) -> Result<Handover, KernelError> {
        self.links().iter().filter(|name| !self.held.contains(*name)).for_each(|name| self.remove_link(name));
        let old = |name: &&String| generation(name).is_some_and(|of| of != self.generation);
        self.names().iter().filter(old).for_each(|name| self.remove(name));
        let map = |name: &'static str| match ebpf.map(name) {
            Some(Map::RingBuf(data)) => Ok(data),
            _ => Err(KernelError::Missing(name)),
        };
        let before = Backlog::of(map("EVENTS")?)?.look(|| super::counters(ebpf))?;
        let path = self.path(BOOK);
        let swept = Book::read(&path).map_or(0, |book| book.swept);
        let layout = layout::of(object).ok_or(PinError::NoLayout)?;
        Book { layout, swept, config: *config }.write(&path)?;
        self.settled = true;
        Ok(Handover { rounds: Rounds::open(&path)?, swept, before })
    }

    /// A way to look at the ring that works without rights.
    pub(super) fn backlog(ebpf: &Ebpf) -> Result<Backlog, KernelError> {
        match ebpf.map("EVENTS") {
            Some(Map::RingBuf(data)) => Backlog::of(data),
            _ => Err(KernelError::Missing("EVENTS")),
        }
    }

    /// The names of the links that are there.
    pub fn links(&self) -> Vec<String> {
        self.names().into_iter().filter(|name| links::is_one(name)).collect()
    }

    /// Removes all that a sensor made here, and the folder; tells what could not be removed.
    pub fn clear(mut self) -> Vec<String> {
        self.settled = true;
        self.clear_all();
        self.names()
    }

    fn clear_all(&self) {
        let (links, others): (Vec<_>, Vec<_>) = self.names().into_iter().partition(|name| links::is_one(name));
        links.iter().for_each(|name| self.remove_link(name));
        others.iter().for_each(|name| self.remove(name));
        // Who put something else there has the folder.
        let _ = fs::remove_dir(&self.folder);
    }

    /// What of this sensor's making is there.
    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let own = |name: &String| {
            name == BOOK || STATE.contains(&&**name) || generation(name).is_some() || links::is_one(name)
        };
        files.filter_map(|file| file.file_name().into_string().ok()).filter(own).collect()
    }

    fn remove(&self, name: &str) {
        // What is not there needs no removing.
        let _ = fs::remove_file(self.path(name));
    }
}

impl Drop for Pins {
    /// A start that failed leaves what it found, and nothing of its own.
    fn drop(&mut self) {
        if !self.settled && self.standing != Standing::Adopted {
            self.clear_all();
        }
    }
}

/// Whose stages a pin is, if it is stages.
fn generation(name: &str) -> Option<u32> {
    let (stages, of) = name.rsplit_once('_')?;
    STAGES.contains(&stages).then(|| of.parse().ok())?
}

/// Whether a folder lies on a BPF file system.
fn is_bpf(folder: &Path) -> io::Result<bool> {
    let folder = File::open(folder)?;
    let mut about = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: an open descriptor and a place to write to.
    if unsafe { libc::fstatfs(folder.as_raw_fd(), about.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has filled it.
    // The types differ from target to target.
    Ok(i128::from(unsafe { about.assume_init() }.f_type) == i128::from(libc::BPF_FS_MAGIC))
}

/// Who has locked a folder, as far as the kernel tells.
fn holder(folder: &File) -> String {
    let found = || {
        let inode = folder.metadata().ok()?.ino().to_string();
        let locks = fs::read_to_string("/proc/locks").ok()?;
        let fields = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let pid = fields.filter(|line| line.get(1) == Some(&"FLOCK")).find_map(|line| {
            let place = line.get(5)?.rsplit(':').next()?;
            (place == inode).then(|| line.get(4)?.parse::<u32>().ok())?
        })?;
        let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
        Some(format!("{} (process {pid})", String::from_utf8_lossy(name.trim_ascii_end()).escape_debug()))
    };
    found().unwrap_or_else(|| "another sensor".into())
}
