//! The record of a connection, on its way to who follows.

use sensor_common::{
    flow::{Key, LinkId, Side, history::History},
    record::{Close, Ending, Record, Total},
};
use serde::{Deserialize, Serialize};

use crate::{
    enrich::{Ends, Who},
    report::flow::Told,
};

/// A record in numbers and words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    a: [u32; 4],
    b: [u32; 4],
    ports: u32,
    /// Interface and VLANs.
    link: [u32; 2],
    client: Option<u8>,
    server: u8,
    local: Option<u8>,
    first: u64,
    last: u64,
    /// The last segment by the wall clock.
    pub(super) wall: u64,
    totals: [Sums; 2],
    completeness: u8,
    conn_state: String,
    history: u64,
    findings: [u8; 2],
    ending: String,
    /// Who closed first, after which silence.
    close: Option<(u8, u64)>,
    pub(super) interface: Option<String>,
    /// Whom client and server belonged to.
    who: [Option<Box<Who>>; 2],
}

/// What a side sent, in the order of [`Total`].
type Sums = (u32, u16, u32, u16, u16, u32, u16, u64);

/// Zeek's, as far as the sensor tells them.
const CONN_STATES: [&str; 13] =
    ["REJ", "RSTR", "RSTRH", "RSTO", "RSTOS0", "SF", "S2", "SH", "S3", "SHR", "S0", "S1", "OTH"];

const ENDINGS: [Ending; 6] =
    [Ending::Fin, Ending::Rst, Ending::Silence, Ending::Eviction, Ending::CaptureEnd, Ending::Live];

impl Saved {
    /// The one that is told.
    pub(super) fn of(told: &Told<'_>) -> Self {
        let Record {
            key,
            client,
            server,
            local,
            first,
            last,
            totals,
            completeness,
            conn_state,
            history,
            findings,
            ending,
            close,
        } = *told.record();
        let total = |total: Total| {
            let Total { segments, data, bytes, repeated, reordered, skipped, unseen, rtt } = total;
            (segments, data, bytes, repeated, reordered, skipped, unseen, rtt)
        };
        Self {
            a: key.a,
            b: key.b,
            ports: key.ports,
            link: [key.link.ifindex, key.link.version_vlans],
            client: client.map(|side| side as u8),
            server: server as u8,
            local: local.map(|side| side as u8),
            first,
            last,
            wall: told.last(),
            totals: totals.map(total),
            completeness,
            conn_state: conn_state.into(),
            history: history.0,
            findings,
            ending: ending.id().into(),
            close: close.map(|Close { by, idle }| (by as u8, idle)),
            interface: told.interface().map(str::to_owned),
            who: told.who().clone().0,
        }
    }

    /// Whom both ends belonged to.
    pub(super) fn who(&self) -> Ends {
        Ends(self.who.clone())
    }

    /// The record again. Words that are not known are those of connections that are not known.
    pub(super) fn record(&self) -> Record {
        let total = |total: Sums| {
            let (segments, data, bytes, repeated, reordered, skipped, unseen, rtt) = total;
            Total { segments, data, bytes, repeated, reordered, skipped, unseen, rtt }
        };
        Record {
            key: Key {
                a: self.a,
                b: self.b,
                ports: self.ports,
                link: LinkId { ifindex: self.link[0], version_vlans: self.link[1] },
            },
            client: self.client.map(Side::from_index),
            server: Side::from_index(self.server),
            local: self.local.map(Side::from_index),
            first: self.first.min(self.last),
            last: self.last,
            totals: self.totals.map(total),
            completeness: self.completeness,
            conn_state: CONN_STATES.into_iter().find(|state| *state == self.conn_state).unwrap_or("OTH"),
            history: History(self.history),
            findings: self.findings,
            ending: ENDINGS.into_iter().find(|ending| ending.id() == self.ending).unwrap_or(Ending::Live),
            close: self.close.map(|(by, idle)| Close { by: Side::from_index(by), idle }),
        }
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::flow::{Extra, Flow};

    use super::*;
    use crate::report::{Place, WallClock};

    #[test]
    fn a_record_comes_out_as_it_went_in() {
        for ending in ENDINGS {
            let mut record = Record::of(&Flow::default(), &Extra::default(), ending, 0, 9_000_000_000);
            record.key =
                Key { a: [0, 0, 0xffff, 7], b: [1, 2, 3, 4], ports: 5 << 16 | 6, link: LinkId::new(3, 4, 9, 0) };
            record.client = Some(Side::B);
            record.history = History(77);
            record.totals[1] =
                Total { segments: 1, data: 2, bytes: 3, repeated: 4, reordered: 5, skipped: 6, unseen: 7, rtt: 8 };
            for conn_state in CONN_STATES {
                record.conn_state = conn_state;
                let place = Place { interface: Some("eth0"), ..Place::default() };
                let who = Ends([None, Some(Box::new(Who { pod: Some("web-0".into()), ..Who::default() }))]);
                let saved = Saved::of(&Told::new(&record, place, WallClock::epoch()).of(who.clone()));
                let text = serde_json::to_string(&saved).unwrap();
                let again: Saved = serde_json::from_str(&text).unwrap();
                assert_eq!(
                    (again.record(), again.interface.as_deref(), again.wall, again.who()),
                    (record, Some("eth0"), record.last, who)
                );
            }
        }
    }
}
