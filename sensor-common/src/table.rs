//! The flow table: set-associative, our own, generic over its storage.
//!
//! A bucket is one cache line: 8 hash tags and 8 notes on what each slot is worth. The flows lie in a second array, slot for
//! slot. A lookup reads the bucket, then the flow's lines, which can be fetched in parallel. An insertion needs the bucket
//! alone: the notes say which flow is worth least, so a flood costs one line and not sixteen.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    config::Config,
    counters::Counter,
    event::ServiceSnapshot,
    flow::{Extra, Flow, Key, Side},
    opaque::{keep, recall},
    service::{Service, ServiceCounter},
};

/// Slots in a bucket.
pub const WAYS: usize = 8;

/// One bucket: a cache line.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Bucket {
    /// Hash tags; 0 where the slot is free.
    pub tags: [u32; WAYS],
    /// [`Note`]s.
    pub notes: [u32; WAYS],
}

/// What a flow is worth when a newcomer needs its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Worth {
    /// One side only, or the handshake is not complete: anybody can make these.
    Embryonic = 0,
    /// Closed: kept as a tombstone.
    Closed = 1,
    /// Both sides agree, and neither has sent payload: whoever can be answered makes these.
    Silent = 2,
    /// Both sides agree.
    Established = 3,
}

impl Worth {
    /// Whether both sides agree, and neither has closed.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Silent | Self::Established)
    }
}

/// A slot's note: [`Worth`] in the top two bits, the coarse second of its last segment below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note(pub u32);

impl Note {
    const SECONDS: u32 = 0x3fff_ffff;

    /// Packs worth and coarse second.
    #[inline(always)]
    pub const fn new(worth: Worth, second: u32) -> Self {
        Self((worth as u32) << 30 | (second & Self::SECONDS))
    }

    /// The worth.
    #[inline(always)]
    pub const fn worth(self) -> Worth {
        match self.0 >> 30 {
            0 => Worth::Embryonic,
            1 => Worth::Closed,
            2 => Worth::Silent,
            _ => Worth::Established,
        }
    }

    /// Coarse seconds since the last segment; 0 where the clock went back.
    #[inline(always)]
    pub const fn idle(self, now: u32) -> u32 {
        let idle = (now.wrapping_sub(self.0)) & Self::SECONDS;
        if idle > Self::SECONDS / 2 { 0 } else { idle }
    }
}

/// Idle coarse seconds after which a flow's slot is free to take, by worth. Nothing is removed for its age alone.
#[inline(always)]
const fn lifetime(worth: Worth) -> u32 {
    match worth {
        Worth::Embryonic => 60,
        Worth::Closed => 240,
        Worth::Silent | Worth::Established => 600,
    }
}

/// Where services live: a plain BPF array in the kernel, a vector elsewhere. To count and to judge are told apart, so that what is only
/// counted may be entered later.
pub trait Services {
    /// Replaces a tag if it is still `old`; whether it did.
    fn swap_tag(tag: &mut u32, old: u32, new: u32) -> bool;
    /// Adds to a counter that CPUs share.
    fn add(counter: &mut u64, n: u64);
    /// The service with this index, to count for it.
    fn service(&mut self, index: u32) -> Option<&mut Service>;

    /// Index of the service of `side` of `key`, made if it is new; `None` where its slots are taken.
    #[inline(always)]
    fn service_of(&mut self, config: &Config, key: &Key, side: Side) -> Option<u32>
    where
        Self: Sized,
    {
        service(self, config, key, side)
    }

    /// The counts that go with an event; nothing is judged by them.
    #[inline(always)]
    fn snapshot(&mut self, index: u32) -> ServiceSnapshot {
        self.service(index).map_or_else(ServiceSnapshot::default, |service| service.snapshot())
    }

    /// The counts as they are now, to judge by.
    #[inline(always)]
    fn counts(&mut self, index: u32) -> Option<&mut Service> {
        self.service(index)
    }
}

/// Where buckets and flows live, too.
pub trait Storage: Services {
    /// The bucket with this index.
    fn bucket(&mut self, index: u32) -> Option<&mut Bucket>;
    /// The flow with this index.
    fn flow(&mut self, index: u32) -> Option<&mut Flow>;
    /// The cold state of the flow with this index.
    fn extra(&mut self, index: u32) -> Option<&mut Extra>;
    /// Both at once.
    fn whole(&mut self, index: u32) -> Option<(&mut Flow, &mut Extra)>;
}

/// A key's place: bucket and tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the bucket.
    pub bucket: u32,
    /// Tag within it, never 0.
    pub tag: u32,
    /// The slot that it takes where it has the choice.
    pub home: u32,
}

/// Where `key` belongs. Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing is fast", 2014): with secret
/// multipliers no choice of addresses makes collisions likelier than chance.
#[inline(always)]
pub fn place(key: &Key, config: &Config) -> Place {
    let k = &config.hash_keys;
    let mut hash = k[0];
    if key.link.ip_version() == 6 {
        hash = hash
            .wrapping_add(k[1].wrapping_mul(key.a[0] as u64))
            .wrapping_add(k[2].wrapping_mul(key.a[1] as u64))
            .wrapping_add(k[3].wrapping_mul(key.a[2] as u64))
            .wrapping_add(k[4].wrapping_mul(key.b[0] as u64))
            .wrapping_add(k[5].wrapping_mul(key.b[1] as u64))
            .wrapping_add(k[6].wrapping_mul(key.b[2] as u64));
    }
    hash = hash
        .wrapping_add(k[7].wrapping_mul(key.a[3] as u64))
        .wrapping_add(k[8].wrapping_mul(key.b[3] as u64))
        .wrapping_add(k[9].wrapping_mul(key.ports as u64))
        .wrapping_add(k[10].wrapping_mul(key.link.ifindex as u64))
        .wrapping_add(k[11].wrapping_mul(key.link.version_vlans as u64));
    let tag = (hash >> 8) as u32;
    let home = (hash >> 37) as u32 % WAYS as u32;
    Place { bucket: (hash >> 40) as u32 & config.bucket_mask, tag: if tag == 0 { 1 } else { tag }, home }
}

/// Index of the flow with `key`, if the table has it. Most flows are at home, and the processor bets on it: it asks for the flow's
/// lines before the bucket has come. Where that says otherwise it is early: the bucket is near, and the flow far.
#[inline(always)]
pub fn find<S: Storage>(storage: &mut S, at: Place, key: &Key) -> Option<u32> {
    let home = at.home as usize % WAYS;
    if storage.bucket(at.bucket)?.tags[home] == at.tag {
        let index = at.bucket * WAYS as u32 + home as u32;
        if storage.flow(index)?.head.key == *key {
            return Some(index);
        }
    }
    let bucket = storage.bucket(at.bucket)?;
    let mut slot = 0;
    while slot < WAYS {
        if bucket.tags[slot] == at.tag {
            break;
        }
        slot += 1;
    }
    if slot == WAYS {
        return None;
    }
    let index = at.bucket * WAYS as u32 + slot as u32;
    if storage.flow(index)?.head.key == *key { Some(index) } else { find_behind(storage, at, key) }
}

/// The rare rest of [`find`]: another flow with the same tag came first.
#[inline(never)]
fn find_behind<S: Storage>(storage: &mut S, at: Place, key: &Key) -> Option<u32> {
    for slot in 0..WAYS {
        if storage.bucket(at.bucket)?.tags[slot] == at.tag {
            let index = at.bucket * WAYS as u32 + slot as u32;
            if storage.flow(index)?.head.key == *key {
                return Some(index);
            }
        }
    }
    None
}

/// What an insertion came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The flow has this index; a counter says whom it replaced, if anybody.
    At(u32, Option<Counter>),
    /// There was no place; the counter says why.
    No(Counter),
}

/// Takes a slot for a newcomer: a free one, else that of the flow worth least. A newcomer is embryonic, and never takes the
/// slot of a live established flow that has carried payload.
///
/// Worth, least first: expired; embryonic and idle for 2 s; closed; embryonic; silent. Within each, idle longest. Embryonic flows
/// that went quiet go before tombstones because a flood makes the former for free and cannot make the latter. Silent ones go last,
/// but go, or else handshakes alone would fill the table for ten minutes.
///
/// `least` is working memory: the kernel's verifier would follow each order of the slots if the least so far were in a register.
#[inline(always)]
pub fn insert<S: Storage>(storage: &mut S, at: Place, now: u32, least: &mut u32) -> Inserted {
    const TAKEN: u32 = u32::MAX;
    let Some(bucket) = storage.bucket(at.bucket) else { return Inserted::No(Counter::TableFull) };
    keep(least, TAKEN);
    for slot in 0..WAYS {
        let note = Note(bucket.notes[slot]);
        let idle = note.idle(now);
        let rank = if bucket.tags[slot] == 0 {
            FREE
        } else if idle > lifetime(note.worth()) {
            EXPIRED
        } else {
            match note.worth() {
                Worth::Embryonic if idle >= 2 => QUIET,
                Worth::Closed => CLOSED,
                Worth::Embryonic => EMBRYONIC,
                Worth::Silent => SILENT,
                Worth::Established => continue,
            }
        };
        // Rank first, then the longer idle the lower, then home.
        let idle = if idle > 0xffff { 0xffff } else { idle };
        let value = rank << 20 | (0xffff - idle) << 4 | (slot as u32 ^ at.home);
        if value < recall(least) {
            keep(least, value);
        }
    }
    let least = recall(least);
    if least == TAKEN {
        return Inserted::No(Counter::TableFull);
    }
    let victim = (least ^ at.home) as usize % WAYS;
    // What was free must still be: read again, it may be somebody's since a moment.
    let tag = if least >> 20 == FREE { 0 } else { bucket.tags[victim] };
    if !S::swap_tag(&mut bucket.tags[victim], tag, at.tag) {
        return Inserted::No(Counter::InsertRaces);
    }
    bucket.notes[victim] = Note::new(Worth::Embryonic, now).0;
    let evicted = match least >> 20 {
        FREE => None,
        EXPIRED => Some(Counter::EvictedExpired),
        CLOSED => Some(Counter::EvictedClosed),
        SILENT => Some(Counter::EvictedSilent),
        _ => Some(Counter::EvictedEmbryonic),
    };
    Inserted::At(at.bucket * WAYS as u32 + victim as u32, evicted)
}

/// Coarse seconds of quiet after which a closed flow has been told of: the sweep's patience, two rounds, and some.
pub(crate) const LATELY: u32 = 16;

/// Whether the flow that an insertion has replaced was established, and closed so lately that it may not have been told of; `least`
/// is what the insertion has left there.
#[inline(always)]
pub(crate) fn closed_lately(least: u32) -> bool {
    least >> 20 == CLOSED && 0xffff - (least >> 4 & 0xffff) <= LATELY
}

/// What a slot is worth to a newcomer, least first.
const FREE: u32 = 0;
const EXPIRED: u32 = 1;
const QUIET: u32 = 2;
const CLOSED: u32 = 3;
const EMBRYONIC: u32 = 4;
const SILENT: u32 = 5;

/// Renews a slot's note where it changed: most segments find it as it should be and write nothing.
#[inline(always)]
pub fn note<S: Storage>(storage: &mut S, index: u32, worth: Worth, now: u32) {
    let slot = index as usize % WAYS;
    if let Some(bucket) = storage.bucket(index / WAYS as u32) {
        let note = Note::new(worth, now).0;
        if bucket.notes[slot] != note {
            bucket.notes[slot] = note;
        }
    }
}

/// Slots that a service may lie in, from its hash on.
const SERVICE_PROBES: u32 = 3;

/// Index of the service of `side` of `key`, made if it is new; `None` where its slots are taken.
#[inline(never)]
pub fn service<S: Services>(storage: &mut S, config: &Config, key: &Key, side: Side) -> Option<u32> {
    let k = &config.hash_keys;
    let addr = key.addr(side);
    let hash = k[0]
        .wrapping_add(k[1].wrapping_mul(addr[0] as u64))
        .wrapping_add(k[2].wrapping_mul(addr[1] as u64))
        .wrapping_add(k[3].wrapping_mul(addr[2] as u64))
        .wrapping_add(k[7].wrapping_mul(addr[3] as u64))
        .wrapping_add(k[9].wrapping_mul(key.port(side) as u64));
    let tag = ((hash >> 8) as u32) | 1;
    for probe in 0..SERVICE_PROBES {
        let index = ((hash >> 40) as u32).wrapping_add(probe) & config.service_mask;
        let slot = storage.service(index)?;
        if slot.is(tag, key, side) {
            return Some(index);
        }
        if slot.tag == 0 && S::swap_tag(&mut slot.tag, 0, tag) {
            slot.addr = *addr;
            slot.port = key.port(side) as u32;
            return Some(index);
        }
    }
    None
}

/// Counts for the service with this index.
#[inline(always)]
pub fn count<S: Services>(storage: &mut S, index: u32, counter: ServiceCounter, n: u64) {
    if let Some(service) = storage.service(index) {
        S::add(&mut service.counters[counter as usize], n);
    }
}
