//! Classic pcap: a header of 24 bytes, then records (draft-ietf-opsawg-pcap).
//!
//! Read here and not by pcap-parser, which does not know the swapped form of the modified format, whose reader drops the
//! cause of a failed read, and which would save no more than reading five numbers at fixed offsets.

use std::io::Read;

use super::input::Input;
use super::link::Link;
use super::order::Order;
use super::{CaptureError, Record};

/// The length of the file's header.
const HEADER: usize = 24;

/// What the file's header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a unit of the time stamp's fraction.
    unit: u64,
    /// The length of a record's header.
    head: usize,
    link: Link,
}

impl Pcap {
    pub(super) fn recognise(magic: [u8; 4]) -> Option<Self> {
        let order = if magic[0] == 0xa1 { Order::Big } else { Order::Little };
        let (unit, head) = match order.u32(&magic, 0) {
            0xa1b2_c3d4 => (1000, 16),
            0xa1b2_3c4d => (1, 16),
            0xa1b2_cd34 => (1000, 24), // "modified": interface, protocol and packet type follow
            _ => return None,
        };
        Some(Self { order, unit, head, link: Link::Ethernet })
    }

    pub(super) fn open<R: Read>(mut self, input: &mut Input<R>) -> Result<Self, CaptureError> {
        let header = input.need(HEADER)?;
        // The upper bits tell about frame check sequences, which nobody needs here.
        self.link = Link::of(self.order.u32(header, 20) & 0x03ff_ffff);
        if let Link::Other(link) = self.link {
            return Err(CaptureError::unsupported_link(link, 1));
        }
        input.take(HEADER);
        Ok(self)
    }

    /// Whether the next record is in memory.
    #[inline]
    pub(super) fn is_ready<R: Read>(&self, input: &Input<R>) -> bool {
        let unread = input.unread();
        unread.len() >= self.head && unread.len() - self.head >= self.order.u32(unread, 8) as usize
    }

    #[inline]
    pub(super) fn next<R: Read>(&self, input: &mut Input<R>) -> Result<Option<Record>, CaptureError> {
        if !input.want(1)? {
            return Ok(None);
        }
        let head = input.need(self.head)?;
        let [seconds, fraction, captured, wire_len] = [0, 4, 8, 12].map(|at| self.order.u32(head, at));
        let length = input.believe(captured)?;
        input.need(self.head + length)?;
        input.take(self.head);
        input.frames += 1;
        Ok(Some(Record {
            time: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.unit,
            data: input.take(length),
            wire_len: wire_len.max(captured),
            interface: 0,
            link: self.link,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::super::tests::build::{self, FRAME};
    use super::*;

    #[test]
    fn both_orders_and_all_magics() {
        for order in [Order::Little, Order::Big] {
            for (magic, time) in
                [(0xa1b2_c3d4, 5_000_007_000), (0xa1b2_3c4d, 5_000_000_007), (0xa1b2_cd34, 5_000_007_000)]
            {
                // 0x1000_0000 says that frames end in a check sequence.
                let bytes = build::pcap(order, magic, 0x1000_0001, &[(5, 7, FRAME, 99), (5, 7, FRAME, 0)]);
                let mut reader = Reader::new(bytes.as_slice()).unwrap();
                let frame = reader.next_frame().unwrap().unwrap();
                assert_eq!((frame.number, frame.time, frame.bytes, frame.wire_len), (1, time, FRAME, 99));
                let frame = reader.next_frame().unwrap().unwrap();
                assert_eq!((frame.number, frame.wire_len as usize), (2, FRAME.len()));
                assert_eq!(reader.next_frame().unwrap(), None);
            }
        }
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let other = build::pcap(Order::Little, 0xa1b2_c3d4, 105, &[]);
        assert!(matches!(Reader::new(other.as_slice()), Err(CaptureError::UnsupportedLink { link: 105, .. })));

        let mut large = build::pcap(Order::Little, 0xa1b2_c3d4, 1, &[(0, 0, FRAME, 0)]);
        large[HEADER + 8..HEADER + 12].copy_from_slice(&(super::super::input::MAX_RECORD + 1).to_le_bytes());
        let mut reader = Reader::new(large.as_slice()).unwrap();
        assert!(matches!(reader.next_frame(), Err(CaptureError::TooLarge { frames: 0, .. })));
        assert_eq!(reader.next_frame().unwrap(), None);
    }
}
