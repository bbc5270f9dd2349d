//! A recorded segment as a frame that ends with its headers. What the recorder does not keep is zero.

use sensor_common::{
    flow::{Segment, Side},
    time::{Stamp, stamp_nanos},
};

use crate::{
    lab::forge::TcpPacket,
    report::{Finding, Row},
};

/// Ethernet without tags; what lies before the IP header.
const LINK: usize = 14;
/// The most that fits into the length field of either version of IP. Super-segments may be longer.
const MAX_PAYLOAD: u16 = u16::MAX - 40;

/// A row of the recorder's table as a frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) row: Row,
    /// Whether it is the finding's own segment.
    pub(super) own: bool,
    /// Nanoseconds since the epoch.
    pub(super) time: u64,
    /// The headers.
    pub(super) bytes: Vec<u8>,
    /// With the payload that the headers announce.
    pub(super) wire_len: u32,
}

impl Frame {
    /// Whether the segment was longer than the headers can announce.
    pub(super) fn is_cut(&self) -> bool {
        self.row.segment.len > MAX_PAYLOAD
    }
}

/// A finding's rows as frames, in the order of their times.
pub(super) fn frames(finding: &Finding<'_>) -> Vec<Frame> {
    let is_own = |row: &Row| (row.side, row.segment) == (finding.side, finding.event.segment);
    let own = finding.rows.iter().rposition(is_own);
    let frames = finding.rows.iter().zip(times(finding)).enumerate().map(|(i, (row, time))| {
        let (bytes, wire_len) = headers(finding, row);
        Frame { row: *row, own: own == Some(i), time, bytes, wire_len }
    });
    frames.collect()
}

/// Wall-clock times of the rows. They are counted back from the event's own time, row by row, so that they never decrease,
/// and hold for longer than stamps do before they wrap.
fn times(finding: &Finding<'_>) -> Vec<u64> {
    let (mut later, mut time) = (Stamp::of(finding.event.time), finding.time);
    let mut times: Vec<u64> = finding
        .rows
        .iter()
        .rev()
        .map(|row| {
            time = time.saturating_sub(stamp_nanos(later.since(row.segment.time)));
            later = row.segment.time;
            time
        })
        .collect();
    times.reverse();
    times
}

/// The headers, and how long the frame was with its payload.
fn headers(finding: &Finding<'_>, row: &Row) -> (Vec<u8>, u32) {
    let Segment { seq, ack, len, win, ipid, ttl, flags, .. } = row.segment;
    let len = usize::from(len.min(MAX_PAYLOAD));
    let mut macs = [[2, 0, 0, 0, 0, 0xa], [2, 0, 0, 0, 0, 0xb]];
    if row.side == Side::B {
        macs.reverse();
    }
    let mut frame = TcpPacket {
        macs,
        vlan: None,
        source: finding.cast.end(row.side),
        destination: finding.cast.end(row.side.other()),
        ttl,
        id: ipid,
        dont_fragment: false,
        flags,
        seq,
        ack,
        window: win,
        options: Vec::new(),
        // Cut off again: its bytes are unknown. The lengths and, where there is none, the checksum are right.
        payload: vec![0; len],
    }
    .build();
    let link = finding.event.flow.head.key.link;
    if link.ip_version() == 6 {
        frame.0[LINK + 2..LINK + 4].copy_from_slice(&unfold(ipid).to_be_bytes());
    }
    let (outer, inner) = link.vlans();
    [inner, outer].into_iter().filter(|id| *id != 0).for_each(|id| frame.tag(id));
    let wire_len = frame.0.len();
    frame.0.truncate(wire_len - len);
    (frame.0, wire_len as u32)
}

/// A flow label that folds to what was recorded of it.
fn unfold(folded: u16) -> u16 {
    folded ^ folded >> 4 ^ folded >> 8 ^ folded >> 12
}

#[cfg(test)]
mod tests {
    use super::unfold;

    #[test]
    fn labels_fold_to_what_was_recorded() {
        for folded in 0..=u16::MAX {
            let label = unfold(folded);
            assert_eq!(label ^ label >> 4, folded);
        }
    }
}
