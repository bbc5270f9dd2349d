//! A segment's own shape: flags, options and fields that no stack makes (detection catalogue §4, §6.4, §7).

use crate::{
    counters::Counter,
    flow::{Key, Said, Side, TcpFlags},
    kind::Kind,
    passage::Rule,
    wire::{Odd, Options, Packet},
};

/// What a segment's header has against it: the gravest of it. What a side does with every segment is told once.
#[inline(always)]
pub fn judge(packet: &Packet, said: &mut Said) -> Option<(Kind, Rule)> {
    let odd = packet.odd;
    if odd.any(Odd::HOPS) {
        let opens_or_ends = packet.flags.any(TcpFlags::SYN.with(TcpFlags::RST));
        if opens_or_ends {
            return Some((Kind::GtsmViolation, Rule::Attack));
        }
        if said.first(Said::HOPS) {
            return Some((Kind::GtsmViolation, Rule::Fault));
        }
    }
    if odd.any(Odd::ENDS) {
        let kind = if has_port_zero(&packet.key) { Kind::PortZero } else { Kind::Land };
        return Some((kind, Rule::Oddity));
    }
    if odd.any(Odd::FLAGS) {
        return Some((flags(packet.flags), Rule::Oddity));
    }
    if odd.any(Odd::OPTIONS.with(Odd::TWICE)) && said.first(Said::OPTIONS) {
        let kind = if odd.any(Odd::OPTIONS) { Kind::OptInvalid } else { Kind::OptDup };
        return Some((kind, Rule::Oddity));
    }
    if odd.any(Odd::LOAD) {
        return Some(if packet.flags.any(TcpFlags::RST) {
            (Kind::RstWithData, Rule::Fact)
        } else if packet.len > 0 && !packet.options.any(Options::FAST_OPEN) {
            (Kind::SynWithData, Rule::Oddity)
        } else {
            (Kind::AckNonzeroNoAck, Rule::Fact)
        });
    }
    if odd.any(Odd::URGENT) && said.first(Said::URGENT) {
        return Some((Kind::UrgInconsistent, Rule::Oddity));
    }
    if odd.any(Odd::RESERVED) && said.first(Said::RESERVED) {
        return Some((Kind::ReservedBits, Rule::Fact));
    }
    None
}

/// The name of an illegal combination of flags.
#[inline(always)]
pub const fn flags(flags: TcpFlags) -> Kind {
    if flags.any(TcpFlags::SYN) {
        if flags.any(TcpFlags::RST) { Kind::FlagSynRst } else { Kind::FlagSynFin }
    } else if flags.any(TcpFlags::RST) {
        Kind::FlagFinRst
    } else if flags.any(TcpFlags::FIN) {
        Kind::FlagFinNoAck
    } else {
        Kind::FlagNull
    }
}

/// Under which name a segment is counted that belongs to no flow and opens none, beside [`Counter::Strays`].
#[inline(always)]
pub const fn stray(packet: TcpFlags) -> Counter {
    if !packet.is_illegal() {
        return if packet.any(TcpFlags::FIN) { Counter::StrayFin } else { Counter::StrayRst };
    }
    match flags(packet) {
        Kind::FlagSynFin => Counter::StraySynFin,
        Kind::FlagSynRst => Counter::StraySynRst,
        Kind::FlagFinRst => Counter::StrayFinRst,
        Kind::FlagFinNoAck => Counter::StrayFinNoAck,
        _ => Counter::StrayNull,
    }
}

/// Whether a flow's ends are impossible: a port is 0, or both are the same. A host may talk to itself (both ends of a simultaneous
/// open may even be one socket), but not over a wire.
#[inline(always)]
pub fn impossible_ends(packet: &Packet) -> bool {
    let key = &packet.key;
    let same = key.a[3] == key.b[3]
        && key.a[2] == key.b[2]
        && key.a[1] == key.b[1]
        && key.a[0] == key.b[0]
        && key.ports >> 16 == key.ports & 0xffff;
    has_port_zero(key) || same && packet.mac != 0 && !is_loopback(key)
}

#[inline(always)]
fn has_port_zero(key: &Key) -> bool {
    key.port(Side::A) == 0 || key.port(Side::B) == 0
}

/// Of 127.0.0.0/8, or `::1`.
#[inline(always)]
fn is_loopback(key: &Key) -> bool {
    let v4 = key.a[2] == 0xffff && key.a[3] >> 24 == 127;
    v4 || key.a[0] | key.a[1] | key.a[2] == 0 && key.a[3] == 1
}
