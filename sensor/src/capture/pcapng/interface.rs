//! What a pcapng section tells about an interface: link type, name, and how to read its clock.

use pcap_parser::pcapng::{
    InterfaceDescriptionBlock, OptionCode, parse_interfacedescriptionblock_be, parse_interfacedescriptionblock_le,
};

use super::super::link::Link;
use super::super::order::Order;

/// No interface has a longer name.
const MAX_NAME: usize = 256;

/// One interface of a section.
#[derive(Debug)]
pub(super) struct Interface {
    link: Link,
    /// How much of a frame was captured at most; 0 is no limit.
    snap: u32,
    name: Option<Box<str>>,
    clock: Clock,
}

impl Interface {
    /// Reads a whole interface description block.
    pub(super) fn parse(order: Order, block: &[u8]) -> Option<Self> {
        let parsed = match order {
            Order::Little => parse_interfacedescriptionblock_le(block),
            Order::Big => parse_interfacedescriptionblock_be(block),
        };
        let (_, block) = parsed.ok()?;
        Some(Self {
            link: Link::of(u32::try_from(block.linktype.0).ok()?),
            snap: block.snaplen,
            name: name(&block),
            clock: Clock::new(block.if_tsresol, offset(order, &block)),
        })
    }

    pub(super) fn link(&self) -> Link {
        self.link
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// How much of a frame of this length was captured at most.
    pub(super) fn limit(&self, length: u32) -> u32 {
        if self.snap == 0 { length } else { length.min(self.snap) }
    }

    /// A time stamp in nanoseconds since the epoch.
    #[inline]
    pub(super) fn time(&self, ticks: u64) -> u64 {
        self.clock.time(ticks)
    }
}

/// The name as a terminal may show it: the capture is untrusted, and control characters steer terminals.
fn name(block: &InterfaceDescriptionBlock<'_>) -> Option<Box<str>> {
    let name = block.if_name()?.ok()?;
    Some(name.chars().filter(|c| !c.is_control()).take(MAX_NAME).collect())
}

/// The clock's offset in seconds. pcap-parser would read it as little-endian in any section.
fn offset(order: Order, block: &InterfaceDescriptionBlock<'_>) -> i64 {
    let option = block.options.iter().find(|option| option.code == OptionCode::IfTsoffset);
    option.map_or(0, |option| order.i64(option.value(), 0))
}

/// How to turn an interface's time stamps into nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    tick: Tick,
    /// Nanoseconds to add.
    offset: i64,
}

/// The length of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tick {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// A nanosecond has so many.
    InNanosecond(u64),
    /// A second has two to this power.
    Binary(u8),
}

impl Clock {
    /// `resolution` is a negative power of ten, or of two where its top bit is set.
    fn new(resolution: u8, offset: i64) -> Self {
        let tick = match resolution {
            0..=9 => Tick::Nanoseconds(10_u64.pow(9 - u32::from(resolution))),
            10..=127 => Tick::InNanosecond(10_u64.saturating_pow(u32::from(resolution) - 9)),
            128.. => Tick::Binary(resolution & 0x7f),
        };
        Self { tick, offset: offset.saturating_mul(1_000_000_000) }
    }

    #[inline]
    fn time(self, ticks: u64) -> u64 {
        let time = match self.tick {
            Tick::Nanoseconds(each) => ticks.saturating_mul(each),
            Tick::InNanosecond(count) => ticks / count,
            Tick::Binary(power) => ((u128::from(ticks) * 1_000_000_000) >> power).try_into().unwrap_or(u64::MAX),
        };
        time.saturating_add_signed(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_of_every_resolution() {
        let time = |resolution, offset, ticks| Clock::new(resolution, offset).time(ticks);
        assert_eq!(time(6, 0, 1_500_000), 1_500_000_000);
        assert_eq!(time(9, 0, 1_500_000), 1_500_000);
        assert_eq!(time(0, 0, 2), 2_000_000_000);
        assert_eq!(time(12, 0, 1_500_000), 1_500);
        assert_eq!(time(0x80 | 10, 0, 1536), 1_500_000_000);
        assert_eq!(time(6, -1, 1_500_000), 500_000_000);
        assert_eq!(time(6, 1, 1_500_000), 2_500_000_000);
        for resolution in 0..=255 {
            for (offset, ticks) in [(i64::MIN, u64::MAX), (i64::MAX, u64::MAX), (i64::MIN, 0), (i64::MAX, 0)] {
                time(resolution, offset, ticks);
            }
        }
    }
}
