//! What only shows in many connections together.

mod floods;
mod queues;
mod scans;

use super::Entry;
use crate::correlate::aggregate::Aggregate;

/// Aggregates that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its title.
    pub title: &'static str,
    /// Its aggregates.
    pub aggregates: &'static [Aggregate],
}

macro_rules! groups {
    ($($file:ident, $title:literal: $($name:ident)*;)*) => {
        /// All aggregates, in groups.
        pub const GROUPS: &[Group] = &[$(Group { title: $title, aggregates: &[$(Aggregate::$name),*] }),*];

        /// What is to be said about an aggregate.
        pub const fn aggregate(aggregate: Aggregate) -> &'static Entry {
            match aggregate {
                $($(Aggregate::$name => &$file::$name,)*)*
            }
        }
    };
}

groups! {
    floods, "Many connections together: floods": SynFlood SynFloodCusum HalfOpenRatio SynAckRetrans SpoofedSources HopDrift
        RstFloodIn FinFlood AckFlood SynAckFlood Backscatter RstOutSurge;
    queues, "Many connections together: queues and ports": ListenOverflow EphemeralExhaustion TimeWaitSide Naptha;
    scans, "Many connections together: scans": ScanSyn ScanConnect Sweep ScanFin ScanNull ScanXmas ScanMaimon ScanAck ScanZmap
        ScanMasscan;
}
