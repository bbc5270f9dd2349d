//! What goes over the socket, from the agent to who follows it: a mark, then frames. Nothing comes back.
//!
//! A frame is the length of what follows in four bytes, the lowest first, a byte that says what it is, and that.

use std::io::{self, Read};

use sensor_common::event::{EVENT_VERSION, Event};
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes as _;

use super::record::Saved;
use crate::{correlate::View, report::Beside};

/// What comes first.
pub(super) const MAGIC: [u8; 12] = *b"sensor-tail\n";

/// Version of all this.
pub(super) const PROTOCOL: u32 = 2;

/// The longest frame that is believed.
const LONGEST: usize = 1 << 20;

/// Who speaks, in what versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    /// Layout of findings.
    pub(super) event: u32,
    /// The agent's.
    pub(super) version: String,
    pub(super) pid: u32,
    /// Now, in nanoseconds since the epoch.
    pub(super) now: u64,
}

impl Hello {
    /// This agent's.
    pub(super) fn own(now: u64) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { protocol: PROTOCOL, event: EVENT_VERSION.into(), version, pid: std::process::id(), now }
    }

    /// Why what it says cannot be read, if it cannot.
    pub(super) fn stranger(&self) -> Option<String> {
        let known = self.protocol == PROTOCOL && self.event == u32::from(EVENT_VERSION);
        let Self { protocol, event, version, .. } = self;
        (!known).then(|| format!("sensor {version}, protocol {protocol}, findings {event}"))
    }
}

/// What a finding's event does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// At which interface.
    pub(super) interface: Option<String>,
    #[serde(flatten)]
    pub(super) beside: Beside,
}

/// A frame.
#[derive(Debug)]
pub(super) enum Message {
    /// The first.
    Hello(Hello),
    /// What was found, when by the wall clock, and what was known beside.
    Finding { event: Box<Event>, wall: u64, seen: Seen },
    /// A connection that ended.
    Record(Box<Saved>),
    /// An incident, as it is told.
    Incident(Box<View>),
    /// All that is remembered has been told.
    Live,
    /// The reader was too slow, and so many frames are lost to it. The last one.
    Slow(u64),
    /// Too many follow; so many may. The last one.
    Full(u32),
    /// The agent has ended. The last one.
    End,
}

const HELLO: u8 = 0;
const FINDING: u8 = 1;
const RECORD: u8 = 2;
const INCIDENT: u8 = 3;
const LIVE: u8 = 4;
const SLOW: u8 = 5;
const FULL: u8 = 6;
const END: u8 = 7;

fn frame(what: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = Vec::with_capacity(4 + length);
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    frame.push(what);
    parts.iter().for_each(|part| frame.extend_from_slice(part));
    frame
}

fn json(what: u8, object: &impl Serialize) -> Vec<u8> {
    // Nothing in there can fail to be written.
    frame(what, &[&serde_json::to_vec(object).unwrap_or_default()])
}

/// The frame of a finding.
pub(super) fn finding(event: &Event, wall: u64, seen: &Seen) -> Vec<u8> {
    // As above.
    let seen = serde_json::to_vec(seen).unwrap_or_default();
    frame(FINDING, &[&wall.to_le_bytes(), event.as_bytes(), &seen])
}

impl Message {
    /// Its frame.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) => json(HELLO, hello),
            Self::Finding { event, wall, seen } => finding(event, *wall, seen),
            Self::Record(record) => json(RECORD, record),
            Self::Incident(view) => json(INCIDENT, view),
            Self::Live => frame(LIVE, &[]),
            Self::Slow(lost) => frame(SLOW, &[&lost.to_le_bytes()]),
            Self::Full(most) => frame(FULL, &[&most.to_le_bytes()]),
            Self::End => frame(END, &[]),
        }
    }

    fn decode(what: u8, body: &[u8]) -> Option<Self> {
        Some(match what {
            HELLO => Self::Hello(serde_json::from_slice(body).ok()?),
            FINDING => {
                let (wall, rest) = body.split_first_chunk::<8>()?;
                let (event, rest) = rest.split_at_checked(size_of::<Event>())?;
                let seen = serde_json::from_slice(rest).ok()?;
                Self::Finding { event: Box::new(Event::decode(event)?), wall: u64::from_le_bytes(*wall), seen }
            }
            RECORD => Self::Record(serde_json::from_slice(body).ok()?),
            INCIDENT => Self::Incident(serde_json::from_slice(body).ok()?),
            LIVE => Self::Live,
            SLOW => Self::Slow(u64::from_le_bytes(body.try_into().ok()?)),
            FULL => Self::Full(u32::from_le_bytes(body.try_into().ok()?)),
            END => Self::End,
            _ => return None,
        })
    }

    /// Reads one; none where there are no more. What cannot be understood is an error.
    pub(super) fn read(from: &mut impl Read) -> io::Result<Option<Self>> {
        let mut length = [0; 4];
        if let Err(error) = from.read_exact(&mut length) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let length = u32::from_le_bytes(length) as usize;
        let wrong = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
        if !(1..=LONGEST).contains(&length) {
            return Err(wrong("a frame of an impossible length"));
        }
        let mut frame = vec![0; length];
        if let Err(error) = from.read_exact(&mut frame) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        Self::decode(frame[0], &frame[1..]).map(Some).ok_or_else(|| wrong("a frame that is not understood"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sensor_common::kind::Kind;
    use zerocopy::FromZeros as _;

    use super::*;

    fn event(kind: Kind, time: u64) -> Event {
        let mut event = Event::new_zeroed();
        event.version = EVENT_VERSION;
        event.kind = kind as u8;
        event.time = time;
        event
    }

    #[test]
    fn frames_come_out_as_they_went_in() {
        let found = event(Kind::RstSeqData, 77);
        let mut bytes = Vec::new();
        bytes.extend(Message::Hello(Hello::own(5)).encode());
        let beside: Beside = serde_json::from_str(r#"{"stack": "own", "stack_reason": "TCP_STATE"}"#).unwrap();
        let seen = [Seen { interface: Some("veth\u{1b}é".into()), beside }, Seen::default()];
        bytes.extend(finding(&found, 99, &seen[0]));
        bytes.extend(finding(&found, 100, &seen[1]));
        for message in [Message::Live, Message::Slow(7), Message::Full(8), Message::End] {
            bytes.extend(message.encode());
        }
        let mut from = &bytes[..];
        let mut next = || Message::read(&mut from).unwrap();
        assert!(matches!(next(), Some(Message::Hello(hello)) if hello == Hello::own(5) && hello.stranger().is_none()));
        for (time, known) in [99, 100].into_iter().zip(&seen) {
            let Some(Message::Finding { event, wall, seen }) = next() else { panic!("a finding") };
            assert_eq!((event.as_bytes(), wall, &seen), (found.as_bytes(), time, known));
        }
        assert!(matches!(next(), Some(Message::Live)) && matches!(next(), Some(Message::Slow(7))));
        assert!(matches!(next(), Some(Message::Full(8))) && matches!(next(), Some(Message::End)));
        assert!(next().is_none());
    }

    #[test]
    fn another_version_is_named() {
        let other = Hello { protocol: 9, version: "9.9.9".into(), ..Hello::own(0) };
        assert_eq!(other.stranger().unwrap(), format!("sensor 9.9.9, protocol 9, findings {EVENT_VERSION}"));
    }

    proptest! {
        /// Whoever took the sensor's place may say anything.
        #[test]
        fn nothing_breaks_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..600), what in 0_u8..10) {
            let mut from = &bytes[..];
            while let Ok(Some(_)) = Message::read(&mut from) {}
            let framed = frame(what, &[&bytes]);
            let _ = Message::read(&mut &framed[..]);
            let cut = &framed[..framed.len() - 1];
            prop_assert!(Message::read(&mut &cut[..]).unwrap().is_none());
        }
    }
}
