//! On which side a capture was taken, guessed from its first segments.

use sensor_common::{
    detect::origin::hops,
    flow::{TcpFlags, Words},
    wire::{Packet, Slice, parse},
};

use super::Net;
use crate::capture::Frame;

/// Segments that the guess is made from.
const ENOUGH: u32 = 512;
/// Segments of its own that an address must have sent to be believed.
const LEAST: u32 = 2;
/// Bytes held back at the most while guessing.
const ROOM: usize = 4 << 20;

/// A frame held back while guessing.
#[derive(Debug)]
pub(super) struct Held {
    number: u64,
    time: u64,
    wire_len: u32,
    interface: u32,
    start: usize,
    end: usize,
}

/// The local address is an end of all segments, and what it sends has not passed a router.
#[derive(Debug, Default)]
pub(super) struct Guess {
    candidates: Option<[Candidate; 2]>,
    segments: u32,
    bytes: Vec<u8>,
    held: Vec<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    address: Words,
    sent: u32,
    excluded: bool,
}

impl Guess {
    /// Holds a frame back and learns from it. Whether that was enough.
    pub(super) fn learn(&mut self, frame: &Frame<'_>) -> bool {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(frame.bytes);
        let &Frame { number, time, wire_len, interface, .. } = frame;
        self.held.push(Held { number, time, wire_len, interface, start, end: self.bytes.len() });
        let mut packet = Packet::default();
        if parse(&Slice::new(frame.bytes, wire_len as usize), 0, 0, false, &mut packet).is_ok() {
            self.segment(&packet);
        }
        self.segments >= ENOUGH || self.bytes.len() >= ROOM || self.undecidable()
    }

    /// The address, if there is exactly one.
    pub(super) fn local(&self) -> Option<Net> {
        let mut left = self.candidates.iter().flatten().filter(|candidate| !candidate.excluded);
        let [a, b, c, d] = left.next().filter(|only| only.sent >= LEAST)?.address.map(u128::from);
        left.next().is_none().then(|| Net::address(a << 96 | b << 64 | c << 32 | d))
    }

    /// The frames held back, in their order.
    pub(super) fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        self.held.iter().map(|held| Frame {
            number: held.number,
            time: held.time,
            bytes: &self.bytes[held.start..held.end],
            wire_len: held.wire_len,
            interface: held.interface,
        })
    }

    fn undecidable(&self) -> bool {
        self.candidates.is_some_and(|both| both.iter().all(|candidate| candidate.excluded))
    }

    fn segment(&mut self, packet: &Packet) {
        self.segments += 1;
        let sides = [packet.side(), packet.side().other()].map(|side| *packet.key.addr(side));
        let fresh = sides.map(|address| Candidate { address, sent: 0, excluded: false });
        let [sender, receiver] = sides;
        for candidate in self.candidates.get_or_insert(fresh) {
            if candidate.address == sender {
                candidate.sent += 1;
                // A reset in its name may be another's.
                candidate.excluded |= hops(packet.ttl) != 0 && !packet.flags.any(TcpFlags::RST);
            }
            candidate.excluded |= candidate.address != sender && candidate.address != receiver;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::forge::TcpPacket;

    fn packet(source: &str, destination: &str, ttl: u8) -> TcpPacket {
        TcpPacket {
            macs: [[0; 6]; 2],
            vlan: None,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            ttl,
            id: 0,
            dont_fragment: false,
            flags: TcpFlags::ACK,
            seq: Default::default(),
            ack: Default::default(),
            window: 1,
            options: Vec::new(),
            payload: Vec::new(),
        }
    }

    fn guess(packets: &[TcpPacket]) -> Option<String> {
        let mut guess = Guess::default();
        for (number, packet) in (1..).zip(packets) {
            let bytes = &packet.build().0[..];
            let frame = Frame { number, time: 0, bytes, wire_len: bytes.len() as u32, interface: 0 };
            if guess.learn(&frame) {
                break;
            }
        }
        assert!(guess.frames().zip(1..).all(|(frame, number)| frame.number == number));
        guess.local().map(|local| local.to_string())
    }

    #[test]
    fn the_end_of_everything_that_passed_no_router_is_local() {
        let out = packet("10.0.0.1:5", "192.0.2.1:80", 64);
        let back = packet("192.0.2.1:80", "10.0.0.1:5", 52);
        let other = packet("192.0.2.2:80", "10.0.0.1:5", 64);
        assert_eq!(guess(&[out.clone(), back.clone(), out.clone()]).as_deref(), Some("10.0.0.1"));
        assert_eq!(guess(&[out.clone(), other.clone(), out.clone()]).as_deref(), Some("10.0.0.1"));
        assert_eq!(guess(&[out.clone(), back.clone()]), None, "too little");
    }

    #[test]
    fn doubt_means_none() {
        let out = packet("10.0.0.1:5", "192.0.2.1:80", 64);
        let back = packet("192.0.2.1:80", "10.0.0.1:5", 64);
        let routed = packet("10.0.0.1:5", "192.0.2.1:80", 63);
        let far = packet("192.0.2.1:80", "10.0.0.1:5", 52);
        let foreign = packet("192.0.2.1:80", "10.0.0.9:5", 52);
        assert_eq!(guess(&[]), None);
        assert_eq!(guess(&[out.clone(), back, out.clone()]), None, "neighbours");
        assert_eq!(guess(&[routed.clone(), far, routed]), None, "in the middle");
        assert_eq!(guess(&[out.clone(), out, foreign]), None, "a mirror port");
    }
}
