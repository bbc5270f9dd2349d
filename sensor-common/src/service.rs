//! Counts by service: the denominators of "1 of 2605 connections".

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    event::ServiceSnapshot,
    flow::{Key, Side},
};

/// One service: server address and port, and exact counts. 128 bytes.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Service {
    /// Server address, as in [`crate::flow::Key`].
    pub addr: [u32; 4],
    /// Hash tag of the service; 0 where the slot is free.
    pub tag: u32,
    /// Server port.
    pub port: u32,
    /// By [`ServiceCounter`].
    pub counters: [u64; SERVICE_COUNTERS],
}

/// Counters of a service.
pub const SERVICE_COUNTERS: usize = 13;

const _: () = assert!(size_of::<Service>() == 128 && ServiceCounter::ALL.len() <= SERVICE_COUNTERS);

/// What is counted of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ServiceCounter {
    /// Connection requests that were answered, retries included.
    Syn,
    /// Connection requests that were repeated.
    SynRetransmit,
    /// SYN-ACKs, repeats included.
    SynAck,
    /// Connections whose two sides came to agree.
    Established,
    /// Segments with FIN that were the first of their side.
    Fin,
    /// Resets.
    Rst,
    /// Bare ACKs in answer to a SYN.
    BareAck,
    /// Answered connection requests that asked for ECN.
    EcnAsked,
    /// Answers that granted it.
    EcnGranted,
    /// Segments that repeated payload.
    Retransmit,
    /// Connections with a finding of severity warn or above.
    Flagged,
    /// Connections that asked for ECN and came about.
    EcnWorked,
    /// Connection requests with ECN that failed, though the server was there.
    EcnFailed,
}

impl ServiceCounter {
    /// Every counter with its public name, in order.
    pub const ALL: [(Self, &'static str); 13] = [
        (Self::Syn, "syn"),
        (Self::SynRetransmit, "syn_retransmit"),
        (Self::SynAck, "syn_ack"),
        (Self::Established, "established"),
        (Self::Fin, "fin"),
        (Self::Rst, "rst"),
        (Self::BareAck, "bare_ack"),
        (Self::EcnAsked, "ecn_asked"),
        (Self::EcnGranted, "ecn_granted"),
        (Self::Retransmit, "retransmit"),
        (Self::Flagged, "flagged"),
        (Self::EcnWorked, "ecn_worked"),
        (Self::EcnFailed, "ecn_failed"),
    ];
}

impl Service {
    /// The value of a counter.
    #[inline(always)]
    pub const fn get(&self, counter: ServiceCounter) -> u64 {
        self.counters[counter as usize]
    }

    /// The counts that go with an event.
    #[inline(always)]
    pub const fn snapshot(&self) -> ServiceSnapshot {
        ServiceSnapshot {
            established: self.get(ServiceCounter::Established),
            flagged: self.get(ServiceCounter::Flagged),
            rst: self.get(ServiceCounter::Rst),
        }
    }

    /// Whether this slot holds the service of `side` of `key`.
    #[inline(always)]
    pub fn is(&self, tag: u32, key: &Key, side: Side) -> bool {
        self.tag == tag && self.addr == *key.addr(side) && self.port == key.port(side) as u32
    }
}
