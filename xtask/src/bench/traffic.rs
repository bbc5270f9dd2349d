//! The frames: conversations with exact numbers, so that what is measured is the path of honest traffic.

mod talk;

use anyhow::{Context, Result};
use sensor_common::config::Config;
use sensor_common::table::{self, WAYS};
use sensor_common::wire::{Packet, Slice, parse};

use super::recipe::{ETHERNET, IPV6, PLAIN, Recipe, SENT, VLAN, WORDS, place};
pub(super) use talk::Talk;
use talk::{Random, Step};

/// Bytes of every frame; a test-run's buffer does not change its length. A pure ACK says in its IP header that it is shorter.
pub(super) const FRAME: usize = 130;

/// One side's data, and the other's acknowledgment.
const CONVERSATION: [Step; 2] = [&[Talk::data], &[Talk::data_ack]];

/// The loopback device, which a test-run gives as the interface.
pub(super) const INTERFACE: u32 = 1;

/// How the frames of a run lie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout(pub(super) u32);

impl Layout {
    /// IPv4.
    pub(super) const PLAIN: Self = Self(PLAIN);
    /// IPv4 behind a VLAN tag.
    pub(super) const VLAN: Self = Self(VLAN);
    /// IPv6.
    pub(super) const IPV6: Self = Self(IPV6);

    /// Bytes of the frame in front of TCP.
    fn before_tcp(self) -> usize {
        ETHERNET + [20, 24, 40][self.0 as usize]
    }

    /// Payload of a data segment: what TCP's header with timestamps leaves.
    fn payload(self) -> u8 {
        (FRAME - self.before_tcp() - 32) as u8
    }

    /// A frame with room for every recipe: what the feeder does not write is the same in all.
    pub(super) fn template(self) -> [u8; FRAME] {
        let mut frame = [0; FRAME];
        let link: &[u8] = match self {
            Self::VLAN => &[0x81, 0, 0, 7, 8, 0],
            Self::IPV6 => &[0x86, 0xdd, 0x60, 0, 0, 0],
            _ => &[8, 0],
        };
        frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        frame[12..12 + link.len()].copy_from_slice(link);
        if self == Self::IPV6 {
            // The same network for both, as frames go both ways.
            for address in [22, 38] {
                frame[address..address + 4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
            }
        }
        frame
    }

    /// Writes a recipe's frame in some lap, as the feeder does.
    pub(super) fn fill(self, frame: &mut [u8], recipe: &Recipe, lap: u32) {
        for index in 0..WORDS {
            if let Some(at) = place(self.0, index) {
                frame[at..at + 4].copy_from_slice(&recipe.word(index, lap).to_ne_bytes());
            }
        }
    }
}

/// The recipes of a run, in the order in which they are fed.
pub(super) struct Traffic {
    /// How its frames lie.
    pub(super) layout: Layout,
    /// Requests, answers, and their acknowledgments, one of each a flow; empty where no flow is to be established.
    pub(super) handshakes: Vec<Recipe>,
    /// One lap.
    pub(super) lap: Vec<Recipe>,
}

impl Traffic {
    /// `n` conversations. In each lap one side sends data and the other acknowledges it; the order of all is shuffled, but no
    /// acknowledgment comes before its data.
    pub(super) fn established(n: usize, layout: Layout, config: &Config) -> Result<Self> {
        Self::established_at(INTERFACE, n, layout, config)
    }

    /// The same at another interface than a test-run's.
    pub(super) fn established_at(interface: u32, n: usize, layout: Layout, config: &Config) -> Result<Self> {
        let mut random = Random(0x5eed);
        let talks = talks(n, (interface, layout), config, &mut random)?;
        let lap = woven(&talks, &CONVERSATION, &mut random);
        Ok(Self { layout, handshakes: handshakes(&talks), lap })
    }

    /// The same, and one frame in a hundred is a forged reset: each lap strikes the same of the connections once.
    pub(super) fn struck(n: usize, config: &Config) -> Result<Self> {
        let mut random = Random(0x5eed);
        let talks = talks(n, (INTERFACE, Layout::PLAIN), config, &mut random)?;
        let mut lap = woven(&talks, &CONVERSATION, &mut random);
        // At the lap's end, when every victim has said what it says in it.
        lap.extend(talks.iter().take(struck(n)).map(Talk::forged_reset));
        Ok(Self { layout: Layout::PLAIN, handshakes: handshakes(&talks), lap })
    }

    /// Connections at an interface, and then resets forged in the name of one side of each, again and again.
    pub(super) fn resets(interface: u32, n: usize, config: &Config) -> Result<Self> {
        let mut random = Random(0x5eed);
        let talks = talks(n, (interface, Layout::PLAIN), config, &mut random)?;
        let lap = talks.iter().map(Talk::early_reset).collect();
        Ok(Self { layout: Layout::PLAIN, handshakes: handshakes(&talks), lap })
    }

    /// `n` connections at a time, from handshake to close, their segments woven into one another. Each lap has new ones.
    pub(super) fn churn(n: usize) -> Self {
        let mut random = Random(0xc0de);
        let talks: Vec<Talk> = (0..n).map(|_| Talk::new(&mut random, Layout::PLAIN)).collect();
        let lap = woven(&talks, &Talk::LIFE, &mut random);
        Self { layout: Layout::PLAIN, handshakes: Vec::new(), lap }
    }

    /// Connection requests, no two of one flow.
    pub(super) fn flood() -> Self {
        let talk = Talk::new(&mut Random(0xf100d), Layout::PLAIN);
        let syn = Recipe { scatter: SENT, seq_step: 251, ..talk.syn() };
        Self { layout: Layout::PLAIN, handshakes: Vec::new(), lap: vec![syn] }
    }

    /// Frames that are not TCP.
    pub(super) fn other() -> Self {
        let recipe = Talk::known(Layout::PLAIN).datagram();
        Self { layout: Layout::PLAIN, handshakes: Vec::new(), lap: vec![recipe] }
    }

    /// `sets` times `n` conversations, each set in its two directions: what one side sends, and what the other acknowledges.
    pub(super) fn directions(n: usize, sets: usize, config: &Config) -> Result<Vec<[Self; 2]>> {
        let mut random = Random(0x2c9);
        let talks = patient(talks(n * sets, (INTERFACE, Layout::PLAIN), config, &mut random)?);
        let mut direction = |talks: &[Talk], step: fn(&Talk) -> Recipe| {
            let mut lap: Vec<Recipe> = talks.iter().map(step).collect();
            random.shuffle(&mut lap);
            Self { layout: Layout::PLAIN, handshakes: handshakes(talks), lap }
        };
        Ok(talks.chunks(n).map(|set| [direction(set, Talk::data), direction(set, Talk::data_ack)]).collect())
    }
}

/// How many of `n` connections are struck in a lap: one frame in a hundred.
pub(super) fn struck(n: usize) -> usize {
    n * 2 / 99
}

/// `n` connections. Those whose bucket is full already are replaced by others, so that all have a place.
fn talks(n: usize, (interface, layout): (u32, Layout), config: &Config, random: &mut Random) -> Result<Vec<Talk>> {
    let mut taken = vec![0u8; config.bucket_mask as usize + 1];
    let mut talks = Vec::with_capacity(n);
    while talks.len() < n {
        let talk = Talk::new(random, layout);
        let bucket = &mut taken[bucket_of(&talk.syn(), (interface, layout), config)?];
        if usize::from(*bucket) < WAYS {
            *bucket += 1;
            talks.push(talk);
        }
    }
    Ok(talks)
}

/// Connections with windows of megabytes, which take what is acknowledged late.
fn patient(mut talks: Vec<Talk>) -> Vec<Talk> {
    talks.iter_mut().for_each(Talk::open_windows);
    talks
}

fn handshakes(talks: &[Talk]) -> Vec<Recipe> {
    let steps: [fn(&Talk) -> Recipe; 3] = [Talk::syn, Talk::syn_ack, Talk::ack];
    steps.iter().flat_map(|step| talks.iter().map(step)).collect()
}

/// Every step of every connection, shuffled, but a connection's own steps in their order, and what is one step together.
fn woven(talks: &[Talk], steps: &[Step], random: &mut Random) -> Vec<Recipe> {
    let mut order: Vec<u32> = (0..steps.len()).flat_map(|_| 0..talks.len() as u32).collect();
    random.shuffle(&mut order);
    let mut done = vec![0; talks.len()];
    let next = |flow: u32| {
        let done = &mut done[flow as usize];
        *done += 1;
        steps[*done - 1].iter().map(move |segment| segment(&talks[flow as usize]))
    };
    order.into_iter().flat_map(next).collect()
}

/// The bucket of a recipe's flow, found as the program finds it.
fn bucket_of(recipe: &Recipe, (interface, layout): (u32, Layout), config: &Config) -> Result<usize> {
    let mut frame = layout.template();
    layout.fill(&mut frame, recipe, 0);
    let mut packet = Packet::default();
    parse(&Slice::new(&frame, FRAME), interface, 0, config.vlan_in_key != 0, &mut packet)
        .ok()
        .context("the benchmark's own frames are not understood")?;
    Ok(table::place(&packet.key, config).bucket as usize)
}
