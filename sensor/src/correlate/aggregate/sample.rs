//! A sample of the flow table: requests that have not come about, and clients that have.
//!
//! A SYN that is never answered touches no service's counters: in a flood that would be one line of memory that all CPUs fight
//! for. How many there are the global counters say exactly; whose they are is read off the table, where each left a flow. Keys are
//! hashed, so that any run of buckets is as good a sample as any other; the run goes on where the last one ended.

use std::net::{IpAddr, SocketAddr};

use sensor_common::{
    detect::origin::hops,
    flow::{Bits, End, Flow, HeadBits, Side, TcpFlags, Watch},
    record::settled,
    table::{Note, WAYS, Worth},
    time::{millis, seconds},
};

use crate::{report::Cast, sweep::Slots};

/// Requests that are read at a time.
pub const MAX_REQUESTS: usize = 4096;
/// Connections that are read at a time.
pub const MAX_SETTLED: usize = 1024;
/// Lone segments are of interest for so many seconds.
const LATELY: u32 = 3;
/// A window of so few bytes lets nothing through.
const SHUT: u32 = 8;
/// Half-open entries of a Linux host are given up after about so many seconds.
const HALF_OPEN: u32 = 63;

/// A request that has not become a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub client: SocketAddr,
    /// Who is asked.
    pub server: SocketAddr,
    /// TTL of the SYN.
    pub ttl: u8,
    /// Raw window of the SYN.
    pub window: u16,
    /// Whether it has the IP-ID that ZMap gives its probes.
    pub zmap: bool,
    /// Whether it has neither window scale nor timestamps: no usual stack asks so.
    pub plain: bool,
    /// Whether it was repeated.
    pub repeated: bool,
    /// Whether the client has acknowledged something.
    pub went_on: bool,
    /// What came of it so far.
    pub answer: Answer,
    /// Since it was first seen: seconds, to one.
    pub age: u32,
    /// Whether this host asks.
    pub outgoing: bool,
}

/// What a server has made of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing.
    None,
    /// It granted it.
    Granted,
    /// It rejected it.
    Refused,
}

/// An established connection's remote client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its address.
    pub client: IpAddr,
    /// Routers on its way here, counted from the usual initial TTLs.
    pub hops: u8,
    /// Whether it has kept its window shut, or next to, for a minute and more.
    pub shut: bool,
}

/// A lone segment that began a flow midway, and was rejected or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Midway {
    /// Who sent it.
    pub from: SocketAddr,
    /// Whom it was addressed to.
    pub to: SocketAddr,
    /// Whether it was a SYN-ACK; else it is an ACK.
    pub syn_ack: bool,
    /// Whether it was answered by a reset.
    pub refused: bool,
    /// Since it was seen: seconds, to one.
    pub age: u32,
    /// Whether this host sent it.
    pub outgoing: bool,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Requests that have not become connections.
    pub requests: Vec<Request>,
    /// Lone segments that began flows midway.
    pub midway: Vec<Midway>,
    /// Flows that began without a request as well, and went on.
    pub went_on: usize,
    /// Clients of connections.
    pub settled: Vec<Settled>,
    /// The share of the table that was read for requests and lone segments: above 0, up to 1.
    pub share: f64,
    /// Whether the whole table has been read for connections since this was last true.
    pub round: bool,
}

/// Reads samples.
#[derive(Debug, Default)]
pub struct Sampler {
    /// The bucket to begin with: for requests, for connections.
    next: [usize; 2],
}

impl Sampler {
    /// Reads a sample at engine time `now`, in nanoseconds. Reads as many buckets as it needs for [`MAX_REQUESTS`], and a sixteenth
    /// of the table, or what is needed for [`MAX_SETTLED`].
    pub fn read(&mut self, table: &impl Slots, now: u64) -> Sample {
        let buckets = table.buckets();
        let mut sample = Sample::default();
        let mut read = 0;
        while read < buckets && sample.requests.len() + sample.midway.len() + WAYS <= MAX_REQUESTS {
            self.visit(table, 0, now, |flow, idle| {
                sample.requests.extend(request(flow, idle, now));
                match midway(flow, now) {
                    Some(lone) => sample.midway.push(lone),
                    None => sample.went_on += usize::from(went_on(flow, now)),
                }
            });
            read += 1;
        }
        sample.share = if buckets == 0 { 1.0 } else { read as f64 / buckets as f64 };
        let mut read = 0;
        while read < buckets.div_ceil(16) && sample.settled.len() + WAYS <= MAX_SETTLED && !sample.round {
            self.visit(table, 1, now, |flow, _| sample.settled.extend(client(flow, now)));
            read += 1;
            sample.round = self.next[1] == 0;
        }
        sample
    }

    /// Shows the flows of the next bucket, embryonic (0) or live (1), with their idle coarse seconds.
    fn visit(&mut self, table: &impl Slots, which: usize, now: u64, mut show: impl FnMut(&Flow, u32)) {
        let index = self.next[which];
        self.next[which] = if index + 1 >= table.buckets() { 0 } else { index + 1 };
        let bucket = table.bucket(index);
        for way in 0..WAYS {
            let note = Note(bucket.notes[way]);
            let wanted = if which == 0 { note.worth() == Worth::Embryonic } else { note.worth().is_live() };
            if bucket.tags[way] == 0 || !wanted {
                continue;
            }
            let (flow, extra) = table.flow(index * WAYS + way);
            show(&settled(flow, extra).0, note.idle(seconds(now)));
        }
    }
}

/// A flow as a request that is still of interest.
fn request(flow: &Flow, idle: u32, now: u64) -> Option<Request> {
    if idle > HALF_OPEN || !flow.head.bits.any(HeadBits::HANDSHAKE) || flow.head.bits.any(HeadBits::ESTABLISHED) {
        return None;
    }
    let side = flow.head.client()?;
    let (asker, server) = (&flow.ends[side as usize], &flow.ends[side.other() as usize]);
    let cast = Cast::of(&flow.head);
    if asker.segments == 0 {
        return None;
    }
    let refused = flow.tails[side.other() as usize].reset.n > 0;
    let granted = !flow.head.watch.any(Watch::ALONE) && server.flags.any(TcpFlags::SYN);
    Some(Request {
        client: cast.end(side),
        server: cast.end(side.other()),
        ttl: asker.ttl,
        window: asker.windows as u16,
        zmap: asker.wscale & End::ZMAP != 0,
        plain: !asker.bits.any(Bits::WSCALE) && !asker.bits.any(Bits::TIMESTAMPS),
        repeated: asker.segments > 1 && !asker.flags.any(TcpFlags::ACK),
        went_on: asker.flags.any(TcpFlags::ACK),
        answer: match (refused, granted) {
            (true, _) => Answer::Refused,
            (false, true) => Answer::Granted,
            (false, false) => Answer::None,
        },
        age: age(flow, now),
        outgoing: flow.head.local() == Some(side),
    })
}

/// A flow as a lone segment of the last seconds.
fn midway(flow: &Flow, now: u64) -> Option<Midway> {
    let (age, sent) = (age(flow, now), [flow.ends[0].segments, flow.ends[1].segments]);
    let resets = [flow.tails[0].reset.n, flow.tails[1].reset.n].map(u32::from);
    // Resets are segments, too.
    let side = match [sent[0].saturating_sub(resets[0]), sent[1].saturating_sub(resets[1])] {
        [1, 0] => Side::A,
        [0, 1] => Side::B,
        _ => return None,
    };
    let flags = flow.ends[side as usize].flags;
    if flags.any(TcpFlags::SYN) && !flags.any(TcpFlags::ACK) || age > LATELY {
        return None;
    }
    let cast = Cast::of(&flow.head);
    Some(Midway {
        from: cast.end(side),
        to: cast.end(side.other()),
        syn_ack: flags.any(TcpFlags::SYN),
        refused: resets[side.other() as usize] > 0,
        age,
        outgoing: flow.head.local() == Some(side),
    })
}

/// Whether a flow of the last seconds began without a request, and more came than its first segment.
fn went_on(flow: &Flow, now: u64) -> bool {
    let asked = flow.head.client().is_some_and(|side| flow.ends[side as usize].flags.any(TcpFlags::SYN));
    !asked && age(flow, now) <= LATELY && midway(flow, now).is_none()
}

/// The remote client of a connection.
fn client(flow: &Flow, now: u64) -> Option<Settled> {
    let side = flow.head.client()?;
    if flow.head.local() == Some(side) {
        return None;
    }
    let end = &flow.ends[side as usize];
    // One segment or two may be anybody's.
    if end.ttl_n < 3 {
        return None;
    }
    let scale = if end.bits.any(Bits::SCALED) { end.wscale & 15 } else { 0 };
    let window = u32::from(end.windows as u16) << scale;
    Some(Settled {
        client: Cast::of(&flow.head).end(side).ip(),
        hops: hops(end.ttl),
        shut: window <= SHUT && age(flow, now) >= 60,
    })
}

/// Coarse seconds since a flow's first segment.
const fn age(flow: &Flow, now: u64) -> u32 {
    millis(now).wrapping_sub(flow.head.first) >> 10
}
