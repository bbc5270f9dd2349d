//! What holds of the engine whatever it is shown.

use proptest::{collection::vec, prelude::*};
use sensor::host::Host;
use sensor_common::{
    config::Config,
    counters::{Counter, Cpu},
    engine::Seen,
    event::{Event, Hook},
    flow::Key,
    wire::Slice,
};
use tests::random::{a_move, frames};
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
