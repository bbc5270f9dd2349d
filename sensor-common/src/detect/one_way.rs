//! Connections of which one direction takes another way: what the sensor says of them is half of the truth.

use crate::flow::{Bits, Flow, Segment, TcpFlags, Watch, recorded};

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
    let acks = |segment: &&Segment| segment.flags.any(TcpFlags::ACK) && !segment.flags.any(TcpFlags::RST);
    let mut acknowledging = recorded(flow, client).filter(acks);
    let first = acknowledging.next()?;
    let goes_on = acknowledging.any(|segment| segment.ack != first.ack);
    recorded(flow, client).last().copied().filter(|_| goes_on)
}
