//! Reads captures: pcap and pcapng, plain or compressed with gzip or zstd, from a file or a pipe, one frame at a time and in
//! bounded memory.
//!
//! Whatever the capture's link type, the engine sees Ethernet II: frames of other link types are presented so.
//! The capture is untrusted. No bytes make the reader panic, and damage never costs the frames before it.

use std::io::Read;
use std::ops::Range;
use std::time::Duration;

mod beside;
mod error;
mod input;
mod link;
mod order;
mod packed;
mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;
pub mod write;

pub use error::CaptureError;

use input::Input;
use link::{Link, Presenter};
use packed::Unpacked;
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
pub struct Reader<R: Read> {
    input: Input<R>,
    format: Format,
    presenter: Presenter,
    /// The frames read last, by their numbers; their bytes lie in the input.
    ahead: Vec<(u64, Record)>,
    /// What came behind them.
    pending: Option<CaptureError>,
    ended: bool,
}

#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A frame as the capture holds it.
#[derive(Debug)]
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
        Self::open(Input::new(Unpacked::new(input)))
    }

    /// The same, with the input read on a thread of its own, some blocks ahead, where it is to be unpacked, or `always`.
    ///
    /// # Errors
    ///
    /// As [`Reader::new`]; or there is no thread to be had.
    pub fn beside(input: R, always: bool) -> Result<Self, CaptureError>
    where
        R: Send + 'static,
    {
        let input = Unpacked::beside(input, always).map_err(|cause| CaptureError::unread(0, cause))?;
        Self::open(Input::new(input))
    }

    fn open(mut input: Input<R>) -> Result<Self, CaptureError> {
        let enough = input.want(4)?;
        let format = match input.unread().first_chunk() {
            Some(magic) if *magic == pcapng::SHB_MAGIC.to_be_bytes() => Format::Pcapng(Pcapng::default()),
            Some(magic) if enough => match Pcap::recognise(*magic) {
                Some(pcap) => Format::Pcap(pcap.open(&mut input)?),
                None => return Err(CaptureError::not_a_capture(input.unread())),
            },
            _ => return Err(CaptureError::not_a_capture(input.unread())),
        };
        Ok(Self { input, format, presenter: Presenter::default(), ahead: Vec::new(), pending: None, ended: false })
    }

    /// The next frame, or `None` once the capture has ended.
    ///
    /// # Errors
    ///
    /// The first error is the last, and `None` follows it. The exception is [`CaptureError::UnsupportedLink`]: it
    /// stands for one frame of one interface, and the next call goes on behind it.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        Ok(if self.read_ahead(1)? == 0 { None } else { self.frame(0) })
    }

    /// Reads up to `most` frames, and says how many: as many as are in memory, at least one before the end. Blocks of
    /// pcapng that hold no packets stay before those that follow. Frames read before are given up.
    ///
    /// # Errors
    ///
    /// As [`Reader::next_frame`]; the frames before it are given first.
    #[inline]
    pub fn read_ahead(&mut self, most: usize) -> Result<usize, CaptureError> {
        self.ahead.clear();
        if let Some(error) = self.pending.take() {
            return Err(error);
        }
        while self.ahead.len() < most && !self.ended && (self.ahead.is_empty() || self.is_ready()) {
            if let Err(error) = self.read_one() {
                if self.ahead.is_empty() {
                    return Err(error);
                }
                self.pending = Some(error);
                break;
            }
        }
        Ok(self.ahead.len())
    }

    #[inline]
    fn read_one(&mut self) -> Result<(), CaptureError> {
        let record = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
        };
        let Ok(Some(record)) = record else {
            self.ended = true;
            return record.map(|_| ());
        };
        let number = self.input.frames;
        if let Link::Other(link) = record.link {
            return Err(CaptureError::unsupported_link(link, number));
        }
        self.ahead.push((number, record));
        Ok(())
    }

    #[inline]
    fn is_ready(&self) -> bool {
        match &self.format {
            Format::Pcap(pcap) => pcap.is_ready(&self.input),
            Format::Pcapng(pcapng) => pcapng.is_ready(&self.input),
        }
    }

    /// Whether there is another frame to read, now or, of what is read beside, within `wait`. Frames read before are given up.
    pub fn is_at_hand(&mut self, wait: Duration) -> bool {
        self.ahead.clear();
        self.is_ready() || self.input.take_in(wait) && self.is_ready()
    }

    /// One of the frames that were read last, by its place among them.
    #[inline]
    pub fn frame(&mut self, index: usize) -> Option<Frame<'_>> {
        let (number, record) = self.ahead.get(index)?;
        let captured = self.input.bytes(record.data.clone());
        let (bytes, wire_len) = match record.link {
            Link::Ethernet => (captured, record.wire_len),
            link => self.presenter.present(link, captured, record.wire_len),
        };
        Some(Frame { number: *number, time: record.time, bytes, wire_len, interface: record.interface })
    }
}

impl<R: Read> Reader<R> {
    /// The name of an interface of the section being read, if the capture tells it.
    pub fn interface_name(&self, interface: u32) -> Option<&str> {
        match &self.format {
            Format::Pcap(_) => None,
            Format::Pcapng(pcapng) => pcapng.interface_name(interface),
        }
    }
}
