//! Reads captures: pcap and pcapng, from a file or a pipe, one frame at a time and in bounded memory.
//!
//! Whatever the capture's link type, the engine sees Ethernet II: frames of other link types are presented so.
//! The capture is untrusted. No bytes make the reader panic, and damage never costs the frames before it.

use std::io::Read;
use std::ops::Range;

mod error;
mod input;
mod link;
mod order;
mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;
pub mod write;

pub use error::CaptureError;

use input::Input;
use link::{Link, Presenter};
use pcap::Pcap;
use pcapng::Pcapng;

/// One captured frame, valid until the next is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The frame's number as Wireshark counts, from 1.
    pub number: u64,
    /// When it was captured, in nanoseconds since the epoch.
    pub time: u64,
    /// What was captured of it, as an Ethernet II frame, possibly cut short.
    pub bytes: &'a [u8],
    /// How long the whole Ethernet II frame was.
    pub wire_len: u32,
    /// The interface within the capture's current section; 0 in pcap, which knows only one.
    pub interface: u32,
}

/// Reads the frames of one capture in their order.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
    presenter: Presenter,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A frame as the capture holds it.
struct Record {
    time: u64,
    data: Range<usize>,
    wire_len: u32,
    interface: u32,
    link: Link,
}

impl<R: Read> Reader<R> {
    /// Recognises the capture by its first bytes.
    ///
    /// # Errors
    ///
    /// Says what the input is instead, or that its only link type is not supported.
    pub fn new(input: R) -> Result<Self, CaptureError> {
        let mut input = Input::new(input);
        let enough = input.want(4)?;
        let format = match input.unread().first_chunk() {
            Some(magic) if *magic == pcapng::SHB_MAGIC.to_be_bytes() => Format::Pcapng(Pcapng::default()),
            Some(magic) if enough => match Pcap::recognise(*magic) {
                Some(pcap) => Format::Pcap(pcap.open(&mut input)?),
                None => return Err(CaptureError::not_a_capture(input.unread())),
            },
            _ => return Err(CaptureError::not_a_capture(input.unread())),
        };
        Ok(Self { input, format, presenter: Presenter::default(), ended: false })
    }

    /// The next frame, or `None` once the capture has ended.
    ///
    /// # Errors
    ///
    /// The first error is the last, and `None` follows it. The exception is [`CaptureError::UnsupportedLink`]: it
    /// stands for one frame of one interface, and the next call goes on behind it.
    #[inline]
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        if self.ended {
            return Ok(None);
        }
        let record = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
        };
        let Ok(Some(record)) = record else {
            self.ended = true;
            return record.map(|_| None);
        };
        let (number, captured) = (self.input.frames, self.input.bytes(record.data));
        let (bytes, wire_len) = match record.link {
            Link::Ethernet => (captured, record.wire_len),
            Link::Other(link) => return Err(CaptureError::unsupported_link(link, number)),
            link => self.presenter.present(link, captured, record.wire_len),
        };
        Ok(Some(Frame { number, time: record.time, bytes, wire_len, interface: record.interface }))
    }
}

impl<R> Reader<R> {
    /// The name of an interface of the section being read, if the capture tells it.
    pub fn interface_name(&self, interface: u32) -> Option<&str> {
        match &self.format {
            Format::Pcap(_) => None,
            Format::Pcapng(pcapng) => pcapng.interface_name(interface),
        }
    }
}
