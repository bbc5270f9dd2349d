//! Compressed captures: recognised by their first bytes, never by a name, and unpacked as they are read.
//!
//! Memory is what the decoder's window takes, however much comes out: 32 KiB for gzip, 128 MiB at the most for zstd.

use std::{
    fmt,
    io::{self, BufReader, ErrorKind, Read},
    time::Duration,
};

use flate2::bufread::MultiGzDecoder;
use zstd::stream::read::Decoder;

use super::beside::Beside;

/// Bytes of packed input asked for at a time.
const CHUNK: usize = 128 << 10;

const GZIP: &[u8] = b"\x1f\x8b";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";

/// The input as it is, or unpacked.
pub(super) struct Unpacked<R: Read>(Form<R>);

enum Form<R: Read> {
    /// Nothing was read yet.
    Unknown(Option<R>),
    Plain(Source<R>),
    /// All of it on a thread of its own.
    Beside(Beside),
    Gzip(Box<MultiGzDecoder<BufReader<Source<R>>>>),
    Zstd(Box<Decoder<'static, BufReader<Source<R>>>>),
}

/// A stream that contradicts itself: the cause of an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub(super) struct Damage {
    /// The name of the compression.
    pub(super) format: &'static str,
    /// The command that unpacks it to its output.
    pub(super) tool: &'static str,
    /// What the decoder says.
    pub(super) cause: io::Error,
}

impl<R: Read> Unpacked<R> {
    pub(super) fn new(source: R) -> Self {
        Self(Form::Unknown(Some(source)))
    }

    /// The same, read and unpacked on a thread of its own where there is something to unpack, or `always`.
    pub(super) fn beside(source: R, always: bool) -> io::Result<Self>
    where
        R: Send + 'static,
    {
        Ok(Self(match Self::open(source)? {
            Form::Plain(source) if !always => Form::Plain(source),
            form => Form::Beside(Beside::start(Self(form))?),
        }))
    }

    /// Whether there are bytes to read, now or within `wait`, as far as is known: of what is read here nothing is.
    pub(super) fn is_at_hand(&mut self, wait: Duration) -> bool {
        if let Form::Beside(beside) = &mut self.0 { beside.is_at_hand(wait) } else { false }
    }

    /// Waits for the first bytes, which tell what it is.
    fn open(source: R) -> io::Result<Form<R>> {
        let mut source = Source { start: [0; 4], first: 0, last: 0, inner: source, ended: false, failed: None };
        while source.last < source.start.len() {
            match source.inner.read(&mut source.start[source.last..]) {
                Ok(0) => break,
                Ok(more) => source.last += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    // What came before it counts.
                    source.failed = Some(error);
                    break;
                }
            }
        }
        let start = &source.start[..source.last];
        Ok(if start.starts_with(GZIP) {
            Form::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK, source))))
        } else if start == ZSTD {
            Form::Zstd(Box::new(Decoder::with_buffer(BufReader::with_capacity(CHUNK, source))?))
        } else {
            Form::Plain(source)
        })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Form::Unknown(source) = &mut self.0
            && let Some(source) = source.take()
        {
            self.0 = Self::open(source)?;
        }
        match &mut self.0 {
            Form::Unknown(_) => Ok(0),
            Form::Beside(beside) => beside.read(buffer),
            Form::Plain(source) => source.read(buffer).map_err(|error| source.failed.take().unwrap_or(error)),
            Form::Gzip(decoder) => {
                let read = decoder.read(buffer);
                read.map_err(|cause| {
                    decoder.get_mut().get_mut().explain(Damage { format: "gzip", tool: "zcat", cause })
                })
            }
            Form::Zstd(decoder) => {
                let read = decoder.read(buffer);
                read.map_err(|cause| {
                    decoder.get_mut().get_mut().explain(Damage { format: "zstd", tool: "zstdcat", cause })
                })
            }
        }
    }
}

impl<R: Read> fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.0 {
            Form::Unknown(_) => "unknown",
            Form::Plain(_) => "plain",
            Form::Beside(_) => "read elsewhere",
            Form::Gzip(_) => "gzip",
            Form::Zstd(_) => "zstd",
        };
        f.write_str(form)
    }
}

/// The input, with the bytes that were read to recognise it. Remembers how it ended, as decoders blur that.
struct Source<R> {
    start: [u8; 4],
    /// What of the start is unread.
    first: usize,
    last: usize,
    inner: R,
    ended: bool,
    failed: Option<io::Error>,
}

impl<R> Source<R> {
    /// What a decoder's error comes from: the input's own error, its end, or else its contents.
    fn explain(&mut self, damage: Damage) -> io::Error {
        match self.failed.take() {
            Some(error) => error,
            None if self.ended => ErrorKind::UnexpectedEof.into(),
            None => io::Error::new(ErrorKind::InvalidData, damage),
        }
    }
}

impl<R: Read> Read for Source<R> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.first < self.last {
            let more = (self.last - self.first).min(buffer.len());
            buffer[..more].copy_from_slice(&self.start[self.first..][..more]);
            self.first += more;
            return Ok(more);
        }
        if let Some(error) = &self.failed {
            return Err(error.kind().into());
        }
        loop {
            match self.inner.read(buffer) {
                Ok(more) => {
                    self.ended = more == 0;
                    return Ok(more);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    // Decoders wrap what they are told.
                    self.failed = Some(error);
                    return Err(kind.into());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
