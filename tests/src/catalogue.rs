//! The scenarios: for each kind of finding what leads to it, and what only looks as if it did.

mod anatomy;
mod bare_ack;
mod distance;
mod doubt;
mod ecn;
mod ending;
mod evidence;
mod forged;
mod handshake;
mod harsh;
mod innocent;
mod leak;
mod numbers;
mod oddities;
mod performance;
mod races;
mod requests;
mod rfc5961;
mod seed1;
mod shape;
mod silence;
mod tampering;
mod threads;

use sensor_common::kind::Kind;

use crate::scenario::Scenario;

pub use seed1::seed1_abort;
pub use threads::{seed2, seed3};

/// A scenario with its name. Scenarios are functions of where they begin, so that each runs over both versions of IP, on a
/// VLAN and across the wrap of sequence numbers.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// The kind that it is about: it leads to a finding of it, or looks as if it should.
    pub of: Kind,
    /// Goes on from a beginning.
    pub build: fn(Scenario) -> Scenario,
}

impl Case {
    /// Whether it leads to a finding of the kind that it is about.
    pub fn fires(&self) -> bool {
        (self.build)(Scenario::v4()).expectations().any(|expected| expected.kind() == self.of.id())
    }
}

/// Lists functions of a module as cases.
macro_rules! cases {
    ($($kind:ident: $($name:ident),+;)*) => {
        /// The cases of this module.
        pub(super) const CASES: &[$crate::catalogue::Case] = &[$($(
            $crate::catalogue::Case { name: stringify!($name), of: sensor_common::kind::Kind::$kind, build: $name },
        )+)*];
    };
}
use cases;

/// Every case.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [
        anatomy::CASES,
        bare_ack::CASES,
        distance::CASES,
        doubt::CASES,
        ecn::CASES,
        ending::CASES,
        evidence::CASES,
        forged::CASES,
        handshake::CASES,
        innocent::CASES,
        leak::CASES,
        numbers::CASES,
        oddities::CASES,
        performance::CASES,
        rfc5961::CASES,
        harsh::CASES,
        races::CASES,
        requests::CASES,
        seed1::CASES,
        shape::CASES,
        silence::CASES,
        tampering::CASES,
        threads::CASES,
    ]
    .into_iter()
    .flatten()
}

/// Every beginning: name and scenario.
pub fn beginnings() -> [(&'static str, Scenario); 6] {
    // So close that the handshake or the first data cross the wrap.
    let wrap = |s: Scenario| s.client(|c| c.isn(u32::MAX)).server(|s| s.isn(u32::MAX - 500));
    let swapped = Scenario::between(([203, 0, 113, 9], 40_000).into(), ([192, 0, 2, 80], 443).into());
    [
        ("v4", Scenario::v4()),
        ("v4, client above server", swapped),
        ("v4, VLAN", Scenario::v4().vlan(7)),
        ("v4, wrap", wrap(Scenario::v4())),
        ("v6", Scenario::v6()),
        ("v6, wrap", wrap(Scenario::v6())),
    ]
}
