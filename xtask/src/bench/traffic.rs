//! The frames: conversations with exact numbers, so that what is measured is the path of honest traffic.

use anyhow::{Context, Result};
use sensor_common::config::Config;
use sensor_common::table::{self, WAYS};
use sensor_common::wire::{Packet, Slice, parse};

use super::recipe::{ETHERNET, Recipe, WORDS};

/// Bytes of every frame; a test-run's buffer does not change its length. A pure ACK says in its IP header that it is shorter.
pub(super) const FRAME: usize = 130;

/// The loopback device, which a test-run gives as the interface.
pub(super) const INTERFACE: u32 = 1;

/// Payload of a data segment: the frame less Ethernet, IPv4, TCP and the timestamps option.
const PAYLOAD: u8 = (FRAME - ETHERNET - 20 - 32) as u8;

const SYN: u32 = 2;
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

/// The recipes of a run, in the order in which they are fed.
pub(super) struct Traffic {
    /// Requests, answers, and their acknowledgments, one of each a flow; empty where no flow is to be established.
    pub(super) handshakes: Vec<Recipe>,
    /// One lap.
    pub(super) lap: Vec<Recipe>,
}

impl Traffic {
    /// `n` conversations. In each lap one side sends data and the other acknowledges it; the order of all is shuffled, but no
    /// acknowledgment comes before its data. Flows whose bucket is full already are replaced by others, so that all have a place.
    pub(super) fn established(n: usize, config: &Config) -> Result<Self> {
        let mut random = Random(0x5eed);
        let mut taken = vec![0u8; config.bucket_mask as usize + 1];
        let mut talks = Vec::with_capacity(n);
        while talks.len() < n {
            let talk = Talk::new(&mut random);
            let bucket = &mut taken[bucket_of(&talk.syn(), config)?];
            if usize::from(*bucket) < WAYS {
                *bucket += 1;
                talks.push(talk);
            }
        }
        let steps: [fn(&Talk) -> Recipe; 3] = [Talk::syn, Talk::syn_ack, Talk::ack];
        let handshakes = steps.iter().flat_map(|step| talks.iter().map(step)).collect();
        let mut order: Vec<u32> = (0..n as u32).chain(0..n as u32).collect();
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i as u64 + 1) as usize);
        }
        let mut begun = vec![false; n];
        let lap = order.into_iter().map(|flow| {
            let first = !std::mem::replace(&mut begun[flow as usize], true);
            let talk = &talks[flow as usize];
            if first { talk.data() } else { talk.data_ack() }
        });
        Ok(Self { handshakes, lap: lap.collect() })
    }

    /// Connection requests, no two of one flow.
    pub(super) fn flood() -> Self {
        let syn = Recipe { scatter: 1, seq_step: 251, ..Talk::new(&mut Random(0xf100d)).syn() };
        Self { handshakes: Vec::new(), lap: vec![syn] }
    }

    /// Frames that are not TCP.
    pub(super) fn other() -> Self {
        let mut recipe = Talk::new(&mut Random(0x0dd)).data();
        recipe.headers[2] = (64 << 24 | UDP << 16).to_be();
        Self { handshakes: Vec::new(), lap: vec![recipe] }
    }
}

/// A frame with room for every recipe: what the feeder does not write is the same in all.
pub(super) fn template() -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    frame[..ETHERNET].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]);
    frame
}

/// Writes a recipe's frame in some lap, as the feeder does.
pub(super) fn fill(frame: &mut [u8], recipe: &Recipe, lap: u32) {
    let words = frame[ETHERNET..].chunks_exact_mut(4).take(WORDS);
    words.enumerate().for_each(|(index, word)| word.copy_from_slice(&recipe.word(index, lap).to_ne_bytes()));
}

/// The bucket of a recipe's flow, found as the program finds it.
fn bucket_of(recipe: &Recipe, config: &Config) -> Result<usize> {
    let mut frame = template();
    fill(&mut frame, recipe, 0);
    let mut packet = Packet::default();
    parse(&Slice::new(&frame, FRAME), INTERFACE, 0, config.vlan_in_key != 0, &mut packet)
        .ok()
        .context("the benchmark's own frames are not understood")?;
    Ok(table::place(&packet.key, config).bucket as usize)
}

/// A connection. Index 0 is the client.
struct Talk {
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
    fn new(random: &mut Random) -> Self {
        let mut pair = |below| [random.below(below) as u32, random.below(below) as u32];
        let (isn, tsval, ipid, window) = (pair(1 << 32), pair(1 << 32), pair(1 << 16), pair(200));
        let [client, server] = pair(1 << 24);
        let [port, speaker] = pair(1 << 15);
        Self {
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

    fn syn(&self) -> Recipe {
        self.recipe(0, SYN, 0, 0, 0, 0)
    }

    fn syn_ack(&self) -> Recipe {
        self.recipe(1, SYN | ACK, 0, 1, 0, 0)
    }

    fn ack(&self) -> Recipe {
        self.recipe(0, ACK, 1, 1, 0, 1)
    }

    fn data(&self) -> Recipe {
        Recipe { seq_step: PAYLOAD, ..self.recipe(self.speaker, PSH | ACK, 1, 1, PAYLOAD, 2) }
    }

    fn data_ack(&self) -> Recipe {
        let ack = 1 + u32::from(PAYLOAD);
        Recipe { ack_step: PAYLOAD, ..self.recipe(self.speaker ^ 1, ACK, 1, ack, 0, 2) }
    }

    /// A segment with its numbers relative to the connection's; `n` counts on IP-ID and timestamp.
    fn recipe(&self, from: usize, flags: u32, seq: u32, ack: u32, payload: u8, n: u32) -> Recipe {
        let to = from ^ 1;
        let offset = if flags & SYN != 0 { 10 } else { 8 };
        let seq = self.isn[from].wrapping_add(seq);
        let ack = if flags & ACK != 0 { self.isn[to].wrapping_add(ack) } else { 0 };
        let echo = if flags & ACK != 0 { self.tsval[to] } else { 0 };
        let ttl = [57, 64][from];
        let words: [u32; WORDS] = [
            0x4500 << 16 | (20 + offset * 4 + u32::from(payload)),
            (self.ipid[from].wrapping_add(n) & 0xffff) << 16 | 0x4000,
            ttl << 24 | TCP << 16,
            self.addrs[from],
            self.addrs[to],
            self.ports[from] << 16 | self.ports[to],
            seq,
            ack,
            offset << 28 | flags << 16 | self.window[from],
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
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % bound
    }
}
