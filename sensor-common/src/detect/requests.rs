//! What becomes of a connection request that is more than plain: Fast Open, rare options, ECN (RFC 7413, RFC 3360, RFC 3168).

use super::{RstClass, anatomy::last_recorded};
use crate::{
    flow::{Bits, Doubt, End, Flow, HeadBits, RECORDED, TcpFlags},
    kind::Kind,
    passage::Rule,
    time::Stamp,
    wire::{OptionList, Packet},
};

/// What of a request made it refused: the event's detail. The first three are [`OptionList::rare`].
pub const FAST_OPEN: u32 = OptionList::FAST_OPEN as u32;
/// See [`FAST_OPEN`].
pub const MULTIPATH: u32 = OptionList::MULTIPATH as u32;
/// Not an option but flags.
pub const ECN: u32 = 4;

/// Segments with data of which none is marked before the marks are missed.
const UNMARKED: u16 = 8;

/// A reset after Fast Open's data is blamed on it within this (3 s).
const SOON: u32 = 2_929_688;

/// What is to be remembered of a repeated request, beside `marks`.
#[inline(always)]
pub fn repeated(packet: &Packet, marks: u8) -> u8 {
    if marks & Doubt::PLAIN != 0 {
        0
    } else if packet.list.rare != 0 || packet.len > 0 {
        Doubt::AGAIN
    } else {
        Doubt::PLAIN
    }
}

/// The rare options of a side's first SYN, until that is answered.
#[inline(always)]
pub const fn rare(client: &End) -> u32 {
    (client.tos & End::MARKS) as u32
}

/// What the first SYN-ACK says of such a request: a kind, how to tell it, and its second detail.
#[inline(always)]
pub fn fate(flow: &Flow, packet: &Packet, marks: u8) -> Option<(Kind, Rule, u32)> {
    let (server, client) = (packet.sender(), packet.receiver());
    let c = &flow.ends[client];
    let option = rare(c);
    if !c.bits.any(Bits::ISN) || packet.ack.0 != c.isn.0.wrapping_add(1) {
        return None;
    }
    if marks & Doubt::PLAIN == 0 {
        let data = c.nxt.since(c.isn) - 1;
        return if c.segments == 1 && data > 0 { Some((Kind::TfoDataIgnored, Rule::Fact, data as u32)) } else { None };
    }
    if option == 0 {
        return None;
    }
    let reset = &flow.tails[server].reset;
    if reset.n > 0 {
        let refused = reset.class() == RstClass::Refused as u8;
        return if refused { Some((Kind::Rfc3360RstOnOption, Rule::Oddity, option)) } else { None };
    }
    // Once it may be a loss: every stack leaves Fast Open out of the retry.
    let rule = if marks & Doubt::AGAIN != 0 { Rule::Oddity } else { Rule::Fact };
    if option == FAST_OPEN { Some((Kind::TfoSynDrop, rule, c.segments)) } else { None }
}

/// Whether a reset cuts a connection off right after the data that came with its SYN, and were accepted.
#[inline(always)]
pub fn cut_after_fast_open(flow: &Flow, packet: &Packet, class: u8, now: Stamp) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let by_server = matches!(flow.head.client(), Some(client) if client as u8 != packet.side);
    let live = class == RstClass::Abort as u8 || class == RstClass::Stateless as u8;
    let accepted = d.flags.all(TcpFlags::SYN.with(TcpFlags::ACK)) && d.data == 0 && d.ack.since(r.isn) > 1;
    let early = r.segments <= RECORDED as u32 && !r.bits.any(Bits::FIN) && !d.bits.any(Bits::FIN);
    let Some(first) = last_recorded(flow, packet.receiver(), r.segments) else { return false };
    by_server && live && accepted && early && first.flags.is_syn() && first.len > 0 && now.since(first.time) < SOON
}

/// Whether a side that was granted ECN closes without ever having marked its data: the marks were erased on the way. Of this host
/// itself it would be no news: nothing lies between.
#[inline(always)]
pub fn bleached(flow: &Flow, packet: &Packet) -> bool {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let granted = d.bits.any(Bits::ECN) && r.bits.any(Bits::ECN) && flow.head.bits.any(HeadBits::ESTABLISHED);
    let remote = !matches!(flow.head.local(), Some(local) if local as u8 == packet.side);
    granted && remote && d.data >= UNMARKED && (d.tos | packet.tos) & End::MARKS == 0
}
