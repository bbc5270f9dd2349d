//! The kernel program in a lab: loaded where it is to look, and what it found.

use sensor::{
    kernel::{Attached, Kernel, Mode, Options},
    lab::Host,
};
use sensor_common::event::Event;

/// Loads and attaches the program at a host's interface.
///
/// # Panics
///
/// If it cannot.
pub fn load(host: &Host, mode: Mode, options: Options) -> (Kernel, Attached) {
    let attach = || {
        let mut kernel = Kernel::load(&Options { flows: 4096, ring_bytes: 1 << 20, ..options }).expect("it loads");
        let attached = kernel.attach(host.interface(), mode).expect("it attaches");
        (kernel, attached)
    };
    host.netns().enter(attach).expect("the host's namespace")
}

/// What the ring holds.
///
/// # Panics
///
/// If a record is none of ours.
pub fn drain(kernel: &mut Kernel) -> Vec<Event> {
    let mut ring = kernel.events().expect("the ring");
    std::iter::from_fn(|| ring.next().map(|record| Event::decode(&record).expect("an event"))).collect()
}
