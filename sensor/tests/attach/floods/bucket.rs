//! Addresses that are chosen for one bucket: only who knows the hash's multipliers can, and they are drawn at each load.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::{AsFd, AsRawFd},
    time::Instant,
};

use aya::{
    maps::{MapData, MapInfo},
    programs::loaded_programs,
};
use sensor::lab::{Lab, from_port};
use sensor_common::{
    config::{Config, FIXED_HASH_KEYS},
    flow::{Key, TcpFlags},
    table::{self, WAYS},
    wire::{Packet, Slice, parse},
};
use zerocopy::FromBytes;

use super::{
    super::{
        child::{Running, SOON},
        lab,
    },
    talk::{Talk, exchange, forge, listen},
    told::{Told, all_told, ended, followed},
    wire::{ATTACH, Flooder, NOBODY, ROUTER, SERVER, repeated, wire},
};

/// Flows that the table has room for, as in the test of virtual time.
const ROOM: u32 = 16_384;
/// Buckets, less one.
const MASK: u32 = ROOM / WAYS as u32 - 1;
/// Real connections that share the bucket.
const OTHERS: usize = WAYS / 2;
/// Sources that collide: many times a bucket.
const CHOSEN: usize = 200;

/// A connection of this client with the server, as the sensor knows it.
pub(super) fn key(flooder: &Flooder, client: SocketAddr) -> Key {
    named(&flooder.frame(client, TcpFlags::SYN, 52, 0), flooder.ifindex)
}

fn named(frame: &[u8], ifindex: u32) -> Key {
    let mut packet = Packet::default();
    parse(&Slice::new(frame, frame.len()), ifindex, 0, true, &mut packet).unwrap();
    packet.key
}

/// Aims with multipliers.
struct Aim<'a> {
    config: Config,
    flooder: &'a Flooder,
    /// The bucket.
    target: u32,
    /// Ports from which the router's connections fall into it: enough to fill it, and one.
    ports: Vec<u16>,
}

impl<'a> Aim<'a> {
    /// At the bucket that most of the router's ports fall into: 64,512 ports, so there are 32 at least. The next best might have none,
    /// as ports follow one another and so do their hashes.
    fn new(config: Config, flooder: &'a Flooder) -> Self {
        let mut ports = BTreeMap::<u32, Vec<u16>>::new();
        let mut bucket = bucket(&config, flooder);
        for port in 1024..=u16::MAX {
            ports.entry(bucket((ROUTER, port))).or_default().push(port);
        }
        let (target, mut ports) = ports.into_iter().max_by_key(|(_, ports)| ports.len()).unwrap();
        ports.truncate(WAYS + 1);
        Self { config, flooder, target, ports }
    }

    /// Made-up sources: chosen among random ones, so that nothing but the bucket is common to them.
    fn sources(&self) -> Vec<SocketAddr> {
        let random = (1_u64..).map(|n| {
            // SplitMix64 (Steele, Lea and Flood, 2014).
            let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            let z = z ^ z >> 31;
            (Ipv4Addr::from_bits(0x0b00_0000 | (z >> 40) as u32), (z as u16).max(1024))
        });
        let mut bucket = bucket(&self.config, self.flooder);
        let chosen = random.filter(|source| bucket(*source) == self.target).take(CHOSEN);
        chosen.map(|(address, port)| SocketAddr::new(address.into(), port)).collect()
    }
}

/// Tells a client's bucket. To build a frame for each would take most of the time.
fn bucket(config: &Config, flooder: &Flooder) -> impl FnMut((Ipv4Addr, u16)) -> u32 {
    let mut frame = flooder.frame(NOBODY, TcpFlags::SYN, 52, 0);
    move |(address, port)| {
        frame[26..30].copy_from_slice(&address.octets());
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        table::place(&named(&frame, flooder.ifindex), config).bucket
    }
}

/// The router's connections from these ports, each of which has spoken.
fn connections(lab: &Lab, listener: &TcpListener, ports: &[u16]) -> Vec<Talk> {
    let one = |port: &u16| {
        let client = from_port(*port, SERVER, SOON).unwrap();
        let mut talk = (client, listener.accept().unwrap().0);
        exchange(&mut talk);
        talk
    };
    lab.routers()[0].enter(|| ports.iter().map(one).collect()).unwrap()
}

/// Whether a connection is followed, as one that has come about.
fn is_live(running: &Running, flooder: &Flooder, (client, _): &Talk) -> bool {
    followed(running).get(&key(flooder, client.local_addr().unwrap())) == Some(&true)
}

/// The configuration that a running sensor's program was loaded with. Root can read it; nobody on the wire can.
fn secret(running: &Running) -> Config {
    let ids = running.programs();
    let programs = loaded_programs().flatten().filter(|program| ids.contains(&program.id()));
    let maps: BTreeSet<u32> = programs.flat_map(|program| program.map_ids().unwrap().unwrap_or_default()).collect();
    let constant = |id: &u32| MapInfo::from_id(*id).is_ok_and(|info| info.name_as_str() == Some(".rodata"));
    let values = maps.into_iter().filter(constant).map(|id| value(&MapData::from_id(id).unwrap()));
    // Where in it is the linker's business; what else it must say is known.
    let live = |config: &Config| {
        let expected = Config::live(config.hash_keys, MASK, 0);
        (config.bucket_mask, config.service_mask, config.rates, config.flow_findings)
            == (MASK, expected.service_mask, expected.rates, expected.flow_findings)
    };
    let at = |value: &Vec<u8>, at: usize| Config::read_from_prefix(&value[at..]).ok().map(|(config, _)| config);
    let configs = values.flat_map(|value| (0..value.len()).filter_map(|from| at(&value, from)).collect::<Vec<_>>());
    configs.into_iter().find(live).unwrap()
}

/// The first element of an array.
fn value(map: &MapData) -> Vec<u8> {
    const BPF_MAP_LOOKUP_ELEM: libc::c_int = 1;
    /// Of `union bpf_attr`, what a look-up takes.
    #[repr(C)]
    struct Lookup {
        map: i32,
        unused: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    let mut value = vec![0; map.info().unwrap().value_size() as usize];
    let first = 0_u32;
    let (map, key) = (map.fd().as_fd().as_raw_fd(), &raw const first as u64);
    let lookup = Lookup { map, unused: 0, key, value: value.as_mut_ptr() as u64, flags: 0 };
    // SAFETY: key and value are as long as the map says, and outlive the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_LOOKUP_ELEM, &raw const lookup, size_of::<Lookup>()) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    value
}

/// What an attack came to.
struct Outcome {
    /// Real connections that share the bucket it aimed at, all of them followed.
    others: Vec<Talk>,
    /// Chosen sources that are followed at the end.
    held: usize,
    /// Flows that lost their place, of any kind.
    replaced: u64,
    /// Segments whose flows found none.
    refused: u64,
}

/// Opens the others' connections, then asks from each chosen source.
fn attack(lab: &Lab, running: &Running, listener: &TcpListener, aim: &Aim) -> Outcome {
    let others = connections(lab, listener, &aim.ports[..OTHERS]);
    let sources = aim.sources();
    let mut asked = OTHERS as u64;
    // Fewer than the wire holds.
    for few in sources.chunks(CHOSEN / 4) {
        few.iter().for_each(|source| aim.flooder.send(&aim.flooder.frame(*source, TcpFlags::SYN, 52, 1)));
        asked += few.len() as u64;
        Told::counted(lab, "syn", asked + repeated(lab));
    }
    let told = Told::settled(lab);
    let table = followed(running);
    let held = sources.iter().filter(|source| table.contains_key(&key(aim.flooder, **source))).count();
    assert!(others.iter().all(|talk| is_live(running, aim.flooder, talk)), "who has spoken stays");
    let replaced = ["evicted_embryonic", "evicted_silent", "evicted_closed", "evicted_expired"];
    let replaced = replaced.map(|name| told.counter(name)).iter().sum();
    Outcome { others, held, replaced, refused: told.counter("table_full") }
}

fn attach(lab: &Lab) -> Running {
    let room = ROOM.to_string();
    Running::attach(lab.server().netns(), &[&ATTACH[..], &["--min-severity", "notice", "--flows", &room]].concat())
}

/// Resets these in their clients' names: each is told.
fn are_followed(running: Running, flooder: &Flooder, talks: &mut [Talk]) {
    talks.iter_mut().for_each(exchange);
    let severed: Vec<u16> = talks.iter().map(|talk| forge(flooder, talk)).collect();
    for port in &severed {
        running.stdout.wait_for(&format!("\"src_port\":{port}"));
    }
    all_told(&ended(running), &severed);
}

#[test]
fn nobody_on_the_wire_can_aim_at_a_bucket() {
    let Some(lab) = lab() else { return };
    let (flooder, listener) = (wire(&lab), listen(&lab));
    let running = attach(&lab);
    let config = Config { hash_keys: FIXED_HASH_KEYS, ..Config::replay(MASK) };
    let Outcome { mut others, held, replaced, refused } =
        attack(&lab, &running, &listener, &Aim::new(config, &flooder));
    // Nine of 204 in one of 2048 buckets: less than once in 10^9 loads. In ten million of them there were never more than six of the
    // 200.
    assert_eq!((held, replaced, refused), (CHOSEN, 0, 0), "each finds a place");
    are_followed(running, &flooder, &mut others);
}

/// What the secret is worth: this one is told it.
#[test]
fn who_knows_the_seed_can() {
    let Some(lab) = lab() else { return };
    let (flooder, listener) = (wire(&lab), listen(&lab));
    let running = attach(&lab);
    let config = secret(&running);
    assert_ne!(config.hash_keys, FIXED_HASH_KEYS);
    let aim = Aim::new(config, &flooder);
    let Outcome { mut others, held, replaced, refused } = attack(&lab, &running, &listener, &aim);
    // The server's answers to those that lost their place may take others', and more than once.
    let left = WAYS - OTHERS;
    assert!(held <= left, "{held} in what is left of one bucket");
    assert!(replaced >= (CHOSEN - left) as u64, "{replaced} replaced");
    assert_eq!(refused, 0);
    eprintln!("aimed at one bucket: {held} of {CHOSEN} sources are followed, {replaced} flows were replaced");

    // Whoever comes and speaks takes what is left. Then nobody gets in, and that is counted.
    for port in &aim.ports[OTHERS..WAYS] {
        let mut new = connections(&lab, &listener, &[*port]);
        let end = Instant::now() + SOON;
        // An answer to one of those may take its place before it has spoken.
        while !is_live(&running, &flooder, &new[0]) {
            assert!(Instant::now() < end, "{port} is not followed");
            exchange(&mut new[0]);
        }
        others.append(&mut new);
    }
    let mut ninth = connections(&lab, &listener, &aim.ports[WAYS..]);
    exchange(&mut ninth[0]);
    assert!(!followed(&running).contains_key(&key(&flooder, ninth[0].0.local_addr().unwrap())));
    // At least a handshake, and two bytes there and back.
    Told::counted(&lab, "table_full", 7);
    are_followed(running, &flooder, &mut others);
}
