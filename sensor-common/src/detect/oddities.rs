//! Handshakes that no careful stack makes, and ports that are used again (detection catalogue §4, §6.4).

use super::{
    anatomy::{RstClass, last_recorded},
    timewait::TIME_WAIT,
};
use crate::{
    flow::{Bits, Flow, HeadBits, TcpFlags, Watch, history::is_pure_ack},
    kind::Kind,
    passage::Rule,
    time::millis,
    track::within,
    wire::{Options, Packet},
};

/// The largest window, in bytes, that a handshake's last ACK is suspected for.
const SLAM: u32 = 4;

/// A port that is used again within this is used again fast (5 s, in units of 2^20 ns).
const FAST: u32 = 4768;

/// What a handshake's segment has against it, before anything is learnt from it.
#[inline(always)]
pub fn judge(flow: &Flow, packet: &Packet, now: u64) -> Option<(Kind, Rule)> {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let embryonic = flow.head.watch.any(Watch::EMBRYONIC);
    let by_client = match flow.head.client() {
        Some(client) => client as u8 == packet.side,
        None => return beyond_fin(flow, packet),
    };
    if packet.flags.any(TcpFlags::SYN) {
        if packet.options.any(Options::WSCALE) && packet.wscale > 14 {
            return Some((Kind::WscaleRange, Rule::Oddity));
        }
        return if packet.flags.any(TcpFlags::ACK) {
            // Beyond a live connection's handshake it is another matter.
            let asked = r.bits.any(Bits::ISN) && !r.flags.any(TcpFlags::ACK);
            let asks_too = r.flags.any(TcpFlags::SYN);
            if !embryonic {
                None
            } else if by_client {
                // A fact: with one direction in sight, both may have asked at once.
                if asks_too { None } else { Some((Kind::SynAckWrongDir, Rule::Fact)) }
            } else if asked && !within(packet.ack, r.isn + 1, r.nxt) {
                Some((Kind::SynAckBadAck, Rule::Oddity))
            } else {
                None
            }
        } else {
            request(flow, packet, embryonic, by_client, now)
        };
    }
    if !embryonic {
        return beyond_fin(flow, packet);
    }
    if packet.len > 0 {
        // Fast Open has sent data before. Without the answer having been seen, an ACK shows that it came.
        let early = by_client && r.flags.0 == 0 && !packet.flags.any(TcpFlags::ACK) && d.bits.any(Bits::ISN);
        let unconfirmed = r.bits.any(Bits::ISN) && !r.flags.any(TcpFlags::ACK) && r.nxt.0 == r.isn.0.wrapping_add(1);
        let eager = !by_client && d.flags.any(TcpFlags::SYN) && unconfirmed && packet.end().after(d.nxt);
        return if early || eager { Some((Kind::DataBeforeEst, Rule::Oddity)) } else { None };
    }
    let completes = by_client
        && !d.flags.any(TcpFlags::ACK)
        && r.flags.all(TcpFlags::SYN.with(TcpFlags::ACK))
        && is_pure_ack(packet)
        && packet.ack.0 == r.nxt.0;
    let scaled = d.bits.any(Bits::WSCALE) && r.bits.any(Bits::WSCALE);
    let shift = if scaled { (d.wscale & 15) as u32 } else { 0 };
    if completes && (packet.win as u32) << shift <= SLAM {
        return Some((Kind::WindowSlam, Rule::Oddity));
    }
    None
}

/// A SYN where there has been something before.
#[inline(always)]
fn request(flow: &Flow, packet: &Packet, embryonic: bool, by_client: bool, now: u64) -> Option<(Kind, Rule)> {
    let (d, r) = (&flow.ends[packet.sender()], &flow.ends[packet.receiver()]);
    let other = d.bits.any(Bits::ISN) && d.isn.0 != packet.seq.0;
    let age = millis(now).wrapping_sub(flow.head.closed);
    if flow.head.closed != 0 {
        let both = flow.head.how & 0x11 == 0x11;
        // In between the answer tells of it, once it accepts: see `accepted_again`.
        let untold = flow.head.how & 0x11 == 0 || age >= TIME_WAIT;
        return if !other {
            None
        } else if both && age < FAST {
            Some((Kind::SynAfterClose, Rule::Fact))
        } else if untold && flow.head.bits.any(HeadBits::ESTABLISHED) {
            Some((Kind::WsReusedPorts, Rule::Fact))
        } else {
            None
        };
    }
    if !embryonic {
        // Once it is a client that lost its state; with yet another number it is hardly that.
        let rule = match last_recorded(flow, packet.sender(), 1) {
            Some(last) if last.flags.is_syn() && last.seq.0 != packet.seq.0 => Rule::Oddity,
            _ => Rule::Fact,
        };
        return if other { Some((Kind::Rfc5961SynOnEst, rule)) } else { None };
    }
    let pending = !d.flags.any(TcpFlags::ACK) && r.flags.0 == 0;
    if other && pending && flow.tails[packet.receiver()].reset.n == 0 {
        return Some((Kind::IsnJump, Rule::Oddity));
    }
    if !by_client && r.flags.any(TcpFlags::SYN) && !r.flags.any(TcpFlags::ACK) && !d.flags.any(TcpFlags::SYN) {
        return Some((Kind::SplitHandshake, Rule::Fact));
    }
    None
}

/// An acknowledgment of bytes behind a FIN. Far behind it is another connection, whose SYN was not seen.
#[inline(always)]
fn beyond_fin(flow: &Flow, packet: &Packet) -> Option<(Kind, Rule)> {
    let r = &flow.ends[packet.receiver()];
    let beyond = packet.ack.since(r.nxt);
    let one = flow.tails[packet.receiver()].reset.class() != RstClass::SynSent as u8;
    if one
        && !r.is_lossy()
        && r.bits.any(Bits::FIN)
        && packet.flags.any(TcpFlags::ACK)
        && beyond > 0
        && beyond <= 0xffff
    {
        Some((Kind::AckBeyondFin, Rule::Fault))
    } else {
        None
    }
}

/// Whether a SYN-ACK accepts a port again while TIME_WAIT may last: it is the first, and right.
#[inline(always)]
pub fn accepted_again(flow: &Flow, packet: &Packet, now: u64) -> bool {
    let r = &flow.ends[packet.receiver()];
    let age = millis(now).wrapping_sub(flow.head.closed);
    flow.head.bits.any(HeadBits::TOMBSTONE)
        && flow.head.closed != 0
        && age < TIME_WAIT
        && flow.head.how & 0x11 != 0
        && r.bits.any(Bits::ISN)
        && packet.ack.0 == r.isn.0.wrapping_add(1)
}
