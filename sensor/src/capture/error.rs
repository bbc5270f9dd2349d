//! Why a capture cannot be read, and what to do about it.

use std::io::{self, ErrorKind};

use super::{link, packed::Damage};

/// Why a capture cannot be read, or not any further.
///
/// Counts of frames are as Wireshark counts; those frames were delivered before the error.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Not one byte came.
    #[error("the capture is empty: let the capturing program end (Ctrl-C) so that it writes its file, or capture anew")]
    Empty,
    /// Neither pcap nor pcapng.
    #[error(
        "not a capture file, for it begins with {start}: give a pcap or pcapng file, as tcpdump, dumpcap and Wireshark write them"
    )]
    NotACapture {
        /// The first bytes in hexadecimal.
        start: String,
    },
    /// Possibly a capture, but packed in a way that is not read here, or packed twice.
    #[error("the capture is compressed with {format}: unpack it on the way in, `{tool} FILE | sensor replay -`")]
    Compressed {
        /// The name of the compression.
        format: &'static str,
        /// The command that unpacks it to its output.
        tool: &'static str,
    },
    /// The input ended within a record.
    #[error(
        "the capture is cut short after {frames} frames, all of which were read: copy it again if the original is whole"
    )]
    CutShort {
        /// How many frames were whole.
        frames: u64,
    },
    /// A link type that cannot be presented as Ethernet.
    #[error(
        "frame {frame} has link type {link} ({name}), which is not supported: capture on an Ethernet, raw IP, Linux cooked (`-i any`), loopback, PPP or Cisco HDLC interface"
    )]
    UnsupportedLink {
        /// The frame that has it; the first one when the whole capture has it.
        frame: u64,
        /// Its number in the registry of link types.
        link: u32,
        /// Its name, if it is a common one.
        name: &'static str,
    },
    /// A record longer than any that a capturing program writes.
    #[error(
        "the capture is damaged after {frames} frames, where {size} bytes are announced and 16 MiB are the limit: copy or capture it anew, or repair it with `pcapfix`"
    )]
    TooLarge {
        /// How many frames came before.
        frames: u64,
        /// The length that the record announces.
        size: u32,
    },
    /// A record that contradicts itself.
    #[error(
        "the capture is damaged after {frames} frames ({what}): copy or capture it anew, or repair it with `pcapfix`"
    )]
    Damaged {
        /// How many frames came before.
        frames: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A compressed stream that cannot be unpacked any further.
    #[error(
        "the capture cannot be unpacked after {frames} frames, all of which were read ({format}: {cause}): copy it again if the original is whole, which `{tool} FILE > /dev/null` tells"
    )]
    Unpacked {
        /// How many frames were whole.
        frames: u64,
        /// The name of the compression.
        format: &'static str,
        /// The command that unpacks it to its output.
        tool: &'static str,
        /// What the decoder said.
        cause: io::Error,
    },
    /// The operating system could not read.
    #[error(
        "the capture cannot be read after {frames} frames ({cause}): check that it is a readable file on a sound disk"
    )]
    Io {
        /// How many frames came before.
        frames: u64,
        /// What the operating system said.
        cause: io::Error,
    },
}

/// First bytes of compressed files, the format's name, and the tool that unpacks to its output.
const COMPRESSED: [(&[u8], &str, &str); 5] = [
    (b"\x1f\x8b", "gzip", "zcat"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstdcat"),
    (b"\xfd7zXZ", "xz", "xzcat"),
    (b"BZh", "bzip2", "bzcat"),
    (b"\x04\x22\x4d\x18", "lz4", "lz4cat"),
];

impl CaptureError {
    pub(super) fn not_a_capture(start: &[u8]) -> Self {
        if start.is_empty() {
            return Self::Empty;
        }
        if let Some(&(_, format, tool)) = COMPRESSED.iter().find(|(magic, ..)| start.starts_with(magic)) {
            return Self::Compressed { format, tool };
        }
        let hex: Vec<String> = start.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self::NotACapture { start: hex.join(" ") }
    }

    /// Why the input cannot be read behind so many frames.
    pub(super) fn unread(frames: u64, cause: io::Error) -> Self {
        if cause.kind() == ErrorKind::UnexpectedEof {
            return Self::CutShort { frames };
        }
        match cause.downcast::<Damage>() {
            Ok(Damage { format, tool, cause }) => Self::Unpacked { frames, format, tool, cause },
            Err(cause) => Self::Io { frames, cause },
        }
    }

    pub(crate) fn unsupported_link(link: u32, frame: u64) -> Self {
        Self::UnsupportedLink { frame, link, name: link::name(link) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_the_input_is_instead() {
        let text = |start: &[u8]| CaptureError::not_a_capture(start).to_string();
        assert!(text(b"").contains("empty"));
        assert!(text(b"GET / HTTP/1.1").contains("47 45 54 20 2f 20 48 54:"));
        assert!(text(b"\x1f\x8b\x08\0").contains("`zcat FILE | sensor replay -`"));
        assert!(text(b"\x28\xb5\x2f\xfd").contains("`zstdcat FILE | sensor replay -`"));
    }

    #[test]
    fn names_the_link_type() {
        let text = CaptureError::unsupported_link(127, 1).to_string();
        assert!(text.contains("127 (802.11 with radiotap)"), "{text}");
    }
}
