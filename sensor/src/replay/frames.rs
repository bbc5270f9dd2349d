//! Which frame a segment came in: a finding may be about an earlier one than the frame that led to it.

use sensor_common::{flow::Segment, wire::Packet};

/// Frames that are remembered; a power of two.
const FRAMES: usize = 4096;

/// The last frames' segments, each at its number's place.
#[derive(Debug)]
pub(super) struct Frames {
    ring: Box<[Entry; FRAMES]>,
    newest: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    number: u32,
    ports: u32,
    seq: u32,
    ack: u32,
    ipid: u16,
    ttl: u8,
    flags: u8,
}

impl Default for Frames {
    fn default() -> Self {
        Self { ring: Box::new([Entry::default(); FRAMES]), newest: 0 }
    }
}

impl Frames {
    /// Notes what a frame carried.
    #[inline]
    pub(super) fn note(&mut self, number: u64, packet: &Packet) {
        self.newest = number;
        self.ring[number as usize % FRAMES] = Entry {
            number: number as u32,
            ports: packet.key.ports,
            seq: packet.seq.0,
            ack: packet.ack.0,
            ipid: packet.ipid,
            ttl: packet.ttl,
            flags: packet.flags.0,
        };
    }

    /// The latest frame that carried `segment` between `ports`, or the newest of all.
    pub(super) fn find(&self, segment: &Segment, ports: u32) -> u64 {
        let Segment { seq, ack, ipid, ttl, flags, .. } = *segment;
        let oldest = self.newest.saturating_sub(FRAMES as u64 - 1);
        let carries = |number: &u64| {
            let number = *number as u32;
            let entry = Entry { number, ports, seq: seq.0, ack: ack.0, ipid, ttl, flags: flags.0 };
            self.ring[number as usize % FRAMES] == entry
        };
        (oldest..=self.newest).rev().find(carries).unwrap_or(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::{seq::SeqNumber, time::Stamp};

    use super::*;

    #[test]
    fn the_latest_match_counts_until_it_is_overwritten() {
        let mut frames = Frames::default();
        let packet = |seq| Packet { seq: SeqNumber(seq), ..Packet::default() };
        let segment = |seq| packet(seq).segment(Stamp(0));
        frames.note(1, &packet(7));
        frames.note(2, &packet(8));
        frames.note(5, &packet(7));
        frames.note(6, &packet(9));
        assert_eq!([7, 8, 9, 10].map(|seq| frames.find(&segment(seq), 0)), [5, 2, 6, 6]);
        frames.note(2 + FRAMES as u64, &packet(1));
        assert_eq!(frames.find(&segment(8), 0), 2 + FRAMES as u64);
        assert_eq!(frames.find(&segment(7), 0), 5);
    }
}
