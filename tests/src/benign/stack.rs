//! TCP stacks: what tells one from another in their headers.

/// How a stack numbers its IPv4 packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ids {
    /// A counter of its own for each socket; zero where there is none (Linux).
    PerSocket,
    /// One counter for all that the host sends (Windows, lwIP).
    PerHost,
    /// Zero always, since nothing may be fragmented (macOS, FreeBSD).
    Zero,
    /// Random (OpenBSD).
    Random,
}

/// What a stack does that another does not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack {
    /// Initial TTL.
    pub(super) ttl: u8,
    /// IPv4 identification.
    pub(super) ids: Ids,
    /// Don't-fragment bit.
    pub(super) dont_fragment: bool,
    /// Receive buffer in bytes.
    pub(super) buffer: u32,
    /// Window scale shift, where offered.
    pub(super) wscale: Option<u8>,
    /// Whether timestamps are offered.
    pub(super) timestamps: bool,
    /// Whether selective acknowledgments are offered.
    pub(super) sack: bool,
    /// Maximum segment size.
    pub(super) mss: u16,
    /// Whether it leaves the cutting of large segments to the NIC.
    pub(super) offload: bool,
    /// Whether a reset without a socket has the ACK flag also in answer to an ACK (lwIP).
    pub(super) ack_in_resets: bool,
    /// Whether a probe carries a byte.
    pub(super) byte_probes: bool,
    /// Whether an abort's window is the socket's (Linux, BSD) or zero (Windows).
    pub(super) window_in_abort: bool,
    /// How long an acknowledgment may wait, in milliseconds.
    pub(super) ack_delay: u64,
    /// Whether its requests may ask for ECN, and a new flow label follows a timeout.
    pub(super) linux: bool,
}

const LINUX: Stack = Stack {
    ttl: 64,
    ids: Ids::PerSocket,
    dont_fragment: true,
    buffer: 1 << 18,
    wscale: Some(7),
    timestamps: true,
    sack: true,
    mss: 1460,
    offload: true,
    ack_in_resets: false,
    byte_probes: false,
    window_in_abort: true,
    ack_delay: 40,
    linux: true,
};

const WINDOWS: Stack = Stack {
    ttl: 128,
    ids: Ids::PerHost,
    buffer: 1 << 17,
    wscale: Some(8),
    timestamps: false,
    byte_probes: true,
    window_in_abort: false,
    ack_delay: 50,
    linux: false,
    ..LINUX
};

const MACOS: Stack = Stack { ids: Ids::Zero, buffer: 1 << 17, wscale: Some(6), ack_delay: 100, linux: false, ..LINUX };

const OPENBSD: Stack =
    Stack { ids: Ids::Random, buffer: 1 << 16, wscale: Some(3), offload: false, byte_probes: true, ..MACOS };

/// A phone's network takes more of each packet.
const ANDROID: Stack = Stack { mss: 1360, buffer: 1 << 16, wscale: Some(8), ..LINUX };

const LWIP: Stack = Stack {
    ttl: 255,
    ids: Ids::PerHost,
    dont_fragment: false,
    buffer: 5840,
    wscale: None,
    timestamps: false,
    sack: false,
    mss: 536,
    offload: false,
    ack_in_resets: true,
    byte_probes: true,
    window_in_abort: true,
    ack_delay: 250,
    linux: false,
};

/// What clients run.
pub(super) const CLIENTS: [Stack; 9] = [LINUX, LINUX, WINDOWS, WINDOWS, MACOS, ANDROID, ANDROID, OPENBSD, LWIP];

/// What servers run.
pub(super) const SERVERS: [Stack; 7] = [LINUX, LINUX, LINUX, WINDOWS, MACOS, OPENBSD, LWIP];
