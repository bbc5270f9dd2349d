//! ECN in the handshake (RFC 3168 §6.1.1, RFC 3360): is it the cause of a failure, and is it answered rightly?

use super::anatomy::RstClass;
use crate::{
    flow::{End, Flow, RECORDED, Tail, TcpFlags},
    kind::Kind,
    service::{Service, ServiceCounter},
    wire::Packet,
};

/// Both bits of an ECN-setup SYN.
pub const SETUP: u8 = TcpFlags::ECE.0 | TcpFlags::CWR.0;

/// Handshakes that must have worked with ECN before it is ruled out as a cause.
const LEAST_SUCCESSES: u64 = 3;

/// Handshakes with ECN that must be known before it is named as the cause.
const LEAST_SAMPLES: u64 = 5;

/// Whether the last that an end sent is a SYN without ECN.
#[inline(always)]
pub fn retried_without(tail: &Tail, end: &End) -> bool {
    let last = &tail.recorder[end.segments.wrapping_sub(1) as usize % RECORDED];
    end.segments > 1 && last.flags.is_syn() && last.flags.0 & SETUP == 0
}

/// Whether the request that asked for ECN was reset.
#[inline(always)]
pub fn was_refused(flow: &Flow, server: usize) -> bool {
    let reset = &flow.tails[server & 1].reset;
    reset.n > 0 && reset.class() == RstClass::Refused as u8
}

/// What is known of a service's other handshakes that asked for ECN: how many worked, in the upper 16 bits, of how many.
#[inline(always)]
pub fn tally(service: &Service) -> u32 {
    let (worked, all) = known(service);
    let cap = |n: u64| if n > 0xffff { 0xffff } else { n as u32 };
    cap(worked) << 16 | cap(all)
}

/// Whether ECN is ruled out as the cause of a failure: nearly all others worked.
#[inline(always)]
pub fn ruled_out(service: &Service) -> bool {
    let (worked, all) = known(service);
    nearly_all(worked, all)
}

/// Whether so many successes of so many handshakes clear ECN.
#[inline(always)]
pub const fn nearly_all(worked: u64, all: u64) -> bool {
    worked >= LEAST_SUCCESSES && worked * 5 >= all * 4
}

/// Whether ECN is the cause: hardly any worked, the one at hand, which failed, included.
#[inline(always)]
pub fn is_the_cause(service: &Service) -> bool {
    let (worked, all) = known(service);
    all + 1 >= LEAST_SAMPLES && worked * 5 < all + 1
}

#[inline(always)]
fn known(service: &Service) -> (u64, u64) {
    let worked = service.get(ServiceCounter::EcnWorked);
    (worked, worked.wrapping_add(service.get(ServiceCounter::EcnFailed)))
}

/// What is wrong with the ECN bits of a SYN-ACK, given those of the only SYN that it can answer.
///
/// Both bits mean ECT(1) in answer to an AccECN SYN (RFC 9768 §3.1.1), which this sensor does not tell from a classic one: a fact.
#[inline(always)]
pub fn oddity(asked: TcpFlags, packet: &Packet) -> Option<Kind> {
    let bits = packet.flags.0 & SETUP;
    let asked = asked.0 & SETUP;
    if bits == SETUP && asked == SETUP {
        Some(Kind::EcnReflect)
    } else if bits == TcpFlags::ECE.0 && asked == 0 {
        Some(Kind::EcnBadSynAck)
    } else {
        None
    }
}
