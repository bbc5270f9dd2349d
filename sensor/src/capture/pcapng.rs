//! pcapng: sections of blocks (draft-ietf-opsawg-pcapng).
//!
//! pcap-parser reads the rare blocks. Blocks that hold packets are read here, at fixed offsets, because it collects each
//! one's options in a new vector, takes a damaged length for a need of more input, and knows no obsolete packet blocks.

use std::io::Read;

pub(super) use pcap_parser::pcapng::SHB_MAGIC;
use pcap_parser::pcapng::{BOM_MAGIC, CB_MAGIC, DCB_MAGIC, EPB_MAGIC, IDB_MAGIC, SJE_MAGIC, SPB_MAGIC};

mod interface;

use super::input::Input;
use super::order::Order;
use super::{CaptureError, Record};
use interface::Interface;

/// The obsolete packet block.
const PB_MAGIC: u32 = 2;
/// The events of sysdig: plain, and the two later forms.
const SYSDIG: [u32; 3] = [0x204, 0x216, 0x221];
/// Type, length, and length again.
const EMPTY_BLOCK: usize = 12;
/// More than any machine has, few enough to remember.
const MAX_INTERFACES: usize = 1 << 16;

/// What the section so far tells.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// The time of the last frame, lent to blocks that have none.
    time: u64,
}

impl Pcapng {
    pub(super) fn interface_name(&self, interface: u32) -> Option<&str> {
        self.interfaces.get(interface as usize)?.name()
    }

    /// Whether the next block is in memory and holds a packet: what else there is may change interfaces and their names.
    #[inline]
    pub(super) fn is_ready<R: Read>(&self, input: &Input<R>) -> bool {
        let unread = input.unread();
        unread.len() >= EMPTY_BLOCK
            && matches!(self.order.u32(unread, 0), EPB_MAGIC | PB_MAGIC | SPB_MAGIC)
            && unread.len() >= self.order.u32(unread, 4) as usize
    }

    #[inline]
    pub(super) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Record>, CaptureError> {
        while input.want(1)? {
            let head = input.need(EMPTY_BLOCK)?;
            let kind = self.order.u32(head, 0);
            if kind == SHB_MAGIC {
                let Some(order) = section_order(head) else {
                    return Err(input.damaged("a section does not tell its byte order"));
                };
                self.order = order;
                self.interfaces.clear();
            }
            let announced = self.order.u32(head, 4);
            let length = input.believe(announced)?;
            if length < EMPTY_BLOCK || length % 4 != 0 {
                return Err(input.damaged("a block has an impossible length"));
            }
            let block = input.need(length)?;
            if self.order.u32(block, length - 4) != announced {
                return Err(input.damaged("a block's two lengths differ"));
            }
            match kind {
                EPB_MAGIC | PB_MAGIC | SPB_MAGIC => {
                    let mut record = self.packet(kind, block).map_err(|what| input.damaged(what))?;
                    let start = input.take(length).start;
                    record.data = start + record.data.start..start + record.data.end;
                    input.frames += 1;
                    return Ok(Some(record));
                }
                IDB_MAGIC => {
                    let interface = Interface::parse(self.order, block);
                    let interface = interface.ok_or_else(|| input.damaged("an interface's description is not one"))?;
                    if self.interfaces.len() == MAX_INTERFACES {
                        return Err(input.damaged("a section has more than 65536 interfaces"));
                    }
                    self.interfaces.push(interface);
                }
                // Not packets, but Wireshark numbers them all the same.
                SJE_MAGIC | CB_MAGIC | DCB_MAGIC => input.frames += 1,
                kind if SYSDIG.contains(&kind) => input.frames += 1,
                _ => {}
            }
            input.take(length);
        }
        Ok(None)
    }

    /// Reads a block that holds a packet; the data's place is relative to the block.
    #[inline]
    fn packet(&mut self, kind: u32, block: &[u8]) -> Result<Record, &'static str> {
        let u32_at = |at| self.order.u32(block, at);
        let simple = kind == SPB_MAGIC;
        let data = if simple { 12 } else { 28 };
        let Some(room) = block.len().checked_sub(data + 4) else {
            return Err("a packet's block is too short to be one");
        };
        let index = match kind {
            EPB_MAGIC => u32_at(8),
            PB_MAGIC => u32::from(self.order.u16(block, 8)),
            _ => 0,
        };
        let Some(interface) = self.interfaces.get(index as usize) else {
            return Err("a packet's interface is not described");
        };
        let (captured, wire_len) = if simple {
            // It does not say how much was captured: all, up to the interface's limit.
            (interface.limit(u32_at(8)).min(room as u32), u32_at(8))
        } else {
            self.time = interface.time(u64::from(u32_at(12)) << 32 | u64::from(u32_at(16)));
            (u32_at(20), u32_at(24))
        };
        if captured as usize > room {
            return Err("a packet is longer than its block");
        }
        Ok(Record {
            time: self.time,
            data: data..data + captured as usize,
            wire_len: wire_len.max(captured),
            interface: index,
            link: interface.link(),
        })
    }
}

/// The byte order of the section that begins here.
fn section_order(head: &[u8]) -> Option<Order> {
    [Order::Little, Order::Big].into_iter().find(|order| order.u32(head, 8) == BOM_MAGIC)
}

#[cfg(test)]
mod tests;
