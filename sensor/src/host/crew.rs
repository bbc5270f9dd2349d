//! The engine on several threads, with the findings and counters of one.
//!
//! Each worker has a run of the table's buckets to itself, so that a flow has one worker. What flows share, the services, is
//! counted in the order of the frames, which takes waiting only where something is judged by the counts. Where evictions, counts
//! and verdicts come from is thereby the same for any number of workers.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use sensor_common::{
    config::Config,
    counters::{Counter, Cpu, Local},
    engine::{Engine, Seen},
    event::Event,
    flow::{Extra, Flow, Head},
    service::Service,
    stray::{STRAYS, Stray},
    table::{Bucket, Place, WAYS, place},
    wire::{Packet, Slice, parse},
};

use super::{
    Findings, Now,
    ahead::{AHEAD, NEAR},
    memory::Memory,
    part::Part,
    turns::{PAST, Turns},
};
use crate::{capture::Frame, sweep::Slots};

/// Frames in a batch: milliseconds of work, so that handing it over does not count.
const BATCH: usize = 8192;
/// Bytes of a frame that are looked at, unless its headers turn out to be longer.
const SNAP: usize = 256;

/// What was found in a frame.
#[derive(Debug)]
pub struct Told {
    /// The frame's number in the capture.
    pub number: u64,
    /// The interface that it came from.
    pub interface: u32,
    /// The finding, or the flow that gave way.
    pub event: Event,
}

/// The workers, and what they have while they rest.
pub struct Crew {
    workers: Vec<Sender<Task>>,
    done: Receiver<Done>,
    /// By worker; absent while it works.
    shards: Vec<Option<Box<Shard>>>,
    shared: Arc<Shared>,
    /// Buckets of each worker but the last.
    share: usize,
    buckets: usize,
    /// The batch that is being gathered, and the one that is being judged.
    next: Batch,
    current: Option<Arc<Batch>>,
    packet: Packet,
    /// All workers' counters, as of when they last rested.
    cpu: Box<Cpu>,
}

struct Shared {
    config: Config,
    turns: Turns,
}

/// All that one worker has.
struct Shard {
    part: Part,
    local: Local,
    findings: Findings,
    /// The frames that findings and flows that gave way came from, by their places in the batch.
    found_in: Vec<u32>,
    parted_in: Vec<u32>,
    /// The numbers of the frames of its last strays, each in its stray's place.
    strays: [u64; STRAYS],
}

struct Task(Box<Shard>, Arc<Batch>);
struct Done(usize, Box<Shard>);

#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    frames: Vec<Entry>,
    /// By worker: the places of its frames.
    lists: Vec<Vec<u32>>,
}

struct Entry {
    number: u64,
    time: u64,
    start: usize,
    len: u32,
    wire_len: u32,
    seen: Seen,
    at: Place,
}

impl Crew {
    /// Starts so many workers on an empty table; no more than it has buckets.
    ///
    /// # Errors
    ///
    /// There are no more threads to be had.
    pub fn new(config: Config, workers: usize) -> io::Result<Self> {
        let buckets = config.bucket_mask as usize + 1;
        let share = buckets.div_ceil(workers.clamp(1, buckets));
        let workers = buckets.div_ceil(share);
        let shared = Arc::new(Shared { config, turns: Turns::new(config, workers) });
        let (finished, done) = channel();
        let start = |me| {
            let (give, take) = channel();
            let (shared, finished) = (Arc::clone(&shared), finished.clone());
            let work = move || {
                while let Ok(Task(mut shard, batch)) = take.recv() {
                    shard.judge(me, &shared, &batch);
                    shared.turns.end();
                    drop(batch);
                    if finished.send(Done(me, shard)).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new().name(format!("judge-{me}")).spawn(work).map(|_| give)
        };
        Ok(Self {
            workers: (0..workers).map(start).collect::<io::Result<_>>()?,
            done,
            shards: (0..workers)
                .map(|worker| {
                    let first = worker * share;
                    Some(Box::new(Shard::new(first as u32, share.min(buckets - first) as u32)))
                })
                .collect(),
            shared,
            share,
            buckets,
            next: Batch::of(workers),
            current: None,
            packet: Packet::default(),
            cpu: Box::default(),
        })
    }

    /// Adds a frame to the batch. The segment that it carries, if it carries one.
    pub fn push(&mut self, frame: &Frame<'_>, seen: Seen) -> Option<&Packet> {
        let Self { next, packet, shared: judges, share, .. } = self;
        let in_key = judges.config.vlan_in_key != 0;
        let mut bytes = &frame.bytes[..frame.bytes.len().min(SNAP)];
        let mut read =
            |bytes| parse(&Slice::new(bytes, frame.wire_len as usize), seen.ifindex, seen.tag, in_key, packet);
        let mut parsed = read(bytes);
        if parsed.is_err() && bytes.len() < frame.bytes.len() {
            bytes = frame.bytes;
            parsed = read(bytes);
        }
        // What is no segment is counted by whoever comes first.
        let nowhere = Place { bucket: u32::MAX, tag: 0, home: 0 };
        let at = if parsed.is_ok() { place(&packet.key, &judges.config) } else { nowhere };
        let worker = if parsed.is_ok() { at.bucket as usize / *share } else { 0 };
        let index = next.frames.len() as u32;
        let (start, len) = (next.bytes.len(), bytes.len() as u32);
        next.bytes.extend_from_slice(bytes);
        next.frames.push(Entry {
            number: frame.number,
            time: frame.time,
            start,
            len,
            wire_len: frame.wire_len,
            seen,
            at,
        });
        next.lists[worker].push(index);
        parsed.is_ok().then_some(&self.packet)
    }

    /// Whether the batch is to be handed over.
    pub fn is_full(&self) -> bool {
        self.next.frames.len() >= BATCH
    }

    /// The number of the first frame of which it is not known what was found.
    pub fn oldest(&self) -> Option<u64> {
        let batch = self.current.as_deref().unwrap_or(&self.next);
        batch.frames.first().map(|entry| entry.number)
    }

    /// Whether all is judged and taken.
    pub fn rests(&self) -> bool {
        self.current.is_none() && self.next.frames.is_empty()
    }

    /// Waits for the batch at hand, if there is one, starts the next, and yields in order of their frames what gave way in
    /// the former, and what was found.
    ///
    /// # Errors
    ///
    /// A worker has died.
    pub fn turn(&mut self) -> io::Result<(Vec<Told>, Vec<Told>)> {
        let judged = self.current.take();
        if judged.is_some() {
            for _ in 0..self.workers.len() {
                let Done(worker, shard) = self.done.recv().map_err(io::Error::other)?;
                self.shards[worker] = Some(shard);
            }
        }
        let Some(batch) = judged else {
            self.start()?;
            return Ok(Default::default());
        };
        let (mut parted, mut found) = (Vec::new(), Vec::new());
        for (worker, shard) in self.shards.iter_mut().flatten().enumerate() {
            let Findings { events, parted: gone } = &mut shard.findings;
            self.shared.turns.ledger.fill_in(worker, events);
            parted.extend(shard.parted_in.drain(..).zip(gone.drain(..)));
            found.extend(shard.found_in.drain(..).zip(events.drain(..)));
        }
        self.sum();
        // The next is judged while these are told.
        let spare = Arc::try_unwrap(batch).map(|batch| (batch, self.start()));
        let Ok((mut batch, started)) = spare else { return Err(io::Error::other("a batch is still in use")) };
        started?;
        let told = |mut list: Vec<(u32, Event)>| -> Vec<Told> {
            // Stable: what one frame led to stays in its order.
            list.sort_by_key(|(index, _)| *index);
            let told = list.into_iter().filter_map(|(index, event)| {
                let entry = batch.frames.get(index as usize)?;
                Some(Told { number: entry.number, interface: entry.seen.ifindex, event })
            });
            told.collect()
        };
        let all = (told(parted), told(found));
        batch.clear();
        if self.next.bytes.capacity() == 0 {
            self.next = batch;
        }
        Ok(all)
    }

    /// Hands over the batch that was gathered.
    fn start(&mut self) -> io::Result<()> {
        if self.next.frames.is_empty() {
            return Ok(());
        }
        let batch = Arc::new(std::mem::replace(&mut self.next, Batch::of(self.workers.len())));
        self.shared.turns.begin(batch.lists.iter().map(|list| list.first().copied().unwrap_or(PAST)));
        for (worker, shard) in self.workers.iter().zip(&mut self.shards) {
            let shard = shard.take().ok_or_else(|| io::Error::other("a worker is gone"))?;
            worker.send(Task(shard, Arc::clone(&batch))).map_err(|_| io::Error::other("a worker has died"))?;
        }
        self.current = Some(batch);
        Ok(())
    }

    /// Adds up the counters, and puts the last strays in order.
    fn sum(&mut self) {
        let mut sum = Cpu::default();
        let mut strays: Vec<(u64, Stray)> = Vec::new();
        for shard in self.shards.iter().flatten() {
            let cpu = &shard.local.cpu;
            sum.add(cpu);
            sum.strays.n += cpu.strays.n;
            let kept = cpu.strays.n.min(STRAYS as u64) as usize;
            strays.extend(shard.strays.iter().copied().zip(cpu.strays.ring).take(kept));
        }
        sum.counters[Counter::ServiceOverflow as usize] += self.shared.turns.ledger.overflow();
        strays.sort_unstable_by_key(|(number, _)| *number);
        // The latest is the last that was written.
        for ((_, stray), n) in strays.iter().rev().zip((0..sum.strays.n).rev()).take(STRAYS) {
            sum.strays.ring[n as usize % STRAYS] = *stray;
        }
        *self.cpu = sum;
    }

    /// All workers' counters.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The services as they are.
    pub fn services(&self) -> Vec<Service> {
        self.shared.turns.ledger.services()
    }

    fn part(&self, bucket: usize) -> Option<&Part> {
        Some(&self.shards.get(bucket / self.share)?.as_ref()?.part)
    }
}

impl Slots for Crew {
    fn buckets(&self) -> usize {
        self.buckets
    }

    fn bucket(&self, index: usize) -> Bucket {
        self.part(index).map(|part| part.copy_of_bucket(index)).unwrap_or_default()
    }

    fn flow(&self, index: usize) -> (Flow, Extra) {
        self.part(index / WAYS).map(|part| part.copy_of_flow(index)).unwrap_or_default()
    }

    fn head(&self, index: usize) -> Head {
        self.part(index / WAYS).map(|part| part.copy_of_head(index)).unwrap_or_default()
    }

    fn fetch(&self, index: usize) {
        if let Some(part) = self.part(index / WAYS) {
            part.fetch(index);
        }
    }
}

impl Batch {
    fn of(workers: usize) -> Self {
        Self { lists: vec![Vec::new(); workers], ..Self::default() }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.lists.iter_mut().for_each(Vec::clear);
    }
}

impl Shard {
    fn new(first: u32, buckets: u32) -> Self {
        Self {
            part: Part::new(first, buckets),
            local: Local::default(),
            findings: Findings::default(),
            found_in: Vec::new(),
            parted_in: Vec::new(),
            strays: [0; STRAYS],
        }
    }

    /// Judges this worker's frames of a batch.
    fn judge(&mut self, me: usize, shared: &Shared, batch: &Batch) {
        let Some(list) = batch.lists.get(me) else { return };
        let entry = |at: usize| batch.frames.get(*list.get(at)? as usize);
        (0..AHEAD).filter_map(entry).for_each(|ahead| self.part.expect_bucket(ahead.at));
        (0..NEAR).filter_map(entry).for_each(|near| self.part.expect_flow(near.at));
        for (i, index) in list.iter().copied().enumerate() {
            if let Some(ahead) = entry(i + AHEAD) {
                self.part.expect_bucket(ahead.at);
            }
            if let Some(near) = entry(i + NEAR) {
                self.part.expect_flow(near.at);
            }
            if let Some(frame) = entry(i) {
                self.judge_one((me, index), shared, frame, &batch.bytes);
            }
            let next = list.get(i + 1).copied().unwrap_or(PAST);
            shared.turns.set(me, next);
        }
    }

    #[inline]
    fn judge_one(&mut self, turn: (usize, u32), shared: &Shared, frame: &Entry, bytes: &[u8]) {
        let Self { part, local: Local { cpu, passage }, findings, found_in, parted_in, strays } = self;
        let before = cpu.strays.n;
        let mut storage = Memory { table: part, services: shared.turns.of(turn.0, turn.1) };
        let clock = &Now { coarse: frame.time, fine: frame.time };
        let bytes = bytes.get(frame.start..frame.start + frame.len as usize).unwrap_or_default();
        let slice = Slice::new(bytes, frame.wire_len as usize);
        let mut engine = Engine { storage: &mut storage, ring: findings, clock, cpu, config: &shared.config };
        engine.observe(&slice, frame.seen, passage);
        storage.services.end();
        if cpu.strays.n != before {
            strays[before as usize % STRAYS] = frame.number;
        }
        found_in.resize(findings.events.len(), turn.1);
        parted_in.resize(findings.parted.len(), turn.1);
    }
}
