//! Findings as packets: what `--write` keeps for Wireshark.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{Finding, shown, summary::count};
use crate::{capture::write::PcapngWriter, failure::Failure};
use frame::Frame;
use seen::Seen;

mod comment;
mod frame;
mod seen;

/// How many interfaces are described; those beyond share the last one. A capture may name any number.
const INTERFACES: usize = 1024;

/// A pcapng file to which findings are written as they come, each with one call, so that it can be read at any time.
#[derive(Debug)]
pub struct PacketFile {
    /// As it was given.
    name: String,
    file: File,
    /// Where the last whole finding ends; none once the file cannot be cut there any more.
    end: Option<u64>,
    /// What is to be written next.
    writer: PcapngWriter<Vec<u8>>,
    /// The interfaces described so far.
    interfaces: Vec<String>,
    seen: Seen,
    written: Written,
}

/// What became of the findings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Findings that are in the file.
    pub findings: u64,
    /// Their segments.
    pub segments: u64,
    /// Findings that could not be written.
    pub lost: u64,
}

impl PacketFile {
    /// Opens the file, or empties it if it is there; not if it is `input`, which would be lost.
    ///
    /// # Errors
    ///
    /// Why it cannot be written.
    pub fn create(path: &Path, input: Option<&File>) -> Result<Self, Failure> {
        let name = path.display().to_string();
        Self::open(path, input).map_err(|cause| Failure::Create { file: name, cause })
    }

    fn open(path: &Path, input: Option<&File>) -> io::Result<Self> {
        if path == Path::new("-") {
            return Err(io::Error::other("stdout is for the report"));
        }
        // Emptied once it is known not to be the input.
        let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.is_file() {
            if let Some(input) = input
                && identity(&file)? == identity(input)?
            {
                return Err(io::Error::other("it is the capture to be read"));
            }
            file.set_len(0)?;
        }
        let mut writer = PcapngWriter::new(Vec::new(), Some(concat!("sensor ", env!("CARGO_PKG_VERSION"))))?;
        let header = writer.output();
        file.write_all(header)?;
        let end = Some(header.len() as u64);
        header.clear();
        Ok(Self {
            name: shown(&path.display().to_string()),
            file,
            end,
            writer,
            interfaces: Vec::new(),
            seen: Seen::default(),
            written: Written::default(),
        })
    }

    /// Writes a finding's segments, or counts it as lost.
    pub(crate) fn finding(&mut self, finding: &Finding<'_>) {
        let frames: Vec<Frame> =
            frame::frames(finding).into_iter().filter(|f| f.own || !self.seen.has(finding, &f.row)).collect();
        let described = self.interfaces.len();
        if let Err(cause) = self.try_finding(finding, &frames) {
            self.interfaces.truncate(described);
            self.lose(&cause);
            return;
        }
        self.seen.note(finding);
        self.written.findings += 1;
        self.written.segments += frames.len() as u64;
    }

    fn try_finding(&mut self, finding: &Finding<'_>, frames: &[Frame]) -> io::Result<()> {
        let end = self.end.ok_or(io::ErrorKind::BrokenPipe)?;
        self.writer.output().clear();
        let interface = self.interface(finding)?;
        for frame in frames {
            let cut = frame.is_cut().then(|| "longer than IP can announce, or than was recorded".to_owned());
            let parts = [frame.own.then(|| comment::of(finding)), cut];
            let comment = parts.into_iter().flatten().reduce(|a, b| format!("{a}; {b}"));
            self.writer.frame(interface, frame.time, &frame.bytes, frame.wire_len, comment.as_deref())?;
        }
        let bytes = self.writer.output();
        self.file.write_all(bytes)?;
        self.end = Some(end + bytes.len() as u64);
        Ok(())
    }

    /// The number of the finding's interface, described at its first use.
    fn interface(&mut self, finding: &Finding<'_>) -> io::Result<u32> {
        let index = finding.event.flow.head.key.link.ifindex;
        let name = finding.place.interface.map_or_else(|| format!("interface {index}"), str::to_owned);
        if let Some(known) = self.interfaces.iter().position(|other| *other == name) {
            return Ok(known as u32);
        }
        match self.interfaces.len() {
            full @ INTERFACES.. => return Ok(full as u32 - 1),
            len if len == INTERFACES - 1 => self.interfaces.push("others".to_owned()),
            _ => self.interfaces.push(name),
        }
        let new = self.interfaces.len() - 1;
        self.writer.interface(&self.interfaces[new])?;
        Ok(new as u32)
    }

    /// Counts a loss, warns of the first, and cuts off what was written of it, so that the file stays whole and the next
    /// finding may have more luck.
    fn lose(&mut self, cause: &io::Error) {
        if self.written.lost == 0 {
            // Nobody may be listening there.
            let _ = writeln!(
                io::stderr(),
                "sensor: {} cannot be written ({cause}): make room; findings are told all the same, and lost there",
                self.name
            );
        }
        self.written.lost += 1;
        self.end =
            self.end.filter(|end| self.file.set_len(*end).is_ok() && self.file.seek(SeekFrom::Start(*end)).is_ok());
    }

    /// What became of the findings so far.
    pub fn written(&self) -> Written {
        self.written
    }

    /// What became of the findings, for the summary.
    pub(crate) fn account(&self) -> Vec<String> {
        let Written { findings, segments, lost } = self.written;
        let (findings, segments) = (count(findings, "finding"), count(segments, "segment"));
        let mut lines = vec![format!("write: {findings}, {segments} in {}", self.name)];
        if lost > 0 {
            lines.push(format!("write: {} lost", count(lost, "finding")));
        }
        lines
    }
}

/// Device and inode.
fn identity(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}
