//! Forged answers to connection requests.

use super::{Evidence, origin};
use crate::{
    flow::{Bits, Flow, TcpFlags},
    passage::Passage,
};

/// Judges a SYN-ACK that follows another one to the same SYN, with another initial sequence number. Whether there is anything
/// to tell.
///
/// Benign look-alike: a server whose half-open entry was lost answers a *repeated* SYN with a new number. So a SYN since the last
/// SYN-ACK ends the matter.
#[inline(always)]
pub fn second_syn_ack(flow: &Flow, passage: &mut Passage) -> bool {
    let packet = &passage.packet;
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let is_client = matches!(flow.head.client(), Some(client) if client as u8 == packet.side);
    let answered = d.bits.any(Bits::ISN) && d.flags.all(TcpFlags::SYN.with(TcpFlags::ACK));
    if !answered || packet.seq.0 == d.isn.0 || !r.bits.any(Bits::ISN) || packet.ack.0 != r.isn.0.wrapping_add(1) {
        return false;
    }
    // Counted back from now, which orders stamps as long as they hold.
    let asked_again = passage.stamp.since(r.last) < passage.stamp.since(d.last);
    if r.flags.0 & !ECN == TcpFlags::SYN.0 && (asked_again || r.segments > d.segments) {
        return false;
    }
    let (sender, ttl) = (packet.sender(), packet.ttl);
    passage.finding.about(packet.segment(passage.stamp));
    origin::judge(flow, sender, &mut passage.finding, Evidence::TTL_SYNACK);
    // Two SYN-ACKs are too few for a stable baseline, and yet they cannot both be the peer's.
    let far = matches!(origin::distance(d, ttl), origin::Distance::Far);
    passage.finding.evidence.add_if(far, Evidence::TTL_SYNACK);
    // One in the name of the side that asked contradicts nothing but the direction; only its distance tells.
    passage.finding.evidence.add_if(!is_client, Evidence::SYNACK_ISN);
    far || !is_client
}

/// Flags that a SYN may carry besides.
const ECN: u8 = TcpFlags::ECE.0 | TcpFlags::CWR.0;
