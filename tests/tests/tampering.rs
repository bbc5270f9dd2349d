//! The engine's verdict on connections at rest against a reference that works on the list of their packets.

use std::collections::BTreeMap;

use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use sensor::host::Host;
use sensor_common::{
    config::Config,
    detect::{Severity, rest::at_rest, tampering::Stage},
    engine::Seen,
    event::{Event, Hook},
    wire::Slice,
};
use tests::{
    captures,
    reference::{Listed, classify},
    scenario::{ACK, PSH_ACK, RST, RST_ACK, Scenario, Seat, Who},
};

#[derive(Clone, Debug)]
enum Step {
    SynAgain,
    SynAck,
    Challenge,
    Ack,
    Data(usize),
    Again,
    Unseen(usize),
    Reset { acked: bool, field: Option<u32>, seq_by: i32, ttl: Option<u8> },
    ServerData,
    ServerAck,
    ServerFin,
    ServerReset,
    ClientFin,
}

fn step() -> impl Strategy<Value = Step> {
    let field = prop_oneof![3 => Just(None), 3 => Just(Some(0)), 3 => Just(Some(7)), 2 => Just(Some(9)), 1 => any::<u32>().prop_map(Some)];
    let seq_by = prop_oneof![4 => Just(0), 1 => -1500..1500i32];
    let reset = (any::<bool>(), field, seq_by, prop::option::weighted(0.2, any::<u8>()))
        .prop_map(|(acked, field, seq_by, ttl)| Step::Reset { acked, field, seq_by, ttl });
    prop_oneof![
        1 => Just(Step::SynAgain),
        2 => Just(Step::SynAck),
        1 => Just(Step::Challenge),
        2 => Just(Step::Ack),
        2 => (1..1400usize).prop_map(Step::Data),
        1 => (1..4000usize).prop_map(Step::Data),
        2 => Just(Step::Again),
        1 => (1..1400usize).prop_map(Step::Unseen),
        7 => reset,
        2 => Just(Step::ServerData),
        1 => Just(Step::ServerAck),
        1 => Just(Step::ServerFin),
        1 => Just(Step::ServerReset),
        1 => Just(Step::ClientFin),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let prefix = prop_oneof![
        1 => Just(vec![]),
        1 => Just(vec![Step::SynAck]),
        2 => Just(vec![Step::SynAck, Step::Ack]),
        3 => Just(vec![Step::SynAck, Step::Ack, Step::Data(300)]),
        1 => Just(vec![Step::SynAck, Step::Ack, Step::Data(300), Step::ServerData, Step::Ack, Step::ServerData]),
    ];
    let rest = prop_oneof![8 => prop::collection::vec(step(), 0..5), 1 => prop::collection::vec(step(), 5..14)];
    (prefix, rest).prop_map(|(prefix, rest)| [prefix, rest].concat())
}

/// The conversation, as plausible as its steps let it be: a server that has granted nothing says nothing but a challenge, and four
/// resets are enough.
fn talk(mut s: Scenario, steps: &[Step]) -> Scenario {
    let (mut granted, mut resets, mut last) = (false, 0, None);
    s = s.syn();
    for step in steps {
        s = match step {
            Step::SynAgain => s.syn(),
            Step::SynAck => {
                granted = true;
                s.synack()
            }
            Step::Challenge if !granted => s.from_server(ACK, |p| p),
            Step::Ack => s.ack(),
            Step::Data(len) => {
                last = Some(*len);
                s.client_data(*len)
            }
            Step::Unseen(len) => {
                last = None;
                s.from_client(PSH_ACK, |p| p.len(*len).unseen())
            }
            Step::Again => match last {
                Some(len) => s.from_client(PSH_ACK, |p| p.seq_by(-(len as i32)).len(len)),
                None => s,
            },
            Step::Reset { acked, field, seq_by, ttl } if resets < 4 => {
                resets += 1;
                s.from_client(if *acked { RST_ACK } else { RST }, |p| {
                    let p = p.seq_by(*seq_by);
                    let p = field.map_or(p.clone(), |field| p.raw_ack(field));
                    ttl.map_or(p.clone(), |ttl| p.ttl(ttl))
                })
            }
            Step::ServerData if granted => s.server_data(500),
            Step::ServerAck if granted => s.server_ack(),
            Step::ServerFin if granted => s.server_fin(),
            Step::ServerReset => s.server_rst(|p| p),
            Step::ClientFin => {
                last = None;
                s.client_fin()
            }
            _ => s,
        };
    }
    s
}

#[test]
fn verdicts_agree_with_the_reference() {
    let mut seen = BTreeMap::<_, u32>::new();
    let case = (steps(), any::<bool>(), any::<bool>(), prop::option::weighted(0.1, any::<bool>()), any::<u32>());
    // The same conversations each time; `PROPTEST_CASES` asks for more of them.
    let default = ProptestConfig::default();
    let config = ProptestConfig { cases: default.cases.max(6000), failure_persistence: None, ..default };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let failed = runner.run(&case, |(steps, v6, one_way, scanner, isn)| {
        let s = if v6 { Scenario::v6() } else { Scenario::v4() }.client(|c| c.isn(isn));
        let s = match scanner {
            None => s,
            Some(true) => s.client(|c| c.plain()),
            Some(false) => s.client(|c| c.id(54321)),
        };
        let seat = if one_way { Seat::ServerIngress } else { Seat::Server };
        let s = talk(s, &steps).seat(seat);
        let list: Vec<_> = s
            .frames()
            .iter()
            .filter(|frame| seat.hook(frame.from).is_some())
            .map(|frame| Listed::read(frame.from == Who::Client, &frame.bytes))
            .collect();
        let expected = classify(&list);
        let judged = |event: &Event| event.kind().filter(|kind| Stage::of(*kind).is_some());
        let found: Vec<_> = s.run().at_rest().iter().filter_map(judged).map(|kind| kind.id()).collect();
        prop_assert_eq!(&found, &expected.into_iter().collect::<Vec<_>>(), "{:#?}", list);
        Ok(())
    });
    if let Err(error) = failed {
        panic!("{error}");
    }
    let mut again = TestRunner::deterministic();
    for _ in 0..4000 {
        let steps = steps().new_tree(&mut again).map(|tree| proptest::strategy::ValueTree::current(&tree));
        let frames = talk(Scenario::v4(), &steps.expect("steps")).frames();
        let list: Vec<_> = frames.iter().map(|f| Listed::read(f.from == Who::Client, &f.bytes)).collect();
        *seen.entry(classify(&list)).or_default() += 1;
    }
    assert!(seen.len() >= 24, "all 23 signatures and stages, and none, are among random conversations: {seen:?}");
}

/// What third parties labelled as injected, by the signature that its labels name.
#[test]
fn labelled_captures_show_their_signatures() {
    let labelled = [
        ("tripwire__airtel.pcap", "ct-psh-rstack", 3, Severity::Info),
        ("tripwire__server_side_http_luke.pcap", "ct-psh-rst-rstack", 1, Severity::Warn),
    ];
    let Some(folder) = captures::folder() else { return };
    for (name, kind, times, least) in labelled {
        let mut host = Host::new(Config::replay(255));
        let mut last = 0;
        for (_, (time, bytes)) in captures::frames(&folder.join(name)) {
            let seen = Seen { ifindex: 0, tag: 0, hook: Hook::Observer };
            host.observe(time, &Slice::new(&bytes, bytes.len()), seen);
            last = time;
        }
        let flows = host.flows().iter().zip(host.extras());
        let found: Vec<_> = flows.filter_map(|(flow, extra)| at_rest(flow, extra, 0, last + 4_000_000_000)).collect();
        let is = |event: &&Event| event.kind().is_some_and(|k| k.id() == kind) && event.severity() >= least;
        assert_eq!(found.iter().filter(is).count(), times, "{name}");
        assert_eq!(found.len(), times, "{name}: nothing else");
    }
}
