//! Evidence and its weight: independent pieces that a packet did not come from the peer.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::opaque::{keep, recall};

/// How much an operator should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Severity {
    /// A fact worth keeping, harmless by itself.
    Info = 0,
    /// Unusual.
    Notice = 1,
    /// Somebody should look.
    Warn = 2,
    /// Somebody interferes.
    Alert = 3,
}

impl Severity {
    /// All, mildest first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Notice, Self::Warn, Self::Alert];

    /// The public name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Alert => "alert",
        }
    }

    /// From its number.
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Info),
            1 => Some(Self::Notice),
            2 => Some(Self::Warn),
            3 => Some(Self::Alert),
            _ => None,
        }
    }
}

/// How sure the sensor is that the packet did not come from the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Confidence {
    /// Nothing is claimed.
    None = 0,
    /// A single weak piece of evidence.
    Possible = 1,
    /// Several independent pieces, or one strong one.
    Likely = 2,
    /// What followed contradicts the packet.
    Proven = 3,
}

impl Confidence {
    /// The public name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Proven => "proven",
        }
    }

    /// From its number.
    pub const fn from_u8(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::None),
            1 => Some(Self::Possible),
            2 => Some(Self::Likely),
            3 => Some(Self::Proven),
            _ => None,
        }
    }
}

/// A set of evidence, a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Evidence(pub u32);

macro_rules! evidence {
    ($($(#[$doc:meta])* $flag:ident = $bit:literal, $id:literal, $half_points:literal;)*) => {
        impl Evidence {
            $($(#[$doc])* pub const $flag: Self = Self(1 << $bit);)*

            /// Every piece: the bit, its public id, its weight in half points.
            pub const ALL: &[(Self, &str, i8)] = &[$((Self::$flag, $id, $half_points)),*];

            /// Sum of the weights in half points: log-odds that somebody else sent the packet. Without branches, so that the
            /// kernel's verifier has one path to follow.
            #[inline(always)]
            pub const fn score(self) -> i8 {
                let mut sum = 0;
                $(sum += (self.0 >> $bit & 1) as i32 * $half_points;)*
                sum as i8
            }
        }
    };
}

evidence! {
    /// A reset whose hop distance differs by at least 2 from the side's stable baseline.
    TTL_RST = 0, "ttl-rst-mismatch", 6;
    /// The same by exactly one hop, which a reroute does too, or against a baseline of two segments only.
    TTL_WEAK = 1, "ttl-weak-mismatch", 2;
    /// A FIN from another distance than the segments around it.
    TTL_FIN = 2, "ttl-fin-mismatch", 6;
    /// Payload from another distance than the segments around it.
    TTL_DATA = 3, "ttl-data-mismatch", 6;
    /// A SYN-ACK from another distance than the side's other segments.
    TTL_SYNACK = 4, "ttl-synack-mismatch", 6;
    /// Made at most one hop away, where the peer is at least two away.
    TTL_ADJACENT = 5, "ttl-adjacent-origin", 2;
    /// Made with the TTL that our own packet had left when it arrived there.
    TTL_MIRROR = 6, "ttl-mirror", 2;
    /// The raw window is the other side's last one, and never was this side's.
    WIN_MIRROR = 7, "win-mirror-peer", 4;
    /// The window looks unscaled, though scaling was agreed.
    WIN_UNSCALED = 8, "win-unscaled-after-ws", 2;
    /// The IP-ID leaves the side's counter.
    IPID_JUMP = 9, "ipid-jump", 2;
    /// The IP-ID is a copy of another packet's.
    IPID_DUP = 10, "ipid-dup", 2;
    /// It arrived sooner after its trigger than half of the least round trip to the peer.
    TOO_FAST = 11, "rst-too-fast", 4;
    /// A shape that no TCP stack gives a reset in this situation.
    NONCONFORMING = 12, "rst-nonconforming", 4;
    /// A second reset, ahead of everything sent so far: hedging against a race.
    SEQ_CHANGE = 13, "rst-seq-change", 6;
    /// Two resets that disagree on what was received.
    ACK_CHANGE = 14, "rst-ack-change", 6;
    /// The sender carried on past its own reset.
    CARRIED_ON = 15, "rst-seq-data", 8;
    /// The reset points to bytes that were acknowledged long ago.
    STALE_SEQ = 16, "data-seq-rst", 4;
    /// DSCP or DF differ from the side's baseline, and do not mirror the trigger's.
    TOS_DF = 17, "tos-df-fl-mismatch", 2;
    /// Timestamps were agreed and are missing.
    TS_MISSING = 18, "ts-missing", 1;
    /// Another source MAC address than before.
    L2_ORIGIN = 19, "l2-origin-change", 2;
    /// A second SYN-ACK with another initial sequence number.
    SYNACK_ISN = 20, "synack-isn-change", 4;
    /// The same sequence number came again, with other content.
    DUP_CONTENT = 21, "dup-seq-different-content", 8;
    /// The side sent new data past its own FIN.
    DATA_AFTER_FIN = 22, "data-after-fin", 8;
    /// The same distance, but another initial TTL than the side's live socket has: another stack, or a device that made it up.
    TTL_INITIAL = 23, "ttl-initial-mismatch", 4;
    /// Against: the shape of Linux's answer without a socket, which explains IP-ID, TOS, window and options.
    LINUX_STATELESS = 24, "linux-stateless-shape", -2;
    /// Against: an exact reset at the side's own TTL, after a FIN: an ordinary abortive close.
    AFTER_FIN = 25, "abort-after-fin", -8;
    /// Against: the same distance, another initial TTL, without a socket: the same host through another code path.
    SAME_DISTANCE = 26, "same-distance-other-initial-ttl", 0;
}

impl Evidence {
    /// Pieces that contradict the packet after the fact.
    pub const CONCLUSIVE: Self = Self(
        Self::CARRIED_ON.0 | Self::SEQ_CHANGE.0 | Self::ACK_CHANGE.0 | Self::DUP_CONTENT.0 | Self::DATA_AFTER_FIN.0,
    );
    /// Pieces that speak for the packet.
    pub const AGAINST: Self = Self(Self::LINUX_STATELESS.0 | Self::AFTER_FIN.0 | Self::SAME_DISTANCE.0);
    /// A distance that is not the peer's.
    pub const TTL: Self = Self(Self::TTL_RST.0 | Self::TTL_FIN.0 | Self::TTL_DATA.0 | Self::TTL_SYNACK.0);

    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Whether any of `bits` is present.
    #[inline(always)]
    pub const fn any(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// Adds `bits` where `present`. Through memory: the kernel's verifier would follow every combination of bits in a register.
    #[inline(always)]
    pub fn add_if(&mut self, present: bool, bits: Self) {
        let bits = if present { bits.0 } else { 0 };
        let found = recall(&self.0);
        keep(&mut self.0, found | bits);
    }

    /// Takes `bits` out again.
    #[inline(always)]
    pub fn drop(&mut self, bits: Self) {
        let found = recall(&self.0);
        keep(&mut self.0, found & !bits.0);
    }

    /// Whether any of `bits` has been added so far; see [`Evidence::add_if`].
    #[inline(always)]
    pub fn has(&self, bits: Self) -> bool {
        recall(&self.0) & bits.0 != 0
    }

    /// What `self` and `bits` have in common.
    #[inline(always)]
    pub const fn only(self, bits: Self) -> Self {
        Self(self.0 & bits.0)
    }

    /// The pieces that are present: id and weight in half points.
    pub fn pieces(self) -> impl Iterator<Item = (&'static str, i8)> {
        Self::ALL.iter().filter(move |(bit, ..)| self.any(*bit)).map(|&(_, id, weight)| (id, weight))
    }

    /// Confidence by score, proven where what followed contradicts the packet.
    #[inline(always)]
    pub const fn confidence(self, score: i8) -> Confidence {
        match score {
            10.. if self.any(Self::CONCLUSIVE) => Confidence::Proven,
            6.. => Confidence::Likely,
            2.. => Confidence::Possible,
            _ => Confidence::None,
        }
    }
}

/// Severity by score in half points: notice at 2 points, warn at 3, alert at 5.
#[inline(always)]
pub const fn severity(score: i8) -> Severity {
    match score {
        10.. => Severity::Alert,
        6.. => Severity::Warn,
        4.. => Severity::Notice,
        _ => Severity::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_1_scores_as_the_catalogue_adds_it_up() {
        let found = Evidence(Evidence::TTL_RST.0 | Evidence::TTL_ADJACENT.0 | Evidence::WIN_MIRROR.0);
        assert_eq!(found.score(), 12);
        assert_eq!(severity(found.score()), Severity::Alert);
        assert_eq!(found.confidence(found.score()), Confidence::Likely);
    }

    #[test]
    fn a_single_weak_piece_alarms_nobody() {
        for &(bit, id, weight) in Evidence::ALL {
            if weight < 4 {
                assert_eq!(severity(bit.score()), Severity::Info, "{id}");
            }
        }
        assert_eq!(severity(Evidence::WIN_MIRROR.score()), Severity::Notice);
    }

    #[test]
    fn bits_and_ids_are_distinct() {
        for (i, (bit, id, _)) in Evidence::ALL.iter().enumerate() {
            assert_eq!(bit.0.count_ones(), 1);
            assert!(Evidence::ALL[..i].iter().all(|(b, n, _)| b != bit && n != id), "{id}");
        }
    }
}
