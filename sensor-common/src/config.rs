//! What the engine is told before it starts: read-only data of the kernel program, an argument elsewhere.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Words of the hash key: one for each 32-bit word of a flow key, and one to start with.
pub const HASH_KEYS: usize = 12;

/// The engine's configuration. Set once, before the program is loaded, so that the verifier prunes what is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Config {
    /// Secret, random multipliers of the flow hash.
    pub hash_keys: [u64; HASH_KEYS],
    /// Number of buckets minus one, a power of two minus one; a bucket holds 8 flows.
    pub bucket_mask: u32,
    /// Number of service slots minus one, a power of two minus one.
    pub service_mask: u32,
    /// Events a second, for each kind on each CPU, by severity; 0 is unlimited.
    pub rates: [u32; 4],
    /// Bytes of the ring that events below warn may fill.
    pub low_quota: u32,
    /// Findings of one flow that are told before the back-off begins.
    pub flow_findings: u32,
    /// Bytes of the ring up to which flows that gave way are handed on for their records; 0 if nobody wants them.
    pub record_quota: u32,
    /// So many of them a second on each CPU; 0 is unlimited.
    pub record_rate: u32,
    /// Whether VLAN ids are part of a flow's identity. Off where the NIC strips tags in one direction only.
    pub vlan_in_key: u8,
    /// Whether one hook sees both directions (mirror port), so that the hook does not tell which side is local.
    pub both_directions: u8,
    /// Where the kernel program takes its time from: see `ClockSource`.
    pub clock: u8,
    /// Keeps the record free of padding.
    pub reserved: [u8; 5],
}

/// Where the kernel program takes its time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ClockSource {
    /// Coarse for most packets, fine where a verdict needs it (Linux 5.11).
    CoarseAndFine = 0,
    /// Fine only: older kernels.
    Fine = 1,
    /// A map that the test writes. The production object contains no trace of it once loaded.
    Test = 2,
}

/// Multipliers for tests and replays, where nobody chooses addresses to collide; the agent draws its own at random.
pub const FIXED_HASH_KEYS: [u64; HASH_KEYS] = [
    0x9e37_79b9_7f4a_7c15,
    0xbf58_476d_1ce4_e5b9,
    0x94d0_49bb_1331_11eb,
    0xd6e8_feb8_6659_fd93,
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
    0x1d8e_4e27_c47d_124f,
    0xeb44_acca_b455_d165,
    0xc2b2_ae3d_27d4_eb4f,
    0x27d4_eb2f_1656_67c5,
];

impl Config {
    /// For captures: nothing is held back, since nobody waits at the other end of a ring.
    pub const fn replay(bucket_mask: u32) -> Self {
        Self {
            hash_keys: FIXED_HASH_KEYS,
            bucket_mask,
            service_mask: 4095,
            rates: [0; 4],
            low_quota: u32::MAX,
            flow_findings: 8,
            record_quota: 0,
            record_rate: 0,
            vlan_in_key: 1,
            both_directions: 0,
            clock: ClockSource::CoarseAndFine as u8,
            reserved: [0; 5],
        }
    }

    /// Has flows that give way handed on: through an eighth of the ring, where there is one.
    pub const fn with_records(self, ring_bytes: u32, rate: u32) -> Self {
        Self { record_quota: ring_bytes / 8, record_rate: rate, ..self }
    }

    /// For a live interface: cheap findings are limited, severe ones are not.
    pub const fn live(hash_keys: [u64; HASH_KEYS], bucket_mask: u32, ring_bytes: u32) -> Self {
        Self { hash_keys, rates: [200, 200, 0, 0], low_quota: ring_bytes / 2, ..Self::replay(bucket_mask) }
    }
}
