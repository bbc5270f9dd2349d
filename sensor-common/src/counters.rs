//! Exact counters, one set for each CPU, never sampled.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{detect::analysis::ROWS, kind::MAX_KINDS, limit::Bucket, opaque::hidden, passage::Passage, stray::Strays};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident, $id:literal;)*) => {
        /// What is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Counter {
            $($(#[$doc])* $name,)*
        }

        impl Counter {
            /// Every counter, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The public name.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }
        }
    };
}

counters! {
    /// Frames seen by either hook.
    Packets, "packets";
    /// TCP segments that were judged.
    Segments, "segments";
    /// Frames of other protocols.
    NotTcp, "not_tcp";
    /// Frames too short for the headers they announce.
    Truncated, "truncated";
    /// IP headers whose length or version field is impossible.
    BadIpHeader, "bad_ip_header";
    /// TCP data offsets below 5, or beyond the packet's end.
    BadTcpHeader, "bad_tcp_header";
    /// IP fragments other than the first: their TCP header is elsewhere.
    Fragments, "fragments";
    /// IPv6 packets with more than 6 extension headers.
    ExtensionLimit, "extension_limit";
    /// Frames with more than two VLAN tags.
    VlanLimit, "vlan_limit";
    /// Connection requests.
    Syn, "syn";
    /// Answers to connection requests.
    SynAck, "syn_ack";
    /// Segments with FIN.
    Fin, "fin";
    /// Resets.
    Rst, "rst";
    /// Segments with payload.
    Data, "data";
    /// Flows entered into the table.
    FlowsCreated, "flows_created";
    /// Flows whose two sides came to agree.
    FlowsEstablished, "flows_established";
    /// Segments of unknown flows that open none: resets, FINs, and what has neither SYN nor ACK.
    Strays, "strays";
    /// Of these, FINs with ACK.
    StrayFin, "stray_fin";
    /// Of these, SYN and FIN in one.
    StraySynFin, "stray_syn_fin";
    /// Of these, SYN and RST in one.
    StraySynRst, "stray_syn_rst";
    /// Of these, FIN and RST in one.
    StrayFinRst, "stray_fin_rst";
    /// Of these, FINs without ACK, as FIN and Xmas scans send them.
    StrayFinNoAck, "stray_fin_noack";
    /// Of these, none of SYN, ACK, FIN and RST, as null scans send them.
    StrayNull, "stray_null";
    /// Of these, plain resets.
    StrayRst, "stray_rst";
    /// Of these, plain resets that this host sent.
    StrayRstOut, "stray_rst_out";
    /// Resets that this host sent, of whichever kind.
    RstOut, "rst_out";
    /// Flows that began with a SYN-ACK: nobody was seen to ask.
    BegunSynAck, "begun_syn_ack";
    /// Flows that began midway, with neither SYN nor SYN-ACK.
    BegunMidway, "begun_midway";
    /// Flows replaced after their time was over.
    EvictedExpired, "evicted_expired";
    /// Closed flows replaced under pressure.
    EvictedClosed, "evicted_closed";
    /// Embryonic flows replaced under pressure.
    EvictedEmbryonic, "evicted_embryonic";
    /// Flows that found no place: their bucket was full of established ones.
    TableFull, "table_full";
    /// Flows that lost the race for a slot to another CPU.
    InsertRaces, "insert_races";
    /// Connections whose service found no place in the service table.
    ServiceOverflow, "service_overflow";
    /// Segments whose judgement could not go on, because the program for it was missing: 0, always.
    StageMissing, "stage_missing";
    /// Events handed to the ring.
    Submitted, "submitted";
    /// Events of severity warn and above that found the ring full.
    RingFullHigh, "ring_full_high";
    /// Events below warn that found their share of the ring full.
    RingFullLow, "ring_full_low";
    /// Events held back because their flow had told enough.
    HeldBackFlow, "held_back_flow";
    /// Events held back because their kind had told enough this second.
    HeldBackRate, "held_back_rate";
    /// Flows that gave way before they were told of, and were handed on for their records.
    RecordsHandedOn, "records_handed_on";
    /// The same that found their share of the ring full, or too many before them this second.
    RecordsSkipped, "records_skipped";
    /// Established flows that had carried no payload, replaced under pressure.
    EvictedSilent, "evicted_silent";
}

/// Room for counters.
pub const MAX_COUNTERS: usize = 64;

const _: () = assert!(Counter::ALL.len() <= MAX_COUNTERS);

/// One CPU's counters and token buckets.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Cpu {
    /// By [`Counter`].
    pub counters: [u64; MAX_COUNTERS],
    /// Findings by [`crate::kind::Kind`], told or not.
    pub matched: [u64; MAX_KINDS],
    /// Segments by row of [`crate::detect::analysis`], in order of its bits.
    pub analysis: [u64; ROWS],
    /// Token buckets by kind.
    pub buckets: [Bucket; MAX_KINDS],
    /// The last segments that belong to nobody.
    pub strays: Strays,
}

/// All that one CPU has to itself.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Local {
    /// Counters and token buckets.
    pub cpu: Cpu,
    /// Working memory for the segment at hand.
    pub passage: Passage,
}

impl Default for Cpu {
    fn default() -> Self {
        Self {
            counters: [0; MAX_COUNTERS],
            matched: [0; MAX_KINDS],
            analysis: [0; ROWS],
            buckets: [Bucket::default(); MAX_KINDS],
            strays: Strays::default(),
        }
    }
}

impl Cpu {
    /// Counts one.
    #[inline(always)]
    pub fn count(&mut self, counter: Counter) {
        let slot = &mut self.counters[counter as usize];
        *slot = slot.wrapping_add(1);
    }

    /// Counts one, where which counter it is is known at run time only.
    #[inline(always)]
    pub fn count_reason(&mut self, reason: Counter) {
        let slot = &mut self.counters[hidden(reason as usize) & (MAX_COUNTERS - 1)];
        *slot = slot.wrapping_add(1);
    }

    /// The value of a counter.
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// Adds another CPU's counters. Its strays stay its own.
    pub fn add(&mut self, other: &Self) {
        for (sum, n) in self.counters.iter_mut().zip(&other.counters) {
            *sum += n;
        }
        for (sum, n) in self.matched.iter_mut().zip(&other.matched) {
            *sum += n;
        }
        for (sum, n) in self.analysis.iter_mut().zip(&other.analysis) {
            *sum += n;
        }
    }

    /// All findings, told or not.
    pub fn matched_total(&self) -> u64 {
        self.matched.iter().sum()
    }

    /// Findings that are accounted for: submitted, lost to a full ring, or held back. Equals [`Cpu::matched_total`].
    pub fn accounted_total(&self) -> u64 {
        [Counter::Submitted, Counter::RingFullHigh, Counter::RingFullLow, Counter::HeldBackFlow, Counter::HeldBackRate]
            .into_iter()
            .map(|counter| self.get(counter))
            .sum()
    }
}
