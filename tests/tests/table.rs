//! Who has to go when the table is full, and who never does.

use std::net::{Ipv4Addr, SocketAddr};

use sensor::{host::Host, lab::forge::TcpPacket};
use sensor_common::{
    config::Config,
    counters::Counter,
    engine::Seen,
    event::Hook,
    flow::{Flow, HeadBits, Side, TcpFlags},
    seq::SeqNumber,
    wire::Slice,
};
use tests::scenario::{ACK, FIN_ACK, PSH_ACK, SYN_ACK, Scenario, Who};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_000_000 * SECOND;
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// A host of the sensor under a stream of clients, each named by a number.
struct Crowd {
    host: Host,
    now: u64,
}

impl Crowd {
    fn new(bucket_mask: u32) -> Self {
        Self { host: Host::new(Config::replay(bucket_mask)), now: START }
    }

    fn send(&mut self, client: u32, from_client: bool, flags: TcpFlags, seq: u32, ack: u32) {
        let client = SocketAddr::from((Ipv4Addr::from(0x0a00_0000 | client >> 8), 1024 + (client & 0xff) as u16));
        let (source, destination) =
            if from_client { (client, (SERVER, 80).into()) } else { ((SERVER, 80).into(), client) };
        let frame = TcpPacket {
            macs: [[2; 6]; 2],
            vlan: None,
            source,
            destination,
            ttl: 60,
            id: 0,
            dont_fragment: true,
            flags,
            seq: SeqNumber(seq),
            ack: SeqNumber(ack),
            window: 1000,
            options: Vec::new(),
            payload: if flags.any(TcpFlags::PSH) { vec![b'x'] } else { Vec::new() },
        }
        .build();
        let hook = if from_client { Hook::Ingress } else { Hook::Egress };
        self.host.observe(self.now, &Slice::new(&frame.0, frame.0.len()), Seen { ifindex: 0, tag: 0, hook });
    }

    fn syn(&mut self, client: u32) {
        self.send(client, true, TcpFlags::SYN, 100, 0);
    }

    /// A handshake, and nothing more.
    fn greet(&mut self, client: u32) {
        self.syn(client);
        self.send(client, false, SYN_ACK, 500, 101);
        self.send(client, true, ACK, 101, 501);
    }

    /// A connection that has carried payload.
    fn establish(&mut self, client: u32) {
        self.greet(client);
        self.send(client, true, PSH_ACK, 101, 501);
    }

    fn close(&mut self, client: u32) {
        self.send(client, true, FIN_ACK, 102, 501);
        self.send(client, false, FIN_ACK, 501, 103);
        self.send(client, true, ACK, 103, 502);
    }

    fn find(&self, client: u32) -> Option<&Flow> {
        let address = 0x0a00_0000 | client >> 8;
        let port = 1024 + (client & 0xff);
        self.host.flows().iter().find(|flow| flow.head.key.a[3] == address && flow.head.key.ports >> 16 == port)
    }

    fn established(&self) -> usize {
        self.host.flows().iter().filter(|flow| flow.head.bits.any(HeadBits::ESTABLISHED)).count()
    }

    fn count(&self, counter: Counter) -> u64 {
        self.host.cpu().get(counter)
    }
}

/// A table of one bucket: 8 flows.
fn bucket() -> Crowd {
    Crowd::new(0)
}

#[test]
fn a_flood_takes_no_live_flow() {
    const LIVE: u32 = 10_000;
    let mut crowd = Crowd::new(4095);
    (0..LIVE).for_each(|client| crowd.establish(client));
    let before: Vec<_> = crowd.host.flows().iter().map(|flow| flow.head.key).collect();
    let live: Vec<_> =
        (0..before.len()).filter(|&i| crowd.host.flows()[i].head.bits.any(HeadBits::ESTABLISHED)).collect();
    // A bucket takes 8; the few that found theirs full were never in.
    let refused = crowd.count(Counter::TableFull);
    assert!(live.len() > LIVE as usize * 999 / 1000, "{} of {LIVE}, {refused} segments refused", live.len());
    for client in 0..1_000_000 {
        crowd.now += 10_000;
        crowd.syn(LIVE + client);
    }
    let gone = live.iter().filter(|&&i| crowd.host.flows()[i].head.key != before[i]).count();
    assert_eq!(gone, 0, "established flows were evicted");
    assert_eq!(crowd.established(), live.len());
    assert_eq!(crowd.count(Counter::EvictedClosed), 0);
    let used = crowd.host.flows().iter().filter(|flow| flow.head.first != 0).count() as u64;
    let evicted = crowd.count(Counter::EvictedEmbryonic) + crowd.count(Counter::EvictedExpired);
    assert_eq!(crowd.count(Counter::FlowsCreated), used + evicted);
    assert_eq!(crowd.count(Counter::Syn), 1_000_000 + u64::from(LIVE));
}

#[test]
fn a_full_bucket_of_live_flows_takes_nobody() {
    let mut crowd = bucket();
    (0..8).for_each(|client| crowd.establish(client));
    crowd.now += 300 * SECOND;
    crowd.syn(8);
    assert_eq!((crowd.count(Counter::TableFull), crowd.established()), (1, 8));
    assert!(crowd.find(8).is_none());
}

/// Handshakes alone would else fill the table for ten minutes.
#[test]
fn what_has_said_nothing_goes_last_but_goes() {
    let mut crowd = bucket();
    (0..6).for_each(|client| crowd.establish(client));
    crowd.greet(6);
    crowd.now += SECOND;
    crowd.syn(7);
    crowd.syn(8);
    assert_eq!((crowd.count(Counter::EvictedEmbryonic), crowd.count(Counter::EvictedSilent)), (1, 0));
    assert!(crowd.find(6).is_some() && crowd.find(7).is_none());
    // Who speaks meanwhile, in the same second, is as good as any.
    crowd.establish(8);
    crowd.greet(9);
    assert_eq!((crowd.count(Counter::EvictedSilent), crowd.count(Counter::TableFull)), (1, 0));
    assert!(crowd.find(6).is_none() && crowd.find(8).is_some() && crowd.established() == 8);
    crowd.establish(9);
    crowd.syn(10);
    assert_eq!((crowd.count(Counter::EvictedSilent), crowd.count(Counter::TableFull)), (1, 1));
}

#[test]
fn quiet_for_ten_minutes_is_free_to_take() {
    let mut crowd = bucket();
    (0..8).for_each(|client| crowd.establish(client));
    crowd.now += 700 * SECOND;
    crowd.syn(8);
    assert_eq!(crowd.count(Counter::EvictedExpired), 1);
    assert!(crowd.find(8).is_some());
}

#[test]
fn closed_flows_go_before_live_ones_idle_longest_first() {
    let mut crowd = bucket();
    (0..8).for_each(|client| crowd.establish(client));
    for client in [3, 5] {
        crowd.now += 10 * SECOND;
        crowd.close(client);
    }
    crowd.syn(8);
    assert_eq!(crowd.count(Counter::EvictedClosed), 1);
    assert!(crowd.find(3).is_none() && crowd.find(5).is_some() && crowd.find(8).is_some());
}

#[test]
fn quiet_half_open_flows_go_before_tombstones() {
    let mut crowd = bucket();
    (0..7).for_each(|client| crowd.establish(client));
    crowd.close(0);
    crowd.syn(7);
    crowd.now += 5 * SECOND;
    crowd.syn(8);
    assert_eq!((crowd.count(Counter::EvictedEmbryonic), crowd.count(Counter::EvictedClosed)), (1, 0));
    assert!(crowd.find(0).is_some() && crowd.find(7).is_none());
}

#[test]
fn a_reset_or_fin_opens_no_flow() {
    let mut crowd = bucket();
    for flags in [TcpFlags::RST, FIN_ACK, TcpFlags::RST.with(TcpFlags::ACK), TcpFlags::FIN] {
        crowd.send(1, true, flags, 100, 200);
    }
    assert_eq!((crowd.count(Counter::Strays), crowd.count(Counter::FlowsCreated)), (4, 0));
}

#[test]
fn reuse_leaves_the_last_numbers_behind() {
    let mut crowd = bucket();
    crowd.establish(0);
    crowd.close(0);
    crowd.now += 30 * SECOND;
    crowd.send(0, true, TcpFlags::SYN, 900_000, 0);
    let flow = crowd.find(0).unwrap();
    assert!(flow.head.bits.any(HeadBits::TOMBSTONE) && !flow.head.bits.any(HeadBits::ESTABLISHED));
    assert_eq!(flow.head.tomb_nxt, [SeqNumber(103), SeqNumber(502)]);
    assert_eq!(crowd.count(Counter::FlowsCreated), 1);
}

/// What an earlier flow left in a slot is no time of the newcomer's, not even where stamps have wrapped around to it.
#[test]
fn a_newcomer_inherits_no_time() {
    const WRAP: u64 = (1 << 32) * 1024;
    let mut host = Host::new(Config::replay(0));
    let mut show = |scenario: Scenario, later: u64| {
        for frame in scenario.frames() {
            let hook = if frame.from == Who::Client { Hook::Ingress } else { Hook::Egress };
            let seen = Seen { ifindex: 1, tag: 0, hook };
            host.observe(frame.time + later, &Slice::new(&frame.bytes, frame.bytes.len()), seen);
        }
    };
    for port in 0..8 {
        show(Scenario::v4().port(40_000 + port).handshake().talk(3), 0);
    }
    show(Scenario::v4().port(50_000).syn().after(10).synack().after(10).ack(), WRAP - 30_000_000_000);
    let new =
        host.flows().iter().find(|flow| [Side::A, Side::B].iter().any(|side| flow.head.key.port(*side) == 50_000));
    for end in new.expect("it has a slot").ends {
        let millis = u64::from(end.min_rtt) * 1024 / 1_000_000;
        assert!((9..=11).contains(&millis), "{millis} ms");
    }
}
