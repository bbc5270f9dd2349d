//! Capabilities: all of them go, in all sets, unless something that is still to be done needs one.

use std::thread;

use rustix::{
    io::{self, Errno},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities,
    },
};

use super::{Layer, Needs};

/// Those that attaching takes.
const WORK: [(CapabilitySet, &str); 3] = [
    (CapabilitySet::BPF, "CAP_BPF"),
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::PERFMON, "CAP_PERFMON"),
];

/// Drops all but what is needed. `works` is tried on a thread of its own that has dropped them already.
pub(super) fn drop(needs: &Needs, works: impl FnOnce() -> bool + Send) -> Layer {
    let Ok(had) = capabilities(None) else {
        return Layer::off("the kernel does not tell them");
    };
    let (mut keep, mut why) = (CapabilitySet::empty(), "");
    if needs.hot_plug {
        (keep, why) = (WORK[0].0 | WORK[1].0 | WORK[2].0, "to attach to interfaces that come later (--keep-caps)");
    } else {
        if !rehearse(works) {
            (keep, why) = (CapabilitySet::BPF, "without which this kernel lets nobody read a map");
        }
        if needs.clsact {
            (keep, why) = (keep | CapabilitySet::NET_ADMIN, "to remove the clsact filter at the end");
        }
    }
    // Where CAP_SYS_ADMIN stood for the newer ones, it goes on doing so.
    if keep.contains(CapabilitySet::BPF) && !had.permitted.contains(CapabilitySet::BPF) {
        keep |= CapabilitySet::SYS_ADMIN;
    }
    let bounded = clear_bounding(keep);
    if let Err(cause) = clear(had.permitted & keep) {
        return Layer::off(cause.to_string());
    }
    let kept: Vec<&str> = WORK.iter().filter(|(one, _)| keep.contains(*one)).map(|(_, name)| *name).collect();
    let bounding = if bounded { "" } else { "; the bounding set stays, which only CAP_SETPCAP could empty" };
    match kept[..] {
        [] => Layer::on(format!("all dropped{bounding}")),
        _ => Layer::on(format!("all dropped but {}, {why}{bounding}", kept.join(", "))),
    }
}

/// Leaves the calling thread these.
fn clear(keep: CapabilitySet) -> io::Result<()> {
    match clear_ambient_capability_set() {
        // Before 4.3 there was none.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(cause) => return Err(cause),
    }
    set_capabilities(None, CapabilitySets { effective: keep, permitted: keep, inheritable: CapabilitySet::empty() })
}

/// Empties the bounding set; whether that was allowed.
fn clear_bounding(keep: CapabilitySet) -> bool {
    let known = CapabilitySet::all().iter().filter(|one| !keep.contains(*one));
    known.fold(true, |all, one| {
        let there = capability_is_in_bounding_set(one).unwrap_or(false);
        all & (!there || remove_capability_from_bounding_set(one).is_ok())
    })
}

/// Whether `works` on a thread that has none.
fn rehearse(works: impl FnOnce() -> bool + Send) -> bool {
    let tried = || clear(CapabilitySet::empty()).is_ok() && works();
    // Where there is no thread to be had, none tells that it works.
    thread::scope(|scope| thread::Builder::new().spawn_scoped(scope, tried).is_ok_and(|it| it.join().unwrap_or(false)))
}
