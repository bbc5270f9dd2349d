//! The kinds of findings: the single table of public ids.
//!
//! Ids are the detection catalogue's, kebab-case, and stable once released.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $id:literal;)*) => {
        /// What was found. The number travels in events, the id is public.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The public id.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$name => $id,)*
                }
            }

            /// From its number.
            pub const fn from_u8(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    /// The port is closed, or a rule answers for it (RFC 9293 §3.5.2, group 1).
    RstRefused = 0, "rst-refused";
    /// The host has no socket for the segment that it answers.
    RstStateless = 1, "rst-stateless";
    /// A live socket was aborted.
    RstAbort = 2, "rst-abort";
    /// The client rejects an impossible answer to its SYN (RFC 9293 §3.10.7.3).
    RstSynSent = 3, "rst-synsent";
    /// The peer confirms, after a challenge ACK, that it has no state (RFC 5961 §3, §4).
    RstAfterChallenge = 4, "rst-after-challenge";
    /// A shape that no stack makes in this situation.
    RstNonconforming = 5, "rst-nonconforming";
    /// The first that was seen of its connection, or one-sided: nothing to compare it with.
    SpontaneousRst = 6, "spontaneous-rst";
    /// A reset from another distance than the peer's.
    TtlRstMismatch = 7, "ttl-rst-mismatch";
    /// A FIN from another distance than the peer's.
    TtlFinMismatch = 8, "ttl-fin-mismatch";
    /// Payload from another distance than the peer's.
    TtlDataMismatch = 9, "ttl-data-mismatch";
    /// A SYN-ACK from another distance than the peer's other segments.
    TtlSynAckMismatch = 10, "ttl-synack-mismatch";
    /// A reset that carries the other side's window.
    WinMirrorPeer = 11, "win-mirror-peer";
    /// A reset that came sooner than the path allows.
    RstTooFast = 12, "rst-too-fast";
    /// Resets with rising sequence numbers ahead of the sender.
    RstSeqChange = 13, "rst-seq-change";
    /// Resets that disagree on what was received.
    RstAckChange = 14, "rst-ack-change";
    /// The sender carried on after "its own" reset.
    RstSeqData = 15, "rst-seq-data";
    /// A reset into data that was acknowledged long ago.
    DataSeqRst = 16, "data-seq-rst";
    /// The sender carried on after "its own" FIN.
    DataAfterFin = 17, "data-after-fin";
    /// A second SYN-ACK with another initial sequence number.
    SynAckIsnChange = 18, "synack-isn-change";
    /// A side alternates between two distances.
    TtlFlap = 19, "ttl-flap";
    /// A reset in the course of the handshake that neither side's kernel sends.
    RstSyn = 20, "rst-syn";
    /// Both ends were reset at the same instant.
    RstBothEnds = 21, "rst-both-ends";
    /// A SYN, then silence.
    CtSynNone = 22, "ct-syn-none";
    /// A SYN, then resets without ACK.
    CtSynRst = 23, "ct-syn-rst";
    /// A SYN, then resets with ACK.
    CtSynRstAck = 24, "ct-syn-rstack";
    /// A SYN, then resets of both forms.
    CtSynRstRstAck = 25, "ct-syn-rst-rstack";
    /// A handshake, then silence.
    CtAckNone = 26, "ct-ack-none";
    /// A handshake, then one reset without ACK.
    CtAckRst = 27, "ct-ack-rst";
    /// A handshake, then several resets without ACK.
    CtAckRstRst = 28, "ct-ack-rst-rst";
    /// A handshake, then one reset with ACK.
    CtAckRstAck = 29, "ct-ack-rstack";
    /// A handshake, then several resets with ACK.
    CtAckRstAckRstAck = 30, "ct-ack-rstack-rstack";
    /// The first data, then silence.
    CtPshNone = 31, "ct-psh-none";
    /// The first data, then one reset without ACK.
    CtPshRst = 32, "ct-psh-rst";
    /// The first data, then one reset with ACK.
    CtPshRstAck = 33, "ct-psh-rstack";
    /// The first data, then resets of both forms.
    CtPshRstRstAck = 34, "ct-psh-rst-rstack";
    /// The first data, then several resets with ACK.
    CtPshRstAckRstAck = 35, "ct-psh-rstack-rstack";
    /// The first data, then resets without ACK whose acknowledgment fields are equal.
    CtPshRstEq = 36, "ct-psh-rst-eq";
    /// The first data, then resets without ACK whose acknowledgment fields differ, none of them 0.
    CtPshRstNe = 37, "ct-psh-rst-ne";
    /// The first data, then resets without ACK, some with 0 in the acknowledgment field and some not.
    CtPshRstRst0 = 38, "ct-psh-rst-rst0";
    /// Several data segments, then resets without ACK.
    CtDataRst = 39, "ct-data-rst";
    /// Several data segments, then resets with ACK.
    CtDataRstAck = 40, "ct-data-rstack";
    /// Cut off after the SYN, in a way that has no signature.
    RadarPostSyn = 41, "radar-post-syn";
    /// Cut off after the handshake, in a way that has no signature.
    RadarPostAck = 42, "radar-post-ack";
    /// Cut off after the first data, in a way that has no signature.
    RadarPostPsh = 43, "radar-post-psh";
    /// Reset after several data packets that were seen as one segment.
    RadarLater = 44, "radar-later";
}

/// Room for kinds in tables that are indexed by them.
pub const MAX_KINDS: usize = 256;

const _: () = assert!(Kind::ALL.len() <= MAX_KINDS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ids_are_a_bijection() {
        for (i, &kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, i, "numbers are dense");
            assert_eq!(Kind::from_u8(kind as u8), Some(kind));
            assert!(Kind::ALL[..i].iter().all(|k| k.id() != kind.id()));
            assert!(kind.id().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
        }
        assert_eq!(Kind::from_u8(Kind::ALL.len() as u8), None);
    }
}
