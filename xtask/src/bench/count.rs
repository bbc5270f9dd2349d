//! What a packet costs that no neighbour can disturb: instructions of the object along its path, and the cache lines of the maps
//! that it touches, counted by an interpreter. Equal on every machine, so that a test can hold them.

mod arithmetic;
mod baseline;
mod machine;
mod memory;
mod object;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use sensor::host::Host;
use sensor_common::config::Config;
use sensor_common::counters::Local;
use sensor_common::engine::Seen;
use sensor_common::event::Hook;
use sensor_common::flow::Flow;
use sensor_common::wire::Slice;
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, IntoBytes};

use super::recipe::{Recipe, SENT};
use super::traffic::{FRAME, INTERFACE, Layout, Talk};
pub(super) use baseline::{FILE, hold, text};
use machine::Machine;

/// What one frame takes on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    /// The program, and the frame that is counted.
    pub(super) path: String,
    /// Instructions that are executed.
    pub(super) instructions: u64,
    /// Calls of the kernel's helpers, lookups in arrays apart.
    pub(super) helpers: u64,
    /// Cache lines touched, by map.
    pub(super) lines: Vec<(String, usize)>,
}

/// A way through a program: frames that lead up to it, each with its lap; the last is counted.
struct Way {
    name: &'static str,
    layout: Layout,
    /// Buckets of the table less one.
    bucket_mask: u32,
    frames: Vec<(Recipe, u32)>,
}

/// The entry points that are counted, with what each calls a frame's direction.
const PROGRAMS: [(&str, Hook); 2] = [("sensor_xdp", Hook::Ingress), ("sensor_egress", Hook::Egress)];

/// Counts every path through an object.
pub(super) fn paths(object: &Path) -> Result<Vec<Count>> {
    let mut counts = Vec::new();
    for (program, hook) in PROGRAMS {
        for path in all() {
            let title = format!("{program}, {}", path.name);
            counts.push(count(object, program, hook, &path, &title).with_context(|| title.clone())?);
        }
    }
    Ok(counts)
}

fn count(object: &Path, program: &str, hook: Hook, path: &Way, title: &str) -> Result<Count> {
    let config = Config::live(sensor_common::config::FIXED_HASH_KEYS, path.bucket_mask, super::RING);
    let (mut machine, mut host) = (Machine::load(object, &config)?, Host::new(config));
    // Far from the edge of a second, at which a slot's note is renewed.
    machine.now = (1 << 40) + (1 << 29);
    let mut spent = machine::Spent::default();
    let mut frame = path.layout.template();
    for (recipe, lap) in &path.frames {
        machine.now += 1 << 12;
        path.layout.fill(&mut frame, recipe, *lap);
        spent = machine.run(program, &frame, INTERFACE)?;
        host.observe(machine.now, &Slice::new(&frame, FRAME), Seen { ifindex: INTERFACE, tag: 0, hook });
    }
    // An interpreter may be wrong; not in a way that leaves every counter and every flow as the engine on the host has them.
    let (local, _) = Local::read_from_prefix(machine.map("CPUS")?).ok().context("CPUS is too small")?;
    ensure!(local.cpu.as_bytes() == host.cpu().as_bytes(), "the interpreter's counters are not the engine's");
    let flows = <[Flow]>::ref_from_bytes(machine.map("FLOWS")?).ok().context("FLOWS has another size")?;
    ensure!(flows.as_bytes() == host.flows().as_bytes(), "the interpreter's flows are not the engine's");
    let machine::Spent { instructions, helpers, lines, .. } = spent;
    Ok(Count { path: title.to_owned(), instructions, helpers, lines })
}

/// All paths. What is plain first: that is where almost every packet goes.
fn all() -> Vec<Way> {
    let talking = |name, layout, (last, lap): (fn(&Talk) -> Recipe, u32)| {
        let talk = Talk::known(layout);
        let mut frames: Vec<_> = [talk.syn(), talk.syn_ack(), talk.ack()].map(|recipe| (recipe, 0)).into();
        frames.extend((0..3).flat_map(|lap| [(talk.data(), lap), (talk.data_ack(), lap)]));
        frames.push((last(&talk), lap));
        Way { name, layout, bucket_mask: 15, frames }
    };
    let mut paths = vec![
        talking("data", Layout::PLAIN, (Talk::data, 3)),
        talking("data behind a VLAN tag", Layout::VLAN, (Talk::data, 3)),
        talking("data, IPv6", Layout::IPV6, (Talk::data, 3)),
        talking("not TCP", Layout::PLAIN, (Talk::datagram, 3)),
        talking("first FIN", Layout::PLAIN, (Talk::fin, 2)),
        talking("forged reset, told", Layout::PLAIN, (Talk::forged_reset, 2)),
    ];
    let mut acknowledged = talking("acknowledgment", Layout::PLAIN, (Talk::data, 3));
    acknowledged.frames.push((Talk::known(Layout::PLAIN).data_ack(), 3));
    acknowledged.name = "acknowledgment";
    paths.insert(1, acknowledged);
    let talk = Talk::known(Layout::PLAIN);
    for (name, steps) in [("request", 1), ("answer to a request", 2), ("end of a handshake", 3)] {
        let frames = [talk.syn(), talk.syn_ack(), talk.ack()].map(|recipe| (recipe, 0));
        paths.push(Way { name, layout: Layout::PLAIN, bucket_mask: 15, frames: frames[..steps].to_vec() });
    }
    let syn = Recipe { scatter: SENT, ..talk.syn() };
    let frames = (0..9).map(|lap| (syn, lap)).collect();
    paths.push(Way { name: "request that evicts another", layout: Layout::PLAIN, bucket_mask: 0, frames });
    paths
}
