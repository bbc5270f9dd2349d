//! The sweep: walks the flow table at rest and yields each flow that ended, once. No I/O, and the table is never written.
//!
//! A bucket's notes say how long each of its flows has been idle, so that a flow's own lines are read only when something may
//! be due. What was told is remembered by slot. A flow whose slot was taken, or whose ports began a new connection, before a
//! sweep came by is missed, unless the engine has handed it on ([`Sweeper::parted`]): the table's counters know of the former,
//! [`Sweeper::missed`]; the latter is noticed only where a sweep had seen the flow before.

use std::mem;

use sensor_common::{
    counters::{Counter, Cpu},
    detect::rest,
    event::Event,
    flow::{Extra, Flow, Head, HeadBits, Watch},
    record::{Ending, Record, closed, quiet, settled},
    table::{Bucket, Note, WAYS},
    time::seconds,
};

const SECOND: u64 = 1_000_000_000;

/// Quiet for so long, a flow is judged at rest.
pub const REST: u64 = 3 * SECOND;
/// Quiet for so long, a closed flow is over.
pub const LINGER: u64 = 5 * SECOND;
/// Quiet for so long, a flow that never came about is over: as long as the table keeps it.
pub const EMBRYONIC: u64 = 60 * SECOND;
/// The same for one that did.
pub const ESTABLISHED: u64 = 600 * SECOND;
/// Longer than any silence that a table tells of.
const NEVER: u64 = u16::MAX as u64 * SECOND;
/// Buckets between the look at what is due and the visit: enough to keep the memory busy.
const AHEAD: usize = 4;
/// A flow of more segments is not judged at rest.
pub const SHORT: u32 = 64;

/// A flow table to read: vectors, or the kernel's maps, which change meanwhile.
pub trait Slots {
    /// How many buckets there are.
    fn buckets(&self) -> usize;
    /// A copy of a bucket.
    fn bucket(&self, index: usize) -> Bucket;
    /// Copies of a slot's flow and its cold state.
    fn flow(&self, index: usize) -> (Flow, Extra);
    /// A copy of a slot's flow's first line, where that is all that is asked for.
    fn head(&self, index: usize) -> Head {
        self.flow(index).0.head
    }
    /// Has a slot's flow and its cold state fetched from memory, as they are soon asked for.
    fn fetch(&self, _index: usize) {}
}

/// What judges a flow by its silence.
pub trait AtRest {
    /// A flow that is embryonic or short and has been quiet for [`REST`]: once for each silence. Its memory is in order
    /// ([`settled`]); `index` is its place in the table, `now` the engine's time.
    fn judge(&mut self, index: usize, flow: &Flow, extra: &Extra, now: u64);

    /// The same for any flow that the capture's end left less time.
    fn cut_short(&mut self, _index: usize, _flow: &Flow, _extra: &Extra, _now: u64) {}
}

/// What is found of flows at rest.
#[derive(Default)]
pub struct Findings(pub Vec<Event>);

impl AtRest for Findings {
    fn judge(&mut self, index: usize, flow: &Flow, extra: &Extra, now: u64) {
        // Slots are numbered in 32 bits.
        self.0.extend(rest::at_rest(flow, extra, index as u32, now));
    }
}

/// Both judge.
impl<A: AtRest, B: AtRest> AtRest for (A, B) {
    fn judge(&mut self, index: usize, flow: &Flow, extra: &Extra, now: u64) {
        self.0.judge(index, flow, extra, now);
        self.1.judge(index, flow, extra, now);
    }

    fn cut_short(&mut self, index: usize, flow: &Flow, extra: &Extra, now: u64) {
        self.0.cut_short(index, flow, extra, now);
        self.1.cut_short(index, flow, extra, now);
    }
}

/// Nobody judges.
impl AtRest for () {
    fn judge(&mut self, _index: usize, _flow: &Flow, _extra: &Extra, _now: u64) {}
}

/// The silence after which a flow ([`settled`]) is over.
pub fn patience(flow: &Flow) -> u64 {
    if closed(flow).is_some() {
        LINGER
    } else if flow.head.watch.any(Watch::EMBRYONIC) {
        EMBRYONIC
    } else {
        ESTABLISHED
    }
}

/// What is remembered of a slot.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The bucket's tag for the flow, of its key's hash; 0 if the slot was never looked at.
    tag: u32,
    /// When the flow began.
    first: u32,
    /// The bucket's note when it was judged or told.
    note: u32,
    /// The silence, in seconds, after which there is something to look at; 0 is the first.
    due: u16,
    /// When the flow before it began.
    before: u32,
    /// Its record is out.
    told: bool,
    /// So is that of the flow before it.
    before_told: bool,
}

impl Mark {
    /// Whether the flow is to be looked at, by its note and the nanoseconds since.
    fn is_due(&self, note: u32, coarse: u64) -> bool {
        let due = if self.note == note && self.due != 0 { u64::from(self.due) * SECOND } else { REST };
        // A note is exact to two seconds, and this had better be early than late.
        coarse + 2 * SECOND >= due
    }

    /// The mark of the flow that follows.
    fn next(self, tag: u32, first: u32) -> Self {
        let Self { first: before, told: before_told, .. } = self;
        Self { tag, first, before, before_told, ..Self::default() }
    }
}

/// Walks a table, again and again.
#[derive(Debug)]
pub struct Sweeper {
    marks: Box<[Mark]>,
    known: Known,
}

/// What a sweeper knows of flows that left the table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Flows replaced before the first sweep.
    before: u64,
    /// Told flows whose slot went to another.
    replaced: u64,
    /// Flows that were seen and gave way to a new connection of the same ports before they were told.
    renewed: u64,
    /// Flows that lost their slot before they were told, and were handed on by the engine.
    parted: u64,
}

impl Known {
    /// Flows of which no record was told, as far as is known: replaced or begun anew between two sweeps.
    pub fn missed(&self, cpu: &Cpu) -> u64 {
        evicted(cpu).saturating_sub(self.before).saturating_sub(self.replaced + self.parted) + self.renewed
    }
}

impl Sweeper {
    /// Bytes that it keeps for each slot of the table.
    pub const SLOT: usize = size_of::<Mark>();

    /// For a table of so many buckets, whose counters are at `cpu`.
    pub fn new(buckets: usize, cpu: &Cpu) -> Self {
        let marks = vec![Mark::default(); buckets * WAYS].into_boxed_slice();
        Self { marks, known: Known { before: evicted(cpu), ..Known::default() } }
    }

    /// Goes on after a sweeper that was last round at `then`: what was due at that time has been told and judged.
    pub fn resume(&mut self, table: &impl Slots, then: u64, now: u64) {
        let since = now.saturating_sub(then);
        self.walk(table, now, true, |this, index, note, coarse| {
            let (flow, extra) = table.flow(index);
            let (flow, _) = settled(flow, extra);
            let mark = this.meet(index, &flow);
            let idle = quiet(&flow, coarse, now).saturating_sub(since);
            if idle >= REST {
                mark.note = note;
                mark.told = idle >= patience(&flow);
                mark.due = (if mark.told { NEVER } else { patience(&flow) } / SECOND) as u16;
            }
        });
    }

    /// Walks the table once: judges what is at rest, and adds to `ended` the records of what is over, in order of their end.
    pub fn sweep(&mut self, table: &impl Slots, now: u64, rest: &mut impl AtRest, ended: &mut Vec<Record>) {
        let from = ended.len();
        self.walk(table, now, false, |this, index, note, coarse| {
            this.visit(table, index, note, coarse, now, rest, ended)
        });
        sort(&mut ended[from..]);
    }

    /// Adds to `ended` the records of all that is left when a capture is over.
    pub fn finish(&mut self, table: &impl Slots, now: u64, rest: &mut impl AtRest, ended: &mut Vec<Record>) {
        self.sweep(table, now, rest, ended);
        let from = ended.len();
        self.walk(table, now, true, |this, index, _, coarse| {
            let (flow, extra) = table.flow(index);
            let (flow, extra) = settled(flow, extra);
            let mark = this.meet(index, &flow);
            let idle = quiet(&flow, coarse, now);
            if !mark.told {
                mark.told = true;
                let ending = closed(&flow).unwrap_or(Ending::CaptureEnd);
                ended.push(Record::of(&flow, &extra, ending, idle, now));
            }
            if idle < REST {
                rest.cut_short(index, &flow, &extra, now);
            }
        });
        sort(&mut ended[from..]);
    }

    /// Flows of which no record was told, as far as is known: replaced or begun anew between two sweeps.
    pub fn missed(&self, cpu: &Cpu) -> u64 {
        self.known.missed(cpu)
    }

    /// What [`Sweeper::missed`] goes by.
    pub fn known(&self) -> Known {
        self.known
    }

    /// The record of a flow that gave way and was handed on; none if a sweep has told of it.
    pub fn parted(&mut self, event: &Event) -> Option<Record> {
        let first = event.flow.head.first;
        let mark = self.marks.get_mut(event.flow_index as usize)?;
        let (here, before) = (mark.tag != 0 && mark.first == first, mark.before == first);
        if here && mark.told || before && mark.before_told {
            return None;
        }
        if event.detail[0] == 0 {
            self.known.parted += 1;
        } else if here {
            // Its successor is yet to be met.
            *mark = mark.next(mark.tag, 0);
            mark.before_told = true;
        } else if before {
            self.known.renewed = self.known.renewed.saturating_sub(1);
            mark.before_told = true;
        }
        Some(Record::parted(event))
    }

    /// Shows each slot that is taken, and that is due or `all` are wanted, with its note and the nanoseconds since, to `visit`.
    fn walk(&mut self, table: &impl Slots, now: u64, all: bool, mut visit: impl FnMut(&mut Self, usize, u32, u64)) {
        let buckets = table.buckets().min(self.marks.len() / WAYS);
        let mut ahead = [(Bucket::default(), 0); AHEAD];
        for b in 0..buckets + AHEAD {
            let next = if b < buckets { self.approach(table, b, now, all) } else { (Bucket::default(), 0) };
            let (bucket, mut wanted) = mem::replace(&mut ahead[b % AHEAD], next);
            while wanted != 0 {
                let way = wanted.trailing_zeros() as usize % WAYS;
                wanted &= wanted - 1;
                visit(self, (b - AHEAD) * WAYS + way, bucket.notes[way], coarse(bucket.notes[way], now));
            }
        }
    }

    /// A bucket that is to be visited soon, and which of its slots, a bit each: they are on their way from memory then.
    fn approach(&mut self, table: &impl Slots, b: usize, now: u64, all: bool) -> (Bucket, u8) {
        let bucket = table.bucket(b);
        let mut wanted = 0;
        for way in (0..WAYS).filter(|way| bucket.tags[*way] != 0) {
            let (tag, note, index) = (bucket.tags[way], bucket.notes[way], b * WAYS + way);
            let mark = &mut self.marks[index];
            if mark.tag != tag {
                self.known.replaced += u64::from(mark.told);
                *mark = mark.next(tag, 0);
            }
            if all || mark.is_due(note, coarse(note, now)) {
                table.fetch(index);
                wanted |= 1 << way;
            }
        }
        (bucket, wanted)
    }

    /// The mark of a slot whose flow was read.
    fn meet(&mut self, index: usize, flow: &Flow) -> &mut Mark {
        let mark = &mut self.marks[index];
        if mark.first != flow.head.first {
            if flow.head.bits.any(HeadBits::TOMBSTONE) {
                self.known.renewed += u64::from(mark.first != 0 && !mark.told);
            } else {
                // It lost its slot in between.
                self.known.replaced += u64::from(mark.told);
            }
            *mark = if mark.first == 0 {
                Mark { first: flow.head.first, ..*mark }
            } else {
                mark.next(mark.tag, flow.head.first)
            };
        }
        mark
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one walk")]
    fn visit(
        &mut self,
        table: &impl Slots,
        index: usize,
        note: u32,
        coarse: u64,
        now: u64,
        rest: &mut impl AtRest,
        ended: &mut Vec<Record>,
    ) {
        let (flow, extra) = table.flow(index);
        let current = table.bucket(index / WAYS);
        if current.tags[index % WAYS] != self.marks[index].tag || current.notes[index % WAYS] != note {
            // It lives, or is another by now: not at rest.
            return;
        }
        let (flow, extra) = settled(flow, extra);
        let mark = self.meet(index, &flow);
        let judged = mark.note == note && mark.due != 0;
        let idle = quiet(&flow, coarse, now);
        mark.note = note;
        let embryonic = flow.head.watch.any(Watch::EMBRYONIC);
        let due = if idle < REST {
            0
        } else if mark.told {
            NEVER
        } else {
            patience(&flow)
        };
        mark.due = (due / SECOND) as u16;
        if !mark.told && due != 0 && idle >= due {
            mark.told = true;
            mark.due = (NEVER / SECOND) as u16;
            ended.push(Record::of(&flow, &extra, closed(&flow).unwrap_or(Ending::Silence), idle, now));
        }
        let short = flow.ends[0].segments.saturating_add(flow.ends[1].segments) <= SHORT;
        if idle >= REST && !judged && (embryonic || short) {
            rest.judge(index, &flow, &extra, now);
        }
    }
}

/// The nanoseconds of silence that a note tells of.
fn coarse(note: u32, now: u64) -> u64 {
    u64::from(Note(note).idle(seconds(now))) << 30
}

/// Flows that lost their slot to another.
fn evicted(cpu: &Cpu) -> u64 {
    let all = [Counter::EvictedExpired, Counter::EvictedClosed, Counter::EvictedEmbryonic, Counter::EvictedSilent];
    all.map(|counter| cpu.get(counter)).iter().sum()
}

fn sort(records: &mut [Record]) {
    records.sort_by_key(|record| (record.last, record.first, record.key.ports));
}
