//! Which frame a segment came in: a finding may be about an earlier one than the frame that led to it.

use sensor_common::{flow::Segment, wire::Packet};

/// Frames that a finding may be about, the one that led to it included.
const FRAMES: u64 = 4096;
/// Frames that are remembered: two batches of several workers' may be read before a finding in the first is told.
const ROOM: usize = 32_768;
/// So many may have been read since the first frame of which it is not known what was found.
pub(super) const WITHIN: u64 = ROOM as u64 - FRAMES - 1;

/// The last frames' segments, each at its number's place.
#[derive(Debug)]
pub(super) struct Frames {
    ring: Box<[Entry]>,
    mask: u32,
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

impl Frames {
    /// For one judge the last frames are enough, and stay in a core's own cache.
    pub(super) fn new(many: bool) -> Self {
        let room = if many { ROOM } else { FRAMES as usize };
        Self { ring: vec![Entry::default(); room].into_boxed_slice(), mask: room as u32 - 1 }
    }

    /// Notes what a frame carried.
    #[inline]
    pub(super) fn note(&mut self, number: u64, packet: &Packet) {
        let Some(entry) = self.ring.get_mut((number as u32 & self.mask) as usize) else { return };
        *entry = Entry {
            number: number as u32,
            ports: packet.key.ports,
            seq: packet.seq.0,
            ack: packet.ack.0,
            ipid: packet.ipid,
            ttl: packet.ttl,
            flags: packet.flags.0,
        };
    }

    /// The latest frame up to `newest` that carried `segment` between `ports`, or that one itself.
    pub(super) fn find(&self, newest: u64, segment: &Segment, ports: u32) -> u64 {
        let Segment { seq, ack, ipid, ttl, flags, .. } = *segment;
        let oldest = newest.saturating_sub(FRAMES - 1);
        let carries = |number: &u64| {
            let number = *number as u32;
            let entry = Entry { number, ports, seq: seq.0, ack: ack.0, ipid, ttl, flags: flags.0 };
            self.ring.get((number & self.mask) as usize) == Some(&entry)
        };
        (oldest..=newest).rev().find(carries).unwrap_or(newest)
    }
}

#[cfg(test)]
mod tests {
    use sensor_common::{seq::SeqNumber, time::Stamp};

    use super::*;

    #[test]
    fn the_latest_match_counts_until_it_is_too_long_ago() {
        let packet = |seq| Packet { seq: SeqNumber(seq), ..Packet::default() };
        let segment = |seq| packet(seq).segment(Stamp(0));
        for many in [false, true] {
            let mut frames = Frames::new(many);
            frames.note(1, &packet(7));
            frames.note(2, &packet(8));
            frames.note(5, &packet(7));
            frames.note(6, &packet(9));
            assert_eq!([7, 8, 9, 10].map(|seq| frames.find(6, &segment(seq), 0)), [5, 2, 6, 6]);
            assert_eq!(frames.find(4, &segment(7), 0), 1, "what comes later is not meant");
            frames.note(2 + FRAMES, &packet(1));
            assert_eq!(frames.find(2 + FRAMES, &segment(8), 0), 2 + FRAMES);
            assert_eq!(frames.find(2 + FRAMES, &segment(7), 0), 5);
        }
    }
}
