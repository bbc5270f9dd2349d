//! Connections of which one direction takes another way: what the sensor says of them is half of the truth.

use crate::flow::{Bits, Flow, RECORDED, Segment, TcpFlags, Watch};

/// The client's last segment, where its acknowledgments go on and nothing that they acknowledge was ever seen. The beginning must
/// have been: of a capture that begins midway nothing is known. A filter on the way lets no acknowledgment go on.
#[must_use]
pub fn judge(flow: &Flow) -> Option<Segment> {
    let client = flow.head.client()?;
    let (c, server) = (&flow.ends[client as usize], client.other() as usize);
    let begun = c.bits.any(Bits::ISN) && c.flags.any(TcpFlags::SYN);
    // Behind a lone SYN, the other side's memory is an earlier flow's.
    let unseen = flow.ends[server].segments == 0 && !flow.head.watch.any(Watch::ALONE);
    if !begun || !unseen {
        return None;
    }
    let known = (c.segments as usize).min(RECORDED);
    let recorded = &flow.tails[client as usize].recorder[..known];
    let acks = |segment: &&Segment| segment.flags.all(TcpFlags::ACK) && !segment.flags.any(TcpFlags::RST);
    let mut acknowledging = recorded.iter().filter(acks);
    let first = acknowledging.next()?;
    let last = recorded.iter().min_by_key(|segment| c.last.0.wrapping_sub(segment.time.0))?;
    acknowledging.any(|segment| segment.ack.0 != first.ack.0).then_some(*last)
}
