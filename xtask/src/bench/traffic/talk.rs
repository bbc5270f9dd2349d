//! A connection, and the recipes of its segments.

use super::Layout;
use crate::bench::recipe::{RECEIVED, Recipe, SENT, WORDS};

const FIN: u32 = 1;
const SYN: u32 = 2;
const RST: u32 = 4;
const PSH: u32 = 8;
const ACK: u32 = 16;
const TCP: u32 = 6;
const UDP: u32 = 17;
/// No-op, no-op, timestamps of 10 bytes.
const TIMESTAMPS: u32 = 0x0101_080a;
/// Maximum segment size 1460.
const MSS: u32 = 0x0204_05b4;
/// Window scale 7, and a no-op.
const WSCALE: u32 = 0x0303_0701;

/// Segments that follow one another at once.
pub(super) type Step = &'static [fn(&Talk) -> Recipe];

/// A connection. Index 0 is the client.
pub(in crate::bench) struct Talk {
    layout: Layout,
    addrs: [u32; 2],
    ports: [u32; 2],
    isn: [u32; 2],
    window: [u32; 2],
    ipid: [u32; 2],
    tsval: [u32; 2],
    /// Who sends the data.
    speaker: usize,
}

impl Talk {
    /// The steps of a short connection, each with what makes every lap's another one. The last acknowledgment follows at once: a
    /// connection that both sides have closed may give way, and with all of them closed in one second, any of them.
    pub(super) const LIFE: [Step; 8] = [
        &[|t| t.by_client(SYN, 0, 0, 0, 0)],
        &[|t| t.by_server(SYN | ACK, 0, 1, 0, 0)],
        &[|t| t.by_client(ACK, 1, 1, 0, 1)],
        &[|t| t.by_client(PSH | ACK, 1, 1, 1, 2)],
        &[|t| t.by_server(PSH | ACK, 1, 2, 1, 1)],
        &[|t| t.by_client(ACK, 2, 2, 0, 3)],
        &[|t| t.by_client(FIN | ACK, 2, 2, 0, 4)],
        &[|t| t.by_server(FIN | ACK, 2, 3, 0, 2), |t| t.by_client(ACK, 3, 3, 0, 5)],
    ];

    /// The same one every time.
    pub(in crate::bench) fn known(layout: Layout) -> Self {
        Self::new(&mut Random(0x5eed), layout)
    }

    pub(super) fn new(random: &mut Random, layout: Layout) -> Self {
        let mut pair = |below| [random.below(below) as u32, random.below(below) as u32];
        let (isn, tsval, ipid, window) = (pair(1 << 32), pair(1 << 32), pair(1 << 16), pair(200));
        let [client, server] = pair(1 << 24);
        let [port, speaker] = pair(1 << 15);
        Self {
            layout,
            // 256 servers behind one port each, so that services share counters as they do in life.
            addrs: [10 << 24 | client, 0xc633_6400 | (server & 0xff)],
            ports: [0x8000 | port, 443],
            isn,
            window: window.map(|window| 400 + window),
            ipid,
            tsval,
            speaker: (speaker & 1) as usize,
        }
    }

    /// Windows as large as this scale allows.
    pub(super) fn open_windows(&mut self) {
        self.window = [0xffff; 2];
    }

    pub(in crate::bench) fn syn(&self) -> Recipe {
        self.recipe(0, SYN, 0, 0, 0, 0)
    }

    pub(in crate::bench) fn syn_ack(&self) -> Recipe {
        self.recipe(1, SYN | ACK, 0, 1, 0, 0)
    }

    pub(in crate::bench) fn ack(&self) -> Recipe {
        self.recipe(0, ACK, 1, 1, 0, 1)
    }

    pub(in crate::bench) fn data(&self) -> Recipe {
        let payload = self.layout.payload();
        Recipe { seq_step: payload, ..self.recipe(self.speaker, PSH | ACK, 1, 1, payload, 2) }
    }

    pub(in crate::bench) fn data_ack(&self) -> Recipe {
        let payload = self.layout.payload();
        let ack = 1 + u32::from(payload);
        Recipe { ack_step: payload, ..self.recipe(self.speaker ^ 1, ACK, 1, ack, 0, 2) }
    }

    /// A reset in the name of the side that sends the data, with the number that comes next after a lap's data, from a place
    /// nearer by.
    pub(in crate::bench) fn forged_reset(&self) -> Recipe {
        let payload = self.layout.payload();
        Recipe { seq_step: payload, ..self.reset(1 + u32::from(payload)) }
    }

    /// The same with the number that comes next after the handshake.
    pub(super) fn early_reset(&self) -> Recipe {
        self.reset(1)
    }

    fn reset(&self, seq: u32) -> Recipe {
        let mut recipe = self.recipe(self.speaker, RST, seq, 0, 0, 77);
        recipe.headers[2] = (61 << 24 | TCP << 16).to_be();
        recipe
    }

    /// What is not TCP, in a layout with IPv4.
    pub(in crate::bench) fn datagram(&self) -> Recipe {
        let mut recipe = self.data();
        recipe.headers[2] = (64 << 24 | UDP << 16).to_be();
        recipe
    }

    /// The first segment of a close, after a lap's data.
    pub(in crate::bench) fn fin(&self) -> Recipe {
        let payload = self.layout.payload();
        Recipe { seq_step: payload, ..self.recipe(self.speaker, FIN | ACK, 1 + u32::from(payload), 1, 0, 3) }
    }

    /// A step of [`Self::LIFE`]; numbers count the flags' and each other's payloads.
    fn by_client(&self, flags: u32, seq: u32, ack: u32, payload: u8, n: u32) -> Recipe {
        Recipe { scatter: SENT, ..self.step(0, flags, seq, ack, payload, n) }
    }

    fn by_server(&self, flags: u32, seq: u32, ack: u32, payload: u8, n: u32) -> Recipe {
        Recipe { scatter: RECEIVED, ..self.step(1, flags, seq, ack, payload, n) }
    }

    fn step(&self, from: usize, flags: u32, seq: u32, ack: u32, payloads: u8, n: u32) -> Recipe {
        // Beyond the SYN a number is one more for each payload of that side, and the rest are flags.
        let payload = self.layout.payload();
        let beyond = |number: u32| if number > 1 { number + u32::from(payload) - 1 } else { number };
        self.recipe(from, flags, beyond(seq), beyond(ack), payloads * payload, n)
    }

    /// A segment with its numbers relative to the connection's; `n` counts on IP-ID and timestamp.
    fn recipe(&self, from: usize, flags: u32, seq: u32, ack: u32, payload: u8, n: u32) -> Recipe {
        let to = from ^ 1;
        // A SYN has all options, a reset has none.
        let offset = match flags & (SYN | RST) {
            0 => 8,
            RST => 5,
            _ => 10,
        };
        let seq = self.isn[from].wrapping_add(seq);
        let ack = if flags & ACK != 0 { self.isn[to].wrapping_add(ack) } else { 0 };
        let echo = if flags & ACK != 0 { self.tsval[to] } else { 0 };
        let ttl = [57, 64][from];
        let window = if flags & RST != 0 { 0 } else { self.window[from] };
        let length = offset * 4 + u32::from(payload);
        let first = match self.layout {
            Layout::IPV6 => length << 16 | TCP << 8 | ttl,
            _ => 0x4500 << 16 | (20 + length),
        };
        let words: [u32; WORDS] = [
            first,
            (self.ipid[from].wrapping_add(n) & 0xffff) << 16 | 0x4000,
            ttl << 24 | TCP << 16,
            self.addrs[from],
            self.addrs[to],
            self.ports[from] << 16 | self.ports[to],
            seq,
            ack,
            offset << 28 | flags << 16 | window,
            0,
            TIMESTAMPS,
            self.tsval[from].wrapping_add(n),
            echo,
            if flags & SYN != 0 { MSS } else { 0 },
            if flags & SYN != 0 { WSCALE } else { 0 },
        ];
        Recipe { headers: words.map(u32::to_be), seq_step: 0, ack_step: 0, scatter: 0, reserved: 0 }
    }
}

/// The same numbers in every run (SplitMix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i as u64 + 1) as usize);
        }
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % bound
    }
}
