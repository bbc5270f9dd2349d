//! Writes small captures: what the tests read, and what is to be opened in Wireshark.

use std::io::{self, Write};

/// Writes classic pcap: Ethernet, nanoseconds, little-endian.
#[derive(Debug)]
pub struct PcapWriter<W> {
    output: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file's header.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn new(mut output: W) -> io::Result<Self> {
        output.write_all(&0xa1b2_3c4d_u32.to_le_bytes())?;
        output.write_all(&[2, 0, 4, 0])?; // version 2.4
        output.write_all(&[0; 8])?;
        output.write_all(&numbers([SNAP, 1]))?;
        Ok(Self { output })
    }

    /// Writes a frame that was captured at `time`, in nanoseconds since the epoch.
    ///
    /// # Errors
    ///
    /// What the output says, or that the time is past 2106, where the format ends.
    pub fn frame(&mut self, time: u64, bytes: &[u8], wire_len: u32) -> io::Result<()> {
        let seconds = fits((time / 1_000_000_000) as usize)?;
        let fraction = (time % 1_000_000_000) as u32;
        self.output.write_all(&numbers([seconds, fraction, fits(bytes.len())?, wire_len]))?;
        self.output.write_all(bytes)
    }

    /// Hands the output back.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// Writes pcapng: one section, Ethernet interfaces, nanoseconds, little-endian.
#[derive(Debug)]
pub struct PcapngWriter<W> {
    output: W,
    /// The block in the making; used again for each.
    block: Vec<u8>,
}

impl<W: Write> PcapngWriter<W> {
    /// Writes the section's header, which may name the program that writes.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn new(output: W, program: Option<&str>) -> io::Result<Self> {
        let mut writer = Self { output, block: Vec::new() };
        writer.block.extend(0x1a2b_3c4d_u32.to_le_bytes());
        writer.block.extend([1, 0, 0, 0]); // version 1.0
        writer.block.extend([0xff; 8]); // of unknown length
        if let Some(program) = program {
            writer.option(4, program.as_bytes()); // shb_userappl
            writer.option(0, &[]);
        }
        writer.flush(0x0a0d_0d0a)?;
        Ok(writer)
    }

    /// Describes an interface; they are numbered from 0 in this order.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn interface(&mut self, name: &str) -> io::Result<()> {
        self.block.extend(numbers([1, SNAP]));
        self.option(2, name.as_bytes()); // if_name
        self.option(9, &[9]); // if_tsresol
        self.option(0, &[]);
        self.flush(1)
    }

    /// Writes a frame that was captured at `time`, in nanoseconds since the epoch, on an interface described before.
    ///
    /// # Errors
    ///
    /// What the output says.
    pub fn frame(
        &mut self,
        interface: u32,
        time: u64,
        bytes: &[u8],
        wire_len: u32,
        comment: Option<&str>,
    ) -> io::Result<()> {
        let head = [interface, (time >> 32) as u32, time as u32, fits(bytes.len())?, wire_len];
        self.block.extend(numbers(head));
        self.block.extend(bytes);
        self.pad();
        if let Some(comment) = comment {
            self.option(1, comment.as_bytes());
            self.option(0, &[]);
        }
        self.flush(6)
    }

    /// The output, to take what is written away.
    pub fn output(&mut self) -> &mut W {
        &mut self.output
    }

    /// Hands the output back.
    pub fn into_inner(self) -> W {
        self.output
    }

    /// An option's length has 16 bits: what is longer is cut, between characters.
    fn option(&mut self, code: u16, value: &[u8]) {
        let mut length = value.len().min(usize::from(u16::MAX));
        while value.get(length).is_some_and(|byte| byte & 0xc0 == 0x80) {
            length -= 1;
        }
        self.block.extend(code.to_le_bytes());
        self.block.extend((length as u16).to_le_bytes());
        self.block.extend(&value[..length]);
        self.pad();
    }

    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }

    /// Writes the block, between its type and lengths.
    fn flush(&mut self, kind: u32) -> io::Result<()> {
        let length = fits(self.block.len() + 12)?;
        self.output.write_all(&numbers([kind, length]))?;
        self.output.write_all(&self.block)?;
        self.block.clear();
        self.output.write_all(&length.to_le_bytes())
    }
}

/// The most that other tools take for one frame.
const SNAP: u32 = 1 << 18;

fn fits(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(io::Error::other)
}

fn numbers<const N: usize>(numbers: [u32; N]) -> Vec<u8> {
    numbers.map(u32::to_le_bytes).as_flattened().to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::{Frame, Reader};
    use super::*;

    const TIME: u64 = 1_700_000_000_123_456_789;
    const BYTES: [&[u8]; 4] = [&[], &[1], &[2; 60], &[3; 1514]];

    fn read_back(capture: &[u8]) {
        let mut reader = Reader::new(capture).unwrap();
        for (number, bytes) in (1..).zip(BYTES) {
            let frame = Frame { number, time: TIME + number, bytes, wire_len: 2000, interface: 0 };
            assert_eq!(reader.next_frame().unwrap(), Some(frame));
        }
        assert_eq!(reader.next_frame().unwrap(), None);
    }

    #[test]
    fn pcap_reads_back() {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        for (number, bytes) in (1..).zip(BYTES) {
            writer.frame(TIME + number, bytes, 2000).unwrap();
        }
        assert!(writer.frame(u64::MAX, &[], 0).is_err());
        read_back(&writer.into_inner());
    }

    #[test]
    fn pcapng_reads_back() {
        let long = "\u{20ac}".repeat(30_000);
        let comments = [None, Some(""), Some("forged"), Some(long.as_str())];
        let mut writer = PcapngWriter::new(Vec::new(), Some("a test")).unwrap();
        writer.interface("eth0").unwrap();
        for ((number, bytes), comment) in (1..).zip(BYTES).zip(comments) {
            writer.frame(0, TIME + number, bytes, 2000, comment).unwrap();
        }
        let capture = writer.into_inner();
        read_back(&capture);
        let mut reader = Reader::new(capture.as_slice()).unwrap();
        reader.next_frame().unwrap();
        assert_eq!(reader.interface_name(0), Some("eth0"));
        assert_eq!(reader.interface_name(1), None);
    }
}
