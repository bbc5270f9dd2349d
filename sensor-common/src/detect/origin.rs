//! Where a segment was made: distance, device, path. Pieces that any segment can show, resets or not.

use super::Evidence;
use crate::{
    flow::{Bits, End, Flow, HeadBits, Side, TcpFlags},
    passage::Finding,
    track::{MIN_TRUSTED_RTT, scale},
};

/// Initial TTLs in use: 64 Linux, BSD, macOS; 128 Windows; 255 network gear; 32 some embedded.
#[inline(always)]
pub const fn initial_ttl(ttl: u8) -> u8 {
    match ttl {
        0..=32 => 32,
        33..=64 => 64,
        65..=128 => 128,
        _ => 255,
    }
}

/// Routers between the maker of a packet and this sensor, by its TTL.
#[inline(always)]
pub const fn hops(ttl: u8) -> u8 {
    initial_ttl(ttl) - ttl
}

/// Alternations after which a side's TTL says nothing any more.
pub const FLAPPY: u8 = 3;

/// The ports whose protocols set their own TTL: BGP, LDP, MSDP (RFC 5082).
const TTL_SECURITY_PORTS: [u16; 3] = [179, 646, 639];

/// Whether a side's baseline TTL is one to compare with: known from several segments, and comparable at all.
#[inline(always)]
pub fn stable(flow: &Flow, d: &End) -> bool {
    let enough = if flow.head.bits.any(HeadBits::HANDSHAKE) { 3 } else { 4 };
    d.ttl_n >= enough && comparable(flow, d)
}

/// Whether a side's TTL says anything: it is steady, and the kernel's choice rather than the application's.
#[inline(always)]
pub(crate) fn comparable(flow: &Flow, d: &End) -> bool {
    let (a, b) = (flow.head.key.port(Side::A), flow.head.key.port(Side::B));
    let own_ttl = d.ttl <= 2 || d.ttl == 255 || TTL_SECURITY_PORTS.contains(&a) || TTL_SECURITY_PORTS.contains(&b);
    d.flaps < FLAPPY && !own_ttl
}

/// What a TTL says against a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// The baseline, or a path known to be in use.
    Same,
    /// The same number of hops from another initial TTL.
    OtherInitial,
    /// One hop off: reroutes do that.
    Near,
    /// Two hops off, or more.
    Far,
}

/// Compares `ttl` with a side's baseline.
#[inline(always)]
pub fn distance(d: &End, ttl: u8) -> Distance {
    if ttl == d.ttl || (d.bits.any(Bits::REROUTED) && ttl == d.ttl_alt) {
        return Distance::Same;
    }
    match hops(ttl).abs_diff(hops(d.ttl)) {
        0 => Distance::OtherInitial,
        1 => Distance::Near,
        _ => Distance::Far,
    }
}

/// Distance, window and IP-ID evidence on the segment that a finding is about. `far` is the bit for a distance that is not the
/// sender's.
#[inline(never)]
pub fn judge(flow: &Flow, sender: usize, finding: &mut Finding, far: Evidence) {
    let (d, r) = (&flow.ends[sender & 1], &flow.ends[(sender ^ 1) & 1]);
    let Finding { segment, evidence, .. } = finding;
    if stable(flow, d) {
        match distance(d, segment.ttl) {
            Distance::Same => {}
            Distance::OtherInitial => evidence.add_if(true, Evidence::SAME_DISTANCE),
            Distance::Near => evidence.add_if(true, Evidence::TTL_WEAK),
            Distance::Far => {
                evidence.add_if(true, far);
                evidence.add_if(mirrors_ttl(flow, d, r, segment.ttl, sender), Evidence::TTL_MIRROR);
            }
        }
    } else {
        let young = d.ttl_n == 2 && flow.head.bits.any(HeadBits::HANDSHAKE) && comparable(flow, d);
        evidence.add_if(young && matches!(distance(d, segment.ttl), Distance::Far), Evidence::TTL_WEAK);
    }
    let elsewhere = evidence.has(Evidence(far.0 | Evidence::TTL_WEAK.0));
    evidence.add_if(elsewhere && hops(segment.ttl) <= 1 && hops(d.ttl) >= 2, Evidence::TTL_ADJACENT);
    evidence.add_if(mirrors_window(d, r, segment.win), Evidence::WIN_MIRROR);
    if flow.head.key.link.ip_version() == 4 && segment.ipid != 0 && d.flags.0 != 0 {
        let counter = d.ipid_steps >= 3 && d.ipid_jumps as u32 * 4 < d.ipid_steps as u32;
        let step = segment.ipid.wrapping_sub(d.ipid).wrapping_sub(1);
        let far_off = step > 1000 && step < u16::MAX - 1000;
        evidence.add_if(counter && far_off, Evidence::IPID_JUMP);
        let copied = segment.ipid == d.ipid || (r.flags.0 != 0 && segment.ipid == r.ipid);
        evidence.add_if(copied, Evidence::IPID_DUP);
    }
}

/// Whether the raw window is the other side's last one and was never this side's. Common values prove nothing.
#[inline(always)]
fn mirrors_window(d: &End, r: &End, win: u16) -> bool {
    let own = d.windows;
    let recent =
        win == own as u16 || win == (own >> 16) as u16 || win == (own >> 32) as u16 || win == (own >> 48) as u16;
    // Or its largest: an empty buffer's.
    let is_own = recent || (win as u32) << scale(d, TcpFlags::ACK) == d.max_window;
    let common = matches!(win, 0 | 512 | 1024 | 8192 | 65535);
    d.flags.0 != 0 && r.flags.0 != 0 && win == r.windows as u16 && !is_own && !common
}

/// Whether the segment carries the TTL that this host's own packets have left some hops out, less as many hops back.
#[inline(always)]
fn mirrors_ttl(flow: &Flow, d: &End, r: &End, ttl: u8, sender: usize) -> bool {
    let ours = matches!(flow.head.local(), Some(local) if local as usize == sender ^ 1);
    if !ours || ttl >= r.ttl || (r.ttl - ttl) & 1 != 0 {
        return false;
    }
    let out = (r.ttl - ttl) / 2;
    out >= 1 && out <= hops(d.ttl) && r.ttl == initial_ttl(r.ttl)
}

/// Which distance bit a segment that is not a reset can raise.
#[inline(always)]
pub const fn far_bit(flags: TcpFlags) -> Evidence {
    if flags.any(TcpFlags::SYN) {
        Evidence::TTL_SYNACK
    } else if flags.any(TcpFlags::FIN) {
        Evidence::TTL_FIN
    } else {
        Evidence::TTL_DATA
    }
}

/// Whether an answer after `delay` came sooner than the path to the peer allows; `delay` is an upper bound.
#[inline(always)]
pub const fn too_fast(d: &End, delay: u32) -> bool {
    d.min_rtt >= MIN_TRUSTED_RTT && delay < d.min_rtt / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_by_initial_ttl() {
        for (ttl, expected) in [(255, 0), (254, 1), (128, 0), (125, 3), (64, 0), (61, 3), (32, 0), (30, 2), (65, 63)] {
            assert_eq!(hops(ttl), expected, "TTL {ttl}");
        }
    }

    #[test]
    fn a_known_second_path_is_no_distance() {
        let mut d = End { ttl: 62, ttl_alt: 58, ..End::default() };
        assert_eq!(distance(&d, 58), Distance::Far);
        d.bits.set(Bits::REROUTED);
        assert_eq!(distance(&d, 58), Distance::Same);
        assert_eq!(distance(&d, 61), Distance::Near);
        assert_eq!(distance(&d, 126), Distance::OtherInitial);
    }
}
