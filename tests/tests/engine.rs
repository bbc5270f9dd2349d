//! What holds of the engine whatever it is shown.

use proptest::{collection::vec, prelude::*};
use sensor::host::Host;
use sensor_common::{
    config::Config,
    counters::{Counter, Cpu},
    engine::Seen,
    event::{Event, Hook},
    flow::{Key, TcpFlags},
    wire::Slice,
};
use tests::scenario::{Scenario, Who};
use zerocopy::IntoBytes;

const REASONS: [Counter; 7] = [
    Counter::NotTcp,
    Counter::Truncated,
    Counter::BadIpHeader,
    Counter::BadTcpHeader,
    Counter::Fragments,
    Counter::ExtensionLimit,
    Counter::VlanLimit,
];

/// One segment of a random conversation, mostly plausible.
#[derive(Clone, Debug)]
struct Move {
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
    fn a_move()(
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
fn frames(v6: bool, isn: u32, moves: &[Move]) -> Vec<(u64, Hook, Vec<u8>)> {
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

fn observe(config: Config, frames: &[(u64, Hook, Vec<u8>)]) -> (Host, Vec<Event>) {
    let mut host = Host::new(config);
    for (time, hook, bytes) in frames {
        host.observe(*time, &Slice::new(bytes, bytes.len()), Seen { ifindex: 1, tag: 0, hook: *hook });
    }
    let events = host.drain().collect();
    (host, events)
}

/// The identities that the counters promise.
fn consistent(host: &Host) -> Result<(), TestCaseError> {
    let cpu: &Cpu = host.cpu();
    prop_assert_eq!(cpu.matched_total(), cpu.accounted_total());
    let refused: u64 = REASONS.into_iter().map(|reason| cpu.get(reason)).sum();
    prop_assert_eq!(cpu.get(Counter::Packets), cpu.get(Counter::Segments) + refused);
    let evicted = [Counter::EvictedExpired, Counter::EvictedClosed, Counter::EvictedEmbryonic].map(|c| cpu.get(c));
    let used = host.flows().iter().filter(|flow| flow.head.key != Key::default()).count() as u64;
    prop_assert_eq!(cpu.get(Counter::FlowsCreated), used + evicted.iter().sum::<u64>());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn random_conversations(v6: bool, isn: u32, rate in 0..3u32, findings in 1..10u32, moves in vec(a_move(), 0..60)) {
        let config = Config { rates: [rate; 4], flow_findings: findings, ..Config::replay(1) };
        let frames = frames(v6, isn, &moves);
        let (host, events) = observe(config, &frames);
        consistent(&host)?;
        prop_assert_eq!(host.cpu().get(Counter::Submitted), events.len() as u64);
        for event in &events {
            let decoded = Event::decode(event.as_bytes());
            prop_assert!(decoded.is_some_and(|decoded| decoded.kind() == event.kind()));
            prop_assert!(event.trigger().is_some() || !event.is_reset() || event.rst_class().is_some());
        }
        let (again, same) = observe(config, &frames);
        prop_assert_eq!(again.cpu().as_bytes(), host.cpu().as_bytes());
        prop_assert_eq!(events.as_bytes(), same.as_bytes());
    }

    #[test]
    fn hostile_bytes(frames in vec(vec(any::<u8>(), 0..120), 1..20)) {
        let frames: Vec<_> = frames.into_iter().map(|bytes| (0, Hook::Ingress, bytes)).collect();
        let (host, _) = observe(Config::replay(0), &frames);
        prop_assert_eq!(host.cpu().get(Counter::Packets), frames.len() as u64);
        consistent(&host)?;
    }

    /// Hostile from the IP header on.
    #[test]
    fn hostile_packets(v6: bool, frames in vec(vec(any::<u8>(), 0..120), 1..20)) {
        let ethertype = if v6 { [0x86, 0xdd] } else { [8, 0] };
        let link = [&[0; 12][..], &ethertype].concat();
        let frames: Vec<_> = frames
            .into_iter()
            .map(|mut bytes| {
                if let Some(first) = bytes.first_mut() {
                    *first = if v6 { 0x60 } else { 0x40 } | *first & 0xf;
                }
                if let Some(protocol) = bytes.get_mut(if v6 { 6 } else { 9 }) {
                    *protocol = if *protocol < 128 { 6 } else { [0, 43, 44, 51, 60][usize::from(*protocol) % 5] };
                }
                (0, Hook::Ingress, [&link[..], &bytes].concat())
            })
            .collect();
        let (host, _) = observe(Config::replay(0), &frames);
        consistent(&host)?;
    }
}
