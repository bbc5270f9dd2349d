//! Builds captures in either byte order, whole or damaged.

use super::super::order::Order;

/// A frame's bytes, of a length that needs padding.
pub(in super::super) const FRAME: &[u8] = &[0xab; 61];

/// Numbers in a byte order.
#[derive(Debug)]
pub(in super::super) struct Bytes {
    order: Order,
    pub(in super::super) bytes: Vec<u8>,
}

impl Bytes {
    pub(in super::super) fn new(order: Order) -> Self {
        Self { order, bytes: Vec::new() }
    }

    pub(in super::super) fn u16s<const N: usize>(mut self, numbers: [u16; N]) -> Self {
        for number in numbers {
            self.bytes.extend(if self.order == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() });
        }
        self
    }

    pub(in super::super) fn u32s<const N: usize>(mut self, numbers: [u32; N]) -> Self {
        for number in numbers {
            self.bytes.extend(if self.order == Order::Big { number.to_be_bytes() } else { number.to_le_bytes() });
        }
        self
    }

    pub(in super::super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }

    /// An option of a pcapng block, whose value is in the right order already.
    pub(in super::super) fn option(mut self, code: u16, value: &[u8]) -> Self {
        self = self.u16s([code, value.len() as u16]).raw(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

/// A classic capture of records: seconds, fraction, bytes, length on the wire.
pub(in super::super) fn pcap(order: Order, magic: u32, link: u32, records: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
    let header = Bytes::new(order).u32s([magic]).u16s([2, 4]).u32s([0, 0, 1 << 18, link]);
    let records = records.iter().fold(header, |capture, &(seconds, fraction, bytes, wire_len)| {
        let capture = capture.u32s([seconds, fraction, bytes.len() as u32, wire_len]);
        let capture = if magic == 0xa1b2_cd34 { capture.u32s([0, 0]) } else { capture };
        capture.raw(bytes)
    });
    records.bytes
}

/// A pcapng capture, block by block.
#[derive(Debug)]
pub(in super::super) struct Pcapng {
    order: Order,
    pub(in super::super) bytes: Vec<u8>,
}

impl Pcapng {
    /// Begins with a section.
    pub(in super::super) fn new(order: Order) -> Self {
        Self { order, bytes: Vec::new() }.section(order)
    }

    pub(in super::super) fn section(mut self, order: Order) -> Self {
        self.order = order;
        self.block(0x0a0d_0d0a, |body| body.u32s([0x1a2b_3c4d]).u16s([1, 0]).raw(&[0xff; 8]))
    }

    pub(in super::super) fn block(mut self, kind: u32, body: impl FnOnce(Bytes) -> Bytes) -> Self {
        let mut body = body(Bytes::new(self.order)).bytes;
        body.resize(body.len().next_multiple_of(4), 0);
        let length = body.len() as u32 + 12;
        let block = Bytes::new(self.order).u32s([kind, length]).raw(&body).u32s([length]);
        self.bytes.extend(block.bytes);
        self
    }

    /// Describes an interface; `options` adds to the description.
    pub(in super::super) fn interface(self, link: u16, snap: u32, options: impl FnOnce(Bytes) -> Bytes) -> Self {
        self.block(1, |body| options(body.u16s([link, 0]).u32s([snap])))
    }

    /// An enhanced packet block.
    pub(in super::super) fn packet(self, interface: u32, time: u64, bytes: &[u8]) -> Self {
        let length = bytes.len() as u32;
        self.block(6, |body| body.u32s([interface, (time >> 32) as u32, time as u32, length, length]).raw(bytes))
    }
}
