//! Random conversations: mostly plausible, sometimes forged, damaged or cut.

use proptest::prelude::*;
use sensor_common::{event::Hook, flow::TcpFlags};

use crate::scenario::{Scenario, Who};

/// One segment of a random conversation, mostly plausible.
#[derive(Clone, Debug)]
pub struct Move {
    client: bool,
    flags: u8,
    seq_by: i32,
    ack_by: i32,
    len: usize,
    ttl: Option<u8>,
    win: Option<u16>,
    id: Option<u16>,
    port: u16,
    gap: u64,
    forged: bool,
    /// Byte to change in the frame, and into what.
    damage: Option<(prop::sample::Index, u8)>,
    /// Where to cut the frame.
    cut: Option<prop::sample::Index>,
}

fn near() -> impl Strategy<Value = i32> {
    prop_oneof![10 => Just(0), 2 => -3000..3000, 1 => any::<i32>()]
}

fn rarely<T: Clone + std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.1, strategy)
}

prop_compose! {
    /// Any move.
    pub fn a_move()(
        (client, forged) in (any::<bool>(), prop::bool::weighted(0.1)),
        flags in prop_oneof![6 => Just(0x10u8), 3 => Just(0x18), 2 => Just(0x02), 2 => Just(0x12), 2 => Just(0x11),
                             2 => Just(0x14), 1 => Just(0x04), 1 => any::<u8>()],
        (seq_by, ack_by) in (near(), near()),
        len in prop_oneof![Just(0usize), Just(1usize), 0..1460usize],
        (ttl, win, id) in (rarely(any::<u8>()), rarely(any::<u16>()), rarely(any::<u16>())),
        port in 0..3u16,
        gap in prop_oneof![8 => 0..3_000_000u64, 1 => 0..700_000_000_000u64, 1 => any::<u64>().prop_map(|n| n >> 8)],
        damage in prop::option::weighted(0.05, (any::<prop::sample::Index>(), any::<u8>())),
        cut in prop::option::weighted(0.03, any::<prop::sample::Index>()),
    ) -> Move {
        Move { client, flags, seq_by, ack_by, len, ttl, win, id, port, gap, forged, damage, cut }
    }
}

/// The frames of a conversation, with their times and hooks.
pub fn frames(v6: bool, isn: u32, moves: &[Move]) -> Vec<(u64, Hook, Vec<u8>)> {
    let mut scenario = if v6 { Scenario::v6() } else { Scenario::v4() }.client(|c| c.isn(isn)).handshake().talk(1);
    for m in moves {
        let from = if m.client { Who::Client } else { Who::Server };
        scenario = scenario.after_us(m.gap / 1000 % 1_000_000_000).send(from, TcpFlags(m.flags), |p| {
            let p = p.seq_by(m.seq_by).ack_by(m.ack_by).len(m.len);
            let p = if m.client { p.ports(40_000 + m.port, 443) } else { p.ports(443, 40_000 + m.port) };
            let p = m.ttl.map_or(p.clone(), |ttl| p.ttl(ttl));
            let p = m.win.map_or(p.clone(), |win| p.win(win));
            let p = m.id.map_or(p.clone(), |id| p.id(id));
            if m.forged { p.forged() } else { p }
        });
    }
    let mut frames = scenario.frames();
    let first = frames.len() - moves.len();
    for (frame, m) in frames[first..].iter_mut().zip(moves) {
        if let Some((at, value)) = m.damage {
            let at = at.index(frame.bytes.len());
            frame.bytes[at] = value;
        }
        if let Some(cut) = m.cut {
            frame.bytes.truncate(cut.index(frame.bytes.len()));
        }
    }
    let hook = |from| if from == Who::Client { Hook::Ingress } else { Hook::Egress };
    frames.into_iter().map(|frame| (frame.time, hook(frame.from), frame.bytes)).collect()
}
