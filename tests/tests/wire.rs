//! On the wire: every scenario through a veth pair, the program attached in each way there is, gives the host engine's events.

use sensor::kernel::{Ingress, Mode};
use sensor_common::event::Hook;
use tests::{
    catalogue, root,
    scenario::Who,
    wire::{Wire, best_egress},
};

#[test]
fn native_xdp() {
    every_scenario(Mode::Native, Ingress::XdpNative);
}

#[test]
fn generic_xdp() {
    every_scenario(Mode::Generic, Ingress::XdpGeneric);
}

#[test]
fn tc() {
    every_scenario(Mode::Tc, Ingress::Tc(best_egress()));
}

/// The client is on the far end of the wire, the server behind the near one.
fn every_scenario(mode: Mode, ingress: Ingress) {
    if !root() {
        return;
    }
    // A thread of its own, because it stays in the wire's namespace until it ends.
    let talk = move || {
        let mut wire = Wire::attach(mode);
        assert_eq!((wire.attached().ingress, wire.attached().egress), (ingress, best_egress()));
        for (n, case) in catalogue::all().enumerate() {
            // What the others vary, parity has seen without a wire.
            let beginnings =
                catalogue::beginnings().into_iter().filter(|(name, _)| ["v4", "v4, VLAN", "v6"].contains(name));
            for (beginning, scenario) in beginnings {
                for frame in (case.build)(scenario).frames() {
                    let hook = if frame.from == Who::Client { Hook::Ingress } else { Hook::Egress };
                    // An hour apart, so that each finds the last one's flows idle.
                    let time = frame.time + n as u64 * 3_600_000_000_000;
                    wire.agree(time, hook, &frame.bytes, format_args!("{} ({beginning}), {mode:?}", case.name));
                }
            }
        }
        assert!(wire.counters_agree() > 100);
        println!("{}", wire.attached());
    };
    std::thread::spawn(talk).join().expect("all agree");
}
