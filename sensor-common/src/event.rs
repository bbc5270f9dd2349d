//! The event: what goes from the kernel to the agent, fixed size, evidence included.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    detect::{Confidence, Evidence, RstClass, Severity},
    flow::{Extra, Flow, Segment, Side, TcpFlags, merged},
    kind::Kind,
    seq::SeqNumber,
};

/// Layout version of [`Event`]; a reader refuses any other.
pub const EVENT_VERSION: u8 = 3;

/// In place of a kind: the flow gave way to another before it was told of, and is handed on for its record. The first detail is 1
/// where it gave way to a new connection of its own addresses and ports, 0 where its slot went to another's.
pub const PARTED: u8 = u8::MAX;

const _: () = assert!(Kind::from_u8(PARTED).is_none());

/// The hook, or direction, in which a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Hook {
    /// Towards this host: XDP, or tc ingress.
    Ingress = 0,
    /// From this host: tc egress.
    Egress = 1,
    /// Unknown: a capture in which no side is known to be local, or a mirror port.
    Observer = 2,
}

impl Hook {
    /// From its number.
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Ingress),
            1 => Some(Self::Egress),
            2 => Some(Self::Observer),
            _ => None,
        }
    }
}

/// Counts of the flow's service (server address and port) at the time of the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ServiceSnapshot {
    /// Connections established; 0 where the service is not counted.
    pub established: u64,
    /// Connections with at least one finding of severity warn or above.
    pub flagged: u64,
    /// Resets, either direction.
    pub rst: u64,
}

/// A finding with its evidence, 544 bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Event {
    /// When the packet that led to the finding was seen: nanoseconds of the engine's clock.
    pub time: u64,
    /// The service's counts.
    pub service: ServiceSnapshot,
    /// The segment that the finding is about.
    pub segment: Segment,
    /// What speaks for and against.
    pub evidence: Evidence,
    /// Time between trigger and segment in units of 1.024 µs, an upper bound; 0 if there is no trigger.
    pub delay: u32,
    /// Least round trip to the claimed sender, in units of 1.024 µs; 0 if unknown.
    pub min_rtt: u32,
    /// Findings of this flow that the back-off held back since the last event.
    pub held_back: u32,
    /// The flow's place in the table: with its first-seen time an identity within one run.
    pub flow_index: u32,
    /// Where the sender's sequence space stood: the next byte expected of it.
    pub expected_seq: SeqNumber,
    /// Layout version, [`EVENT_VERSION`].
    pub version: u8,
    /// [`Kind`] as a number.
    pub kind: u8,
    /// [`Severity`] as a number.
    pub severity: u8,
    /// [`Confidence`] as a number.
    pub confidence: u8,
    /// Who claims to have sent the segment, [`Side`] as a number.
    pub side: u8,
    /// Where it was seen, [`Hook`] as a number.
    pub hook: u8,
    /// Score in half points.
    pub score: i8,
    /// For resets, [`RstClass`] as a number; 255 otherwise.
    pub class: u8,
    /// The baseline TTL that the segment was compared with; 0 if none.
    pub expected_ttl: u8,
    /// The segment's TOS or traffic class, ECN included.
    pub tos: u8,
    /// The segment's options: see [`crate::wire::Options`].
    pub options: u8,
    /// The segment's source MAC address, folded.
    pub mac: u8,
    /// What the kind says beside: times, counts, numbers.
    pub detail: [u32; 2],
    /// The flow before the segment: both sides' numbers and the recorder.
    pub flow: Flow,
    /// The flow's cold state before the segment, which its history ends with.
    pub extra: Extra,
}

const _: () = assert!(size_of::<Event>() == 544);

impl Event {
    /// Reads a record from the ring; `None` if its size or version is not ours.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let event = Self::read_from_bytes(bytes).ok()?;
        let known = event.version == EVENT_VERSION
            && Kind::from_u8(event.kind).is_some()
            && Severity::from_u8(event.severity).is_some()
            && Confidence::from_u8(event.confidence).is_some()
            && Hook::from_u8(event.hook).is_some();
        known.then_some(event)
    }

    /// Reads a flow that gave way from the ring; `None` if it is something else.
    pub fn parted(bytes: &[u8]) -> Option<Self> {
        Self::read_from_bytes(bytes).ok().filter(|event| event.version == EVENT_VERSION && event.kind == PARTED)
    }

    /// What was found.
    pub const fn kind(&self) -> Option<Kind> {
        Kind::from_u8(self.kind)
    }

    /// How much to care.
    pub const fn severity(&self) -> Severity {
        match Severity::from_u8(self.severity) {
            Some(severity) => severity,
            None => Severity::Info,
        }
    }

    /// How sure.
    pub const fn confidence(&self) -> Confidence {
        match Confidence::from_u8(self.confidence) {
            Some(confidence) => confidence,
            None => Confidence::None,
        }
    }

    /// Who claims to have sent the segment.
    pub const fn side(&self) -> Side {
        Side::from_index(self.side)
    }

    /// Where the segment was seen.
    pub const fn hook(&self) -> Hook {
        match Hook::from_u8(self.hook) {
            Some(hook) => hook,
            None => Hook::Observer,
        }
    }

    /// The anatomy, where the segment is a reset.
    pub const fn rst_class(&self) -> Option<RstClass> {
        RstClass::from_u8(self.class)
    }

    /// The recorded segment that a reset answers, as far as the recorder still has it: the one that it acknowledges, or whose
    /// acknowledgment it took over, else the other side's latest. `None` for other segments.
    pub fn trigger(&self) -> Option<Segment> {
        if !self.is_reset() {
            return None;
        }
        let answered = |segment: &Segment| {
            if self.segment.flags.any(TcpFlags::ACK) {
                segment.end() == self.segment.ack && segment.end() != segment.seq
            } else {
                segment.flags.any(TcpFlags::ACK) && segment.ack == self.segment.seq
            }
        };
        let theirs = || merged(&self.flow).into_iter().rev().flatten().filter(|(side, _)| *side != self.side());
        theirs().find(|(_, segment)| answered(segment)).or_else(|| theirs().next()).map(|(_, segment)| segment)
    }

    /// Whether the segment is a reset.
    pub const fn is_reset(&self) -> bool {
        self.segment.flags.any(TcpFlags::RST)
    }
}
